// Package paymenttwin is Payment for the simulator: the real core, use cases,
// subscriber and collector over a database in memory and the provider of
// providertest. Only the simulator may import it.
package paymenttwin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/internal/twin"
	"github.com/caravan-shop/caravan/services/payment/internal/collector"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
	"github.com/caravan-shop/caravan/services/payment/internal/postgres"
	"github.com/caravan-shop/caravan/services/payment/internal/providertest"
	"github.com/caravan-shop/caravan/services/payment/internal/subscriber"
)

// Tokens of cards, by what the provider does with them.
func Tokens() []string {
	return []string{providertest.Visa, providertest.Visa, providertest.Visa, providertest.Declined, providertest.ThreeDS, providertest.Slow, providertest.Unknown}
}

// Good is the token of a card that is charged at once.
const Good = providertest.Visa

// Loss is the fate of a call to the provider.
type Loss = providertest.Loss

// The fates.
const (
	Arrives     = providertest.Arrives
	LostRequest = providertest.LostRequest
	LostAnswer  = providertest.LostAnswer
)

// row is one order as the table has it.
type row struct {
	order  payment.Order
	due    time.Time // zero: nothing to do
	lease  uuid.UUID
	leased time.Time // until when
	tries  int
}

// Twin is the service. Not safe for concurrent use.
type Twin struct {
	*twin.DB
	Provider *providertest.Provider

	rows     map[uuid.UUID]row
	erased   map[uuid.UUID]bool
	checkout *payment.Checkout
	refunds  *payment.Refunds
	table    map[string]delivery.Handler
	worker   *collector.Collector
}

// New makes a service without orders. window is the time to pay and its grace;
// call is asked about each call to the provider before it is made.
func New(db *twin.DB, window time.Duration, manual bool, before func(call string), lose func(call string) Loss) *Twin {
	t := &Twin{DB: db, Provider: providertest.New(), rows: map[uuid.UUID]row{}, erased: map[uuid.UUID]bool{}}
	t.Provider.Manual, t.Provider.Before, t.Provider.Lose = manual, before, lose
	t.checkout = payment.NewCheckout(t, t, nil, t, db.Now, window)
	t.refunds = payment.NewRefunds(t, db.NewID)
	t.table = subscriber.Handlers(t.checkout, mailbox{db})
	t.worker = collector.New(t, t.Provider, t.Provider, slog.New(slog.DiscardHandler), 1, time.Second)
	return t
}

type mailbox struct{ db *twin.DB }

// Once implements the subscriber's inbox.
func (m mailbox) Once(ctx context.Context, _, id string, effect func(ctx context.Context) error) error {
	return m.db.Once(ctx, id, effect)
}

// Take takes an event in.
func (t *Twin) Take(ctx context.Context, id, source string, e events.Event) error {
	handle, ok := t.table[e.Topic()]
	if !ok {
		return nil
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return handle(ctx, delivery.Event{ID: id, Type: e.Topic(), Source: source, Data: data})
}

// Prepare keeps the means of an order to be; false: not known.
func (t *Twin) Prepare(ctx context.Context, order, user uuid.UUID, token string) (bool, error) {
	err := t.checkout.Prepare(ctx, order, user, payment.Choice{Kind: payment.KindCard, Token: token})
	if errors.Is(err, payment.ErrMethodUnknown) {
		return false, nil
	}
	return err == nil, err
}

// Close ends the time to pay: captured, closed, or neither.
func (t *Twin) Close(ctx context.Context, order uuid.UUID) (answer string, transaction uuid.UUID, err error) {
	closing, id, err := t.checkout.Close(ctx, order)
	return string(closing), id, err
}

// Attempt tries again to pay.
func (t *Twin) Attempt(ctx context.Context, order, user uuid.UUID, token string) error {
	_, err := t.checkout.Attempt(ctx, order, user, payment.Choice{Kind: payment.KindCard, Token: token})
	return err
}

// Refund gives money back, as staff do.
func (t *Twin) Refund(ctx context.Context, order uuid.UUID, amount int64, currency string) error {
	req := payment.RefundRequest{OrderID: order, Reason: "goodwill", By: t.NewID()}
	if amount > 0 {
		req.Amount, req.Currency = &amount, currency
	}
	_, err := t.refunds.Ask(ctx, req)
	return err
}

// Work has the collector work off one order that is due; false: none is.
func (t *Twin) Work(ctx context.Context) (bool, error) { return t.worker.Once(ctx) }

// Due tells when the next order has to be looked at; false: none.
func (t *Twin) Due() (time.Time, bool) {
	var first time.Time
	for _, r := range t.rows {
		at := r.due
		if at.IsZero() {
			continue
		}
		if r.leased.After(at) {
			at = r.leased
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first, !first.IsZero()
}

func (t *Twin) read(id uuid.UUID) row {
	if r, ok := t.rows[id]; ok {
		return r
	}
	return row{order: payment.New(id)}
}

func (t *Twin) clock() payment.Clock { return payment.Clock{Now: t.Now(), NewID: t.NewID} }

// errIndex stands for the unique indexes.
var errIndex = errors.New("paymenttwin: a unique index refuses the row")

// check is what the unique indexes of the tables say.
func (t *Twin) check(o payment.Order) error {
	open, standing := 0, 0
	for _, a := range o.Attempts {
		if a.Open() {
			open++
		}
		if a.Captured() && !a.Surplus {
			standing++
		}
	}
	once := map[uuid.UUID]int{}
	for _, r := range o.Refunds {
		if r.Kind != payment.RefundStaff {
			once[r.TransactionID]++
		}
		if once[r.TransactionID] > 1 && !t.Flaws.NoRefundIndex {
			return errIndex
		}
	}
	if open > 1 || standing > 1 {
		return errIndex
	}
	return nil
}

// Apply implements payment.Orders.
func (t *Twin) Apply(ctx context.Context, id uuid.UUID, in payment.Input) (payment.Order, error) {
	var after payment.Order
	err := t.InTx(ctx, func(context.Context) error {
		r := t.read(id)
		before := r.order
		var evs []events.Event
		var err error
		if after, evs, err = payment.Apply(before, in, t.clock()); err != nil || reflect.DeepEqual(before, after) {
			return err
		}
		if err := t.check(after); err != nil {
			return err
		}
		step := payment.Next(after, nil)
		r.order, r.due = after, time.Time{}
		if step.Kind != payment.StepNone || step.Again > 0 {
			r.due = t.Now()
		}
		twin.Put(t.DB, t.rows, id, r)
		t.Append(evs...)
		return nil
	})
	return after, err
}

// CancelTwice is order.cancelled in two transactions that both read the order
// before either wrote, as if its row had no lock. The index refuses the second.
func (t *Twin) CancelTwice(ctx context.Context, id uuid.UUID) error {
	return t.InTx(ctx, func(context.Context) error {
		r := t.read(id)
		before := len(r.order.Refunds)
		first, evs, err := payment.Apply(r.order, payment.Cancelled{}, t.clock())
		if err != nil {
			return err
		}
		second, _, err := payment.Apply(r.order, payment.Cancelled{}, t.clock())
		if err != nil {
			return err
		}
		both := first.Clone()
		both.Refunds = append(both.Refunds, second.Refunds[before:]...)
		if t.check(both) != nil {
			both = first
		}
		r.order, r.due = both, t.Now()
		twin.Put(t.DB, t.rows, id, r)
		t.Append(evs...)
		return nil
	})
}

// Find implements payment.Orders.
func (t *Twin) Find(_ context.Context, id uuid.UUID) (payment.Order, error) {
	r, ok := t.rows[id]
	if !ok {
		return payment.Order{}, payment.ErrOrderUnknown
	}
	return r.order, nil
}

// OfUser implements payment.Orders.
func (t *Twin) OfUser(_ context.Context, user uuid.UUID) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	for _, id := range t.Orders() {
		if o := t.rows[id].order; o.UserID == user && o.Means.Token != "" {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// OrderOf implements payment.Orders.
func (t *Twin) OrderOf(context.Context, uuid.UUID) (uuid.UUID, bool, error) {
	return uuid.Nil, false, nil
}

// Nudge implements payment.Orders.
func (t *Twin) Nudge(context.Context, uuid.UUID) error { return nil }

// IsErased implements payment.People.
func (t *Twin) IsErased(_ context.Context, user uuid.UUID) (bool, error) { return t.erased[user], nil }

// Erase implements payment.People.
func (t *Twin) Erase(_ context.Context, user uuid.UUID) error {
	twin.Put(t.DB, t.erased, user, true)
	return nil
}

// Customer implements payment.People.
func (t *Twin) Customer(context.Context, uuid.UUID) (string, error) { return "", nil }

const leaseFor = 15 * time.Second

// Claim implements collector.Queue.
func (t *Twin) Claim(ctx context.Context) (job postgres.Job, ok bool, err error) {
	err = t.InTx(ctx, func(context.Context) error {
		for _, id := range t.Orders() {
			r := t.rows[id]
			if r.due.IsZero() || r.due.After(t.Now()) || r.leased.After(t.Now()) {
				continue
			}
			r.lease, r.leased = t.NewID(), t.Now().Add(leaseFor)
			twin.Put(t.DB, t.rows, id, r)
			job, ok = postgres.Job{Order: r.order, Lease: r.lease, Tries: r.tries}, true
			return nil
		}
		return nil
	})
	return job, ok && err == nil, err
}

// Record implements collector.Queue.
func (t *Twin) Record(ctx context.Context, job *postgres.Job, in payment.Input, seen payment.Seen) (next payment.Step, err error) {
	err = t.InTx(ctx, func(context.Context) error {
		r := t.rows[job.ID]
		if r.lease != job.Lease {
			return postgres.ErrLeaseLost
		}
		var evs []events.Event
		if in != nil {
			if r.order, evs, err = payment.Apply(r.order, in, t.clock()); err != nil {
				return err
			}
			if err := t.check(r.order); err != nil {
				return err
			}
		}
		next = payment.Next(r.order, seen)
		r.tries, r.due = 0, time.Time{}
		if next.Kind != payment.StepNone || next.Again > 0 {
			r.due = t.Now().Add(next.Again)
		}
		r.leased = t.Now().Add(leaseFor)
		if next.Kind == payment.StepNone {
			r.lease, r.leased = uuid.Nil, time.Time{}
		}
		twin.Put(t.DB, t.rows, job.ID, r)
		t.Append(evs...)
		job.Order = r.order
		return nil
	})
	return next, err
}

// Defer implements collector.Queue. The wait that it is given has a jitter of
// real randomness, so it takes one of its own.
func (t *Twin) Defer(ctx context.Context, job postgres.Job, _ time.Duration, _ error) error {
	return t.InTx(ctx, func(context.Context) error {
		r := t.rows[job.ID]
		if r.lease != job.Lease {
			return nil
		}
		r.due, r.lease, r.leased = t.Now().Add(250*time.Millisecond<<min(r.tries, 6)), uuid.Nil, time.Time{}
		r.tries++
		twin.Put(t.DB, t.rows, job.ID, r)
		return nil
	})
}

// Woken implements collector.Queue.
func (t *Twin) Woken() <-chan struct{} { return nil }

// Orders lists the orders of which anything is known, in order of their ids.
func (t *Twin) Orders() []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(t.rows))
	for id := range t.rows {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}
