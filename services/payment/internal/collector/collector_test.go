package collector_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
	"github.com/caravan-shop/caravan/services/payment/internal/postgres"
	"github.com/caravan-shop/caravan/services/payment/internal/providertest"
)

func TestChargesOnce(t *testing.T) {
	s := newShop(t)
	id, user := s.order(providertest.Visa)
	s.must(s.place(id, user))
	s.drain()
	s.hurry()
	s.drain()
	s.wantStatus(id, payment.StatusCaptured)
	s.wantAgreement()
	if got := s.provider.Calls("confirm"); got != 1 {
		t.Errorf("confirmations: got %d, want 1", got)
	}
	if diff := cmp.Diff([]string{"payment.initiated", "payment.success"}, s.topics()); diff != "" {
		t.Errorf("topics (-want +got):\n%s", diff)
	}
	if token := s.find(id).Attempts[0].Means.Token; token != "" {
		t.Errorf("the means of payment are kept after the charge: %q", token)
	}
}

// Two replicas with four workers each share forty orders.
func TestTwoReplicas(t *testing.T) {
	s := newShop(t)
	ctx, stop := context.WithCancel(s.ctx)
	var wg sync.WaitGroup
	for range 2 {
		c := s.collector(newStore(s.db), 4)
		wg.Go(func() { _ = c.Run(ctx) })
	}
	var ids []uuid.UUID
	for range 40 {
		id, _ := s.order(providertest.Visa)
		ids = append(ids, id)
	}
	s.until(func() bool { return s.count(`SELECT count(*) FROM transactions WHERE status = 'captured'`) == 40 })
	stop()
	wg.Wait()
	for _, id := range ids {
		s.wantStatus(id, payment.StatusCaptured)
	}
	if got := s.provider.Calls("confirm"); got != 40 {
		t.Errorf("confirmations: got %d, want 40", got)
	}
	s.wantAgreement()
}

// A worker that is told to stop while it claims an order hands it on at once: nobody waits for the lease to pass.
func TestAStopLeavesNoOrderLeased(t *testing.T) {
	s := newShop(t)
	id, _ := s.order(providertest.Visa)
	ctx, stop := context.WithCancel(s.ctx)
	stop()
	found, err := s.collector(newStore(s.db), 1).Once(ctx)
	if !found || err != nil {
		t.Errorf("got %v, %v, want the order to be claimed and given back", found, err)
	}
	if n := s.count(`SELECT count(*) FROM payment_orders WHERE lease_id IS NOT NULL`); n != 0 {
		t.Errorf("%d orders are still leased", n)
	}
	s.hurry()
	s.drain()
	s.wantStatus(id, payment.StatusCaptured)
	s.wantAgreement()
}

// A call whose request or answer is lost, once, at each call of the way.
func TestLostCalls(t *testing.T) {
	for _, call := range []string{"create", "confirm", "cancel", "refund"} {
		for name, loss := range map[string]providertest.Loss{"request": providertest.LostRequest, "answer": providertest.LostAnswer} {
			t.Run(call+" "+name, func(t *testing.T) {
				s := newShop(t)
				var lost atomic.Bool
				s.provider.Lose = func(c string) providertest.Loss {
					if c == call && lost.CompareAndSwap(false, true) {
						return loss
					}
					return providertest.Arrives
				}
				id, user := s.order(providertest.Declined)
				s.settle()
				_, err := s.checkout.Attempt(s.ctx, id, user, payment.Choice{Kind: payment.KindCard, Token: providertest.Visa})
				s.must(err)
				s.settle()
				s.must(s.checkout.Cancel(s.ctx, id))
				s.settle()
				s.wantStatus(id, payment.StatusFailed, payment.StatusRefunded)
				s.wantAgreement()
				if !lost.Load() {
					t.Errorf("no %s was made", call)
				}
			})
		}
	}
}

// mortal is a queue whose worker dies instead of recording its n-th answer.
type mortal struct {
	*postgres.Store
	lives int
}

var errDied = errors.New("killed")

func (m *mortal) Record(ctx context.Context, job *postgres.Job, in payment.Input, seen payment.Seen) (payment.Step, error) {
	if m.lives--; m.lives < 0 {
		return payment.Step{}, errDied
	}
	return m.Store.Record(ctx, job, in, seen)
}

// Killed after each call and before its record: after creating, and after
// charging. The next worker waits for the lease, reads, and charges nothing twice.
func TestKilledBetweenCallAndRecord(t *testing.T) {
	for lives := range 3 {
		s := newShop(t)
		id, _ := s.order(providertest.Visa)
		if _, err := s.collector(&mortal{s.store, lives}, 1).Once(s.ctx); lives < 2 && !errors.Is(err, errDied) {
			t.Fatalf("lives %d: got %v, want death", lives, err)
		}
		s.drain()
		if lives < 2 {
			s.wantStatus(id, payment.StatusInitiated)
		}
		s.hurry()
		s.drain()
		s.wantStatus(id, payment.StatusCaptured)
		s.wantAgreement()
		if got := s.provider.Calls("confirm"); got != 1 {
			t.Errorf("lives %d: confirmations: got %d, want 1", lives, got)
		}
	}
}

// A worker that outlived its lease must not record.
func TestLateWorkerIsFenced(t *testing.T) {
	s := newShop(t)
	id, _ := s.order(providertest.Visa)
	s.provider.Before = func(call string) {
		if call == "confirm" {
			s.provider.Before = nil
			s.hurry()
			s.drain()
		}
	}
	s.drain()
	s.wantStatus(id, payment.StatusCaptured)
	s.wantAgreement()
	if diff := cmp.Diff([]string{"payment.initiated", "payment.success"}, s.topics()); diff != "" {
		t.Errorf("topics (-want +got):\n%s", diff)
	}
}

// order.cancelled comes in the middle of each call of a charge.
func TestCancelRacesCharge(t *testing.T) {
	for call, want := range map[string]payment.Status{"create": payment.StatusVoided, "confirm": payment.StatusRefunded} {
		s := newShop(t)
		id, _ := s.order(providertest.Visa)
		s.provider.Before = func(c string) {
			if c == call {
				s.provider.Before = nil
				s.must(s.checkout.Cancel(s.ctx, id))
			}
		}
		s.settle()
		s.wantStatus(id, want)
		s.wantAgreement()
		_, err := s.checkout.Attempt(s.ctx, id, s.find(id).UserID, payment.Choice{Kind: payment.KindCard, Token: providertest.Visa})
		if !errors.Is(err, payment.ErrNotPayable) {
			t.Errorf("attempt on a cancelled order: got %v, want %v", err, payment.ErrNotPayable)
		}
	}
}

func TestCancelledBeforeCreatedChargesNothing(t *testing.T) {
	s := newShop(t)
	id, user := service.NewID(), service.NewID()
	s.must(s.checkout.Prepare(s.ctx, id, user, payment.Choice{Kind: payment.KindCard, Token: providertest.Visa}))
	s.must(s.checkout.Cancel(s.ctx, id))
	s.must(s.place(id, user))
	s.settle()
	if got := s.provider.Intents(); len(got) != 0 {
		t.Errorf("intents: got %v, want none", got)
	}
	if answer, _, err := s.checkout.Close(s.ctx, id); answer != payment.ClosingClosed || err != nil {
		t.Errorf("close: got %s, %v; want closed", answer, err)
	}
}

// Fifty members of staff refund one payment at once: 100 each, of 1000.
func TestFiftyRefunds(t *testing.T) {
	s := newShop(t)
	id, _ := s.order(providertest.Visa)
	s.drain()
	var granted, refused atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			amount := int64(100)
			_, err := s.refunds.Ask(s.ctx, payment.RefundRequest{OrderID: id, Amount: &amount, Currency: "GBP", Reason: "storm", By: service.NewID()})
			switch {
			case err == nil:
				granted.Add(1)
			case errors.Is(err, payment.ErrExceedsCaptured):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.settle()
	if granted.Load() != 10 || refused.Load() != 40 {
		t.Errorf("granted %d, refused %d; want 10 and 40", granted.Load(), refused.Load())
	}
	s.wantStatus(id, payment.StatusRefunded)
	s.wantAgreement()
	if got := s.count(`SELECT count(*) FROM outbox WHERE topic = 'payment.refunded'`); got != 10 {
		t.Errorf("payment.refunded: got %d, want 10", got)
	}
}

// Twenty deliveries of order.cancelled at once make one refund.
func TestCancelledManyTimes(t *testing.T) {
	s := newShop(t)
	id, _ := s.order(providertest.Visa)
	s.drain()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := s.checkout.Cancel(s.ctx, id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.settle()
	s.wantStatus(id, payment.StatusRefunded)
	if got := s.count(`SELECT count(*) FROM refunds`); got != 1 {
		t.Errorf("refunds: got %d, want 1", got)
	}
}

func TestThreeDSecure(t *testing.T) {
	s := newShop(t)
	id, _ := s.order(providertest.ThreeDS)
	s.drain()
	s.wantStatus(id, payment.StatusRequiresAction)
	attempt := s.find(id).Attempts[0]
	if attempt.NextAction == nil || attempt.NextAction.RedirectToURL == nil {
		t.Fatalf("next action: got %+v", attempt.NextAction)
	}
	s.provider.Authenticate(true)
	s.drain() // nothing is due: the provider has to tell
	s.wantStatus(id, payment.StatusRequiresAction)
	hearing := payment.NewListening(s.store, s.store, s.store)
	notice := payment.Notice{ID: "evt_1", Type: "payment_intent.succeeded", ObjectID: attempt.ProviderID, Transaction: attempt.ID}
	s.must(hearing.Hear(s.ctx, notice))
	s.must(hearing.Hear(s.ctx, notice))
	s.drain()
	s.wantStatus(id, payment.StatusCaptured)
	if diff := cmp.Diff([]string{"payment.initiated", "payment.requires_action", "payment.success"}, s.topics()); diff != "" {
		t.Errorf("topics (-want +got):\n%s", diff)
	}
}

func TestNoticeOfWhatIsNotKnownYet(t *testing.T) {
	s := newShop(t)
	hearing := payment.NewListening(s.store, s.store, s.store)
	if err := hearing.Hear(s.ctx, payment.Notice{ID: "evt_1", Type: "payment_intent.succeeded"}); err != nil {
		t.Errorf("not ours: got %v, want nil", err)
	}
	if err := hearing.Hear(s.ctx, payment.Notice{ID: "evt_2", Transaction: service.NewID()}); !errors.Is(err, payment.ErrNotYetKnown) {
		t.Errorf("not known yet: got %v, want %v", err, payment.ErrNotYetKnown)
	}
	if got := s.count(`SELECT count(*) FROM webhook_events`); got != 0 {
		t.Errorf("noted: got %d, want 0, or it would not be taken when it comes again", got)
	}
}

func TestClosing(t *testing.T) {
	s := newShop(t)
	id, _ := s.order(providertest.ThreeDS)
	s.drain()
	wantClose := func(want payment.Closing) {
		t.Helper()
		if got, _, err := s.checkout.Close(s.ctx, id); got != want || err != nil {
			t.Errorf("close: got %s, %v; want %s", got, err, want)
		}
	}
	wantClose(payment.ClosingOpen)
	s.settle()
	s.wantStatus(id, payment.StatusRequiresAction) // its grace has not passed
	s.checkout = payment.NewCheckout(s.store, s.store, s.store, s.store, func() time.Time { return time.Now().Add(2 * time.Hour) }, time.Hour)
	wantClose(payment.ClosingOpen)
	s.settle()
	wantClose(payment.ClosingClosed)
	s.wantStatus(id, payment.StatusVoided)
	if got := s.find(id).Attempts[0].FailureCode; got != payment.FailOrderClosed {
		t.Errorf("failure code: got %s, want %s", got, payment.FailOrderClosed)
	}
	s.wantAgreement()
}

func TestRefusedRefundWaitsForStaff(t *testing.T) {
	s := newShop(t)
	id, _ := s.order(providertest.NoRefund)
	s.drain()
	s.must(s.checkout.Cancel(s.ctx, id))
	s.settle()
	rows, err := s.store.Refunds(s.ctx, payment.RefundFilter{Status: string(payment.RefundFailed), Limit: 10})
	if err != nil || len(rows) != 1 || rows[0].FailureCode != payment.FailRefundRefused {
		t.Errorf("failed refunds: got %+v, %v; want one", rows, err)
	}
	s.wantStatus(id, payment.StatusCaptured)
	if _, err := s.refunds.Ask(s.ctx, payment.RefundRequest{OrderID: id, Reason: "by hand", By: service.NewID()}); err != nil {
		t.Errorf("staff tries again: %v", err)
	}
}

func TestErased(t *testing.T) {
	s := newShop(t)
	id, user := service.NewID(), service.NewID()
	s.must(s.checkout.Prepare(s.ctx, id, user, payment.Choice{Kind: payment.KindCard, Token: providertest.Visa}))
	s.must(s.checkout.Erase(s.ctx, user))
	if token := s.find(id).Means.Token; token != "" {
		t.Errorf("means after erasing: got %q", token)
	}
	s.must(s.place(id, user))
	s.settle()
	if got := s.provider.Intents(); len(got) != 0 {
		t.Errorf("intents for an erased buyer: %v", got)
	}
	err := s.checkout.Prepare(s.ctx, service.NewID(), user, payment.Choice{Kind: payment.KindCard, Token: providertest.Visa})
	if !errors.Is(err, payment.ErrMethodUnknown) {
		t.Errorf("prepare for an erased buyer: got %v, want %v", err, payment.ErrMethodUnknown)
	}
}
