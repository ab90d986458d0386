package audit_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/payment/internal/audit"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

var noon = time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)

// world is everything that an auditor looks at, and what it did.
type world struct {
	rows    []payment.Transaction
	refunds []payment.RefundRow
	held    []audit.Held
	states  map[uuid.UUID]audit.State
	applied []payment.Input
}

func (w *world) Transactions(context.Context, payment.TransactionFilter) ([]payment.Transaction, error) {
	return w.rows, nil
}
func (w *world) Refunds(context.Context, payment.RefundFilter) ([]payment.RefundRow, error) {
	return w.refunds, nil
}
func (w *world) Each(_ context.Context, do func(audit.Held) error) error {
	for _, h := range w.held {
		if err := do(h); err != nil {
			return err
		}
	}
	return nil
}
func (w *world) States(context.Context, []uuid.UUID) (map[uuid.UUID]audit.State, error) {
	return w.states, nil
}
func (w *world) Apply(_ context.Context, _ uuid.UUID, in payment.Input) (payment.Order, error) {
	w.applied = append(w.applied, in)
	return payment.Order{}, nil
}
func (w *world) Nudge(context.Context, uuid.UUID) error { return nil }

func (w *world) compare(t *testing.T, repair bool) []audit.Drift {
	t.Helper()
	a := audit.Auditor{Rows: w, Provider: w, Orders: w, Mender: w, Now: func() time.Time { return noon }, Settled: time.Minute}
	drifts, err := a.Compare(t.Context(), repair)
	if err != nil {
		t.Fatal(err)
	}
	return drifts
}

var (
	order = uuid.MustParse("01900000-0000-7000-8000-00000000000a")
	tx    = uuid.MustParse("01900000-0000-7000-8000-00000000000b")
)

// paid is an order that was paid an hour ago and agrees everywhere.
func paid() *world {
	at := noon.Add(-time.Hour)
	return &world{
		rows: []payment.Transaction{{OrderID: order, Attempt: payment.Attempt{ID: tx, Amount: 500, Status: payment.StatusCaptured,
			Intent: payment.IntentCaptured, ProviderID: "pi_1", CreatedAt: at, UpdatedAt: at}}},
		held: []audit.Held{{Intent: payment.Intent{ID: "pi_1", State: payment.IntentCaptured}, Order: order, Transaction: tx,
			Amount: 500, Captured: 500}},
		states: map[uuid.UUID]audit.State{order: {Status: "confirmed", PaymentStatus: "captured"}},
	}
}

func TestEachDifferenceIsNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*world)
		want   []audit.Kind
	}{
		{"all agree", func(*world) {}, nil},
		{"another system's intent", func(w *world) { w.held = append(w.held, audit.Held{Amount: 9, Captured: 9}) }, nil},
		{"intent of nobody", func(w *world) {
			w.held = append(w.held, audit.Held{Transaction: uuid.MustParse("01900000-0000-7000-8000-0000000000ff"), Captured: 9})
		}, []audit.Kind{audit.IntentNotOurs}},
		{"the provider does not know it", func(w *world) { w.held = nil }, []audit.Kind{audit.IntentMissing}},
		{"captured there alone", func(w *world) {
			w.rows[0].Intent, w.rows[0].Status = payment.IntentProcessing, payment.StatusInitiated
		}, []audit.Kind{audit.CaptureDiffers}},
		{"captured there alone, a moment ago", func(w *world) {
			w.rows[0].Intent, w.rows[0].Status, w.rows[0].UpdatedAt = payment.IntentProcessing, payment.StatusInitiated, noon
		}, nil},
		{"captured here alone", func(w *world) { w.held[0].Captured = 0 }, []audit.Kind{audit.CaptureDiffers}},
		{"refunded there alone", func(w *world) { w.held[0].Refunded = 100 }, []audit.Kind{audit.RefundDiffers}},
		{"refund under way", func(w *world) {
			w.held[0].Refunded = 100
			w.refunds = []payment.RefundRow{{OrderID: order, Refund: payment.Refund{TransactionID: tx, Amount: 100, Status: payment.RefundPending}}}
		}, nil},
		{"refund that waits for staff", func(w *world) {
			w.refunds = []payment.RefundRow{{OrderID: order, Refund: payment.Refund{TransactionID: tx, Amount: 100, Status: payment.RefundFailed}}}
		}, []audit.Kind{audit.RefundWaitsForHand}},
		{"Order has never heard of it", func(w *world) { w.states[order] = audit.State{Status: "unknown"} }, []audit.Kind{audit.OrderUnknown}},
		{"Order was not told", func(w *world) { w.states[order] = audit.State{Status: "created", PaymentStatus: "pending"} }, []audit.Kind{audit.OrderNotTold}},
		{"cancelled and kept", func(w *world) { w.states[order] = audit.State{Status: "cancelled", PaymentStatus: "captured"} }, []audit.Kind{audit.CancelledButKept}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := paid()
			c.change(w)
			var got []audit.Kind
			for _, d := range w.compare(t, false) {
				got = append(got, d.Kind)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("drifts (-want +got): %s", diff)
			}
			if len(w.applied) > 0 {
				t.Errorf("changed %v without being asked", w.applied)
			}
		})
	}
}

func TestRepairTakesInTheProvidersWordOnlyWhereTheEndIsOpen(t *testing.T) {
	open := paid()
	open.rows[0].Intent, open.rows[0].Status = payment.IntentProcessing, payment.StatusInitiated
	if got := open.compare(t, true); len(got) != 1 || !got[0].Mended {
		t.Errorf("got %+v, want one drift, mended", got)
	}
	want := []payment.Input{payment.IntentRead{TransactionID: tx, Intent: payment.Intent{ID: "pi_1", State: payment.IntentCaptured}}}
	if diff := cmp.Diff(want, open.applied); diff != "" {
		t.Errorf("taken in (-want +got): %s", diff)
	}
	ended := paid()
	ended.held[0].Captured = 0
	if got := ended.compare(t, true); len(got) != 1 || got[0].Mended || len(ended.applied) > 0 {
		t.Errorf("an attempt that has ended: got %+v and %v, want one drift for staff to decide", got, ended.applied)
	}
}
