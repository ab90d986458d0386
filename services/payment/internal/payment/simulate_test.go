package payment_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
	"github.com/caravan-shop/caravan/services/payment/internal/providertest"
)

// world is one order, the provider, and a worker that may die between any two
// steps. Calls lose their request or their answer at random.
type world struct {
	t        *rapid.T
	o        payment.Order
	provider *providertest.Provider
	faults   bool
	seen     payment.Seen
	n        int
	clock    payment.Clock
	told     []events.Event
	heard    []payment.Input
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, provider: providertest.New(), faults: true, seen: payment.Seen{}}
	w.provider.Manual = rapid.Bool().Draw(t, "manual capture")
	w.provider.Lose = func(call string) providertest.Loss {
		if !w.faults {
			return providertest.Arrives
		}
		return providertest.Loss(rapid.IntRange(0, 2).Draw(t, "loss of "+call))
	}
	w.clock = payment.Clock{Now: time.Unix(0, 0).UTC(), NewID: w.newID}
	w.o = payment.New(w.newID())
	return w
}

func (w *world) newID() uuid.UUID {
	w.n++
	return uuid.UUID{6: 0x70, 14: byte(w.n >> 8), 15: byte(w.n)}
}

func (w *world) apply(in payment.Input) {
	next, evs, err := payment.Apply(w.o, in, w.clock)
	if err == nil {
		w.o, w.told = next, append(w.told, evs...)
	}
	w.check()
}

// work makes the next call and records its answer, unless the worker dies in
// between; a new one has seen nothing.
func (w *world) work() bool {
	step := payment.Next(w.o, w.seen)
	if step.Kind == payment.StepNone {
		w.seen = payment.Seen{}
		return false
	}
	in, err := w.call(step)
	died := w.faults && rapid.IntRange(0, 4).Draw(w.t, "dies") == 0
	if err != nil || died {
		w.seen = payment.Seen{}
		return true
	}
	w.seen[step.Attempt.ID], w.seen[step.Refund.ID] = true, true
	w.heard = append(w.heard, in)
	w.apply(in)
	return true
}

func (w *world) call(s payment.Step) (payment.Input, error) {
	ctx := context.Background()
	var in payment.Intent
	var err error
	switch s.Kind {
	case payment.StepCreateIntent:
		in, err = w.provider.CreateIntent(ctx, w.o, s.Attempt)
	case payment.StepReadIntent:
		in, err = w.provider.ReadIntent(ctx, s.Attempt.ProviderID)
	case payment.StepConfirmIntent:
		in, err = w.provider.ConfirmIntent(ctx, w.o, s.Attempt)
	case payment.StepCaptureIntent:
		in, err = w.provider.CaptureIntent(ctx, s.Attempt.ProviderID)
	case payment.StepCancelIntent:
		in, err = w.provider.CancelIntent(ctx, s.Attempt.ProviderID)
	case payment.StepCreateRefund, payment.StepReadRefund:
		r, err := w.provider.CreateRefund(ctx, w.o, s.Attempt, s.Refund)
		if refusal, refused := payment.RefusalOf(err); refused {
			return payment.RefundRefused{RefundID: s.Refund.ID, Code: refusal.Code}, nil
		}
		return payment.RefundRead{RefundID: s.Refund.ID, Refund: r}, err
	default:
		w.t.Fatalf("step %d", s.Kind)
	}
	if refusal, refused := payment.RefusalOf(err); refused {
		return payment.AttemptRefused{TransactionID: s.Attempt.ID, Code: refusal.Code}, nil
	}
	return payment.IntentRead{TransactionID: s.Attempt.ID, Intent: in}, err
}

func (w *world) means() payment.Means {
	token := rapid.SampledFrom([]string{providertest.Visa, providertest.Declined, providertest.ThreeDS, providertest.Slow, providertest.Unknown}).Draw(w.t, "token")
	return payment.Means{Kind: payment.KindCard, Token: token}
}

// chances weighs what may happen; most of it is a worker's step.
var chances = []string{
	"prepared", "placed", "placed", "cancelled", "closing", "closed", "attempt", "attempt", "refund",
	"payer", "payer", "declines", "reconfirm", "old news",
	"work", "work", "work", "work", "work", "work", "work", "work", "work", "work", "work", "work",
}

func (w *world) happen() {
	user := uuid.UUID{15: 1}
	switch rapid.SampledFrom(chances).Draw(w.t, "what") {
	case "prepared":
		w.apply(payment.Prepared{UserID: user, Means: w.means()})
	case "placed":
		w.apply(payment.Placed{UserID: user, Number: "N", Amount: 1000, Currency: "GBP", At: w.clock.Now.Add(time.Second)})
	case "cancelled":
		// An order mostly lives long enough for something to go wrong.
		if rapid.IntRange(0, 3).Draw(w.t, "really") == 3 {
			w.apply(payment.Cancelled{})
		}
	case "closing":
		w.apply(payment.CloseAsked{})
	case "closed":
		if rapid.IntRange(0, 3).Draw(w.t, "really") == 3 {
			w.apply(payment.CloseAsked{Final: true})
		}
	case "attempt":
		w.apply(payment.AttemptAsked{Means: w.means()})
	case "refund":
		amount := rapid.Int64Range(1, 1000).Draw(w.t, "amount")
		w.apply(payment.RefundAsked{ID: w.newID(), Amount: &amount, Currency: "GBP"})
	case "payer":
		w.provider.Authenticate(true)
	case "declines":
		w.provider.Authenticate(false)
	case "reconfirm":
		w.provider.Reconfirm(rapid.Bool().Draw(w.t, "slowly"))
	case "old news":
		if len(w.heard) > 0 {
			w.apply(rapid.SampledFrom(w.heard).Draw(w.t, "old"))
		}
	default:
		w.work()
	}
}

// check holds at every moment.
func (w *world) check() {
	standing, open := 0, 0
	for _, a := range w.o.Attempts {
		if a.Captured() && !a.Surplus {
			standing++
		}
		if a.Open() {
			open++
		}
		if a.RefundedAmount > a.Amount || w.o.Refundable(&a) < 0 {
			w.t.Fatalf("attempt %d gives back more than it took", a.Number)
		}
	}
	if standing > 1 || open > 1 {
		w.t.Fatalf("%d captures stand, %d attempts are open", standing, open)
	}
	chargeable := 0
	for _, i := range w.provider.Intents() {
		if i.State == payment.IntentAction || i.State == payment.IntentCapturable || i.State == payment.IntentProcessing {
			chargeable++
		}
	}
	if chargeable > 1 {
		w.t.Fatalf("%d intents may still be charged", chargeable)
	}
}

// rest ends 3-D Secure and lets a worker finish without faults.
func (w *world) rest() {
	w.faults = false
	for range 3 {
		for range 200 {
			if !w.work() {
				break
			}
		}
		w.provider.Authenticate(true)
		w.seen = payment.Seen{}
	}
	if step := payment.Next(w.o, nil); step.Kind != payment.StepNone {
		w.t.Fatalf("work is left: %+v", step)
	}
}

// settled holds at rest: ledger and transactions agree, and what was taken is
// what may be kept.
func (w *world) settled() {
	kept, staff := int64(0), int64(0)
	ledger := map[string]providertest.Intent{}
	for _, i := range w.provider.Intents() {
		ledger[i.Transaction] = i
	}
	for _, a := range w.o.Attempts {
		i, known := ledger[a.ID.String()]
		if a.Captured() != (i.State == payment.IntentCaptured) || a.RefundedAmount != i.Refunded {
			w.t.Fatalf("attempt %d: ours %s %d, provider's %s %d", a.Number, a.Status, a.RefundedAmount, i.State, i.Refunded)
		}
		if known && !i.State.Terminal() {
			w.t.Fatalf("attempt %d: intent is left %s", a.Number, i.State)
		}
		if a.Captured() {
			kept += a.Amount - a.RefundedAmount
		}
		delete(ledger, a.ID.String())
	}
	if len(ledger) > 0 {
		w.t.Fatalf("the provider has intents that we do not: %v", ledger)
	}
	for _, r := range w.o.Refunds {
		if r.Kind == payment.RefundStaff && r.Status == payment.RefundSucceeded {
			staff += r.Amount
		}
	}
	want := int64(0)
	over := w.o.State == payment.StateCancelled || w.o.State == payment.StateClosed
	if w.o.Standing() != nil && !over {
		want = 1000 - staff
	}
	if kept != want {
		w.t.Fatalf("state %s: kept %d, want %d", w.o.State, kept, want)
	}
	w.stories()
}

// stories holds each attempt's events to an order that a reader can follow.
func (w *world) stories() {
	next := map[string]string{}
	for _, e := range w.told {
		var id uuid.UUID
		switch e := e.(type) {
		case *events.PaymentInitiated:
			id = e.TransactionID
		case *events.PaymentSuccess:
			id = e.TransactionID
		case *events.PaymentFailed:
			id = e.TransactionID
		case *events.PaymentRequiresAction:
			id = e.TransactionID
		case *events.PaymentRefunded:
			id = e.TransactionID
		}
		next[id.String()] += fmt.Sprintf(" %s", e.Topic())
	}
	legal := map[string]bool{}
	for _, middle := range []string{"", " payment.requires_action"} {
		for _, end := range []string{" payment.success", " payment.failed", " payment.failed payment.success"} {
			legal[" payment.initiated"+middle+end] = true
		}
	}
	for id, story := range next {
		for len(story) > 17 && story[len(story)-17:] == " payment.refunded" {
			story = story[:len(story)-17]
		}
		if !legal[story] {
			w.t.Fatalf("attempt %s:%s", id, story)
		}
	}
}

// TestMoneyUnderFaults runs the core against a provider that loses requests and
// answers, with a worker that dies anywhere and events in any order.
func TestMoneyUnderFaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.apply(payment.Prepared{UserID: uuid.UUID{15: 1}, Means: w.means()})
		for range rapid.IntRange(40, 120).Draw(t, "length") {
			w.happen()
		}
		w.rest()
		w.settled()
	})
}
