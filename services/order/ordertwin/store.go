package ordertwin

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/twin"
	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/desk"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// The states of a checkout row.
const (
	running = "running"
	placed  = "placed"
	undoing = "undoing"
	undone  = "undone"
)

type checkoutRow struct {
	id, user uuid.UUID
	key      string
	state    string
	lease    time.Time
	undoDue  time.Time
}

// keyRow is an idempotency key: taken while answer is the nil UUID.
type keyRow struct {
	answer uuid.UUID
	lease  time.Time
}

const undoClaim = 15 * time.Second

func (t *Twin) ids() []uuid.UUID { return sortedKeys(t.checkouts) }

func sortedKeys[V any](m map[uuid.UUID]V) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// Begin implements checkout.Store.
func (t *Twin) Begin(ctx context.Context, c checkout.Checkout, key idempotency.Key, lease time.Duration) (earlier []checkout.Checkout, err error) {
	t.cfg.Step("begin")
	err = t.InTx(ctx, func(context.Context) error {
		if k, ok := t.keys[key.Key]; ok && (k.answer != uuid.Nil || k.lease.After(t.Now())) {
			return idempotency.ErrInProgress
		}
		twin.Put(t.DB, t.keys, key.Key, keyRow{lease: t.Now().Add(lease)})
		for _, id := range t.ids() {
			r := t.checkouts[id]
			if r.user != c.UserID || (r.state != undoing && (r.state != running || r.lease.After(t.Now()))) {
				continue
			}
			r.state, r.undoDue = undoing, t.Now().Add(undoClaim)
			twin.Put(t.DB, t.checkouts, id, r)
			earlier = append(earlier, checkout.Checkout{OrderID: id, UserID: r.user})
		}
		for _, r := range t.checkouts {
			if r.user == c.UserID && r.state == running {
				return checkout.ErrInProgress
			}
		}
		if t.erased[c.UserID] {
			return checkout.ErrAccount
		}
		twin.Put(t.DB, t.checkouts, c.OrderID, checkoutRow{id: c.OrderID, user: c.UserID, key: key.Key, state: running, lease: t.Now().Add(lease)})
		return nil
	})
	return earlier, err
}

// Busy implements checkout.Store.
func (t *Twin) Busy(_ context.Context, user uuid.UUID, key idempotency.Key) (bool, error) {
	t.cfg.Step("busy")
	for _, r := range t.checkouts {
		if r.user == user && (r.state == running || r.state == undoing) {
			return true, nil
		}
	}
	return t.keys[key.Key].answer != uuid.Nil, nil
}

// Commit implements checkout.Store.
func (t *Twin) Commit(ctx context.Context, out order.Outcome, key idempotency.Key, a idempotency.Answer) error {
	t.cfg.Step("commit")
	err := t.InTx(ctx, func(context.Context) error {
		r := t.checkouts[out.Order.ID]
		switch {
		case r.state != running:
			return checkout.ErrUndone
		case t.erased[out.Order.UserID]:
			return checkout.ErrAccount
		}
		r.state = placed
		twin.Put(t.DB, t.checkouts, r.id, r)
		id, err := uuid.ParseBytes(a.Body)
		if err != nil {
			return err
		}
		twin.Put(t.DB, t.keys, key.Key, keyRow{answer: id})
		t.save(out)
		return nil
	})
	if err == nil {
		t.cfg.Step("committed")
	}
	return err
}

func (t *Twin) save(out order.Outcome) {
	id := out.Order.ID
	twin.Put(t.DB, t.orders, id, out.Order)
	twin.Put(t.DB, t.history, id, append(slices.Clone(t.history[id]), out.History...))
	t.Append(out.Events...)
}

// Abandon implements checkout.Store.
func (t *Twin) Abandon(ctx context.Context, id uuid.UUID) (fate checkout.Fate, err error) {
	t.cfg.Step("abandon")
	err = t.InTx(ctx, func(context.Context) error {
		switch r := t.checkouts[id]; r.state {
		case running:
			r.state, r.undoDue = undoing, t.Now().Add(undoClaim)
			twin.Put(t.DB, t.checkouts, id, r)
		case placed:
			fate = checkout.Placed
		default:
			fate = checkout.Superseded
		}
		return nil
	})
	return fate, err
}

// Settle implements checkout.Store.
func (t *Twin) Settle(ctx context.Context, id uuid.UUID, key *idempotency.Key, done bool) error {
	return t.InTx(ctx, func(context.Context) error {
		r := t.checkouts[id]
		if r.state == undoing {
			if r.undoDue = t.Now().Add(2 * time.Second); done {
				r.state = undone
			}
			twin.Put(t.DB, t.checkouts, id, r)
		}
		if key != nil {
			twin.Drop(t.DB, t.keys, key.Key)
		}
		return nil
	})
}

// Overdue implements checkout.Store: one at a time, so that a run of the
// simulator repeats exactly.
func (t *Twin) Overdue(ctx context.Context, _ int) (due []checkout.Checkout, err error) {
	t.cfg.Step("overdue")
	err = t.InTx(ctx, func(context.Context) error {
		for _, id := range t.ids() {
			r := t.checkouts[id]
			late := r.state == running && !r.lease.After(t.Now())
			again := r.state == undoing && !r.undoDue.After(t.Now())
			if !late && !again {
				continue
			}
			r.state, r.undoDue = undoing, t.Now().Add(undoClaim)
			twin.Put(t.DB, t.checkouts, id, r)
			due = append(due, checkout.Checkout{OrderID: id, UserID: r.user})
			return nil
		}
		return nil
	})
	return due, err
}

// Update implements desk.Writer.
func (t *Twin) Update(ctx context.Context, id uuid.UUID, decide func(order.Order) (order.Outcome, error)) (order.Order, error) {
	var out order.Outcome
	err := t.InTx(ctx, func(context.Context) error {
		before, ok := t.orders[id]
		if !ok {
			return order.ErrNotFound
		}
		var err error
		if out, err = decide(before); err != nil || !out.Changed {
			return err
		}
		t.save(out)
		return nil
	})
	return out.Order, err
}

// Forget implements desk.Writer.
func (t *Twin) Forget(_ context.Context, user uuid.UUID) ([]uuid.UUID, error) {
	twin.Put(t.DB, t.erased, user, true)
	var ids []uuid.UUID
	for _, id := range sortedKeys(t.orders) {
		if t.orders[id].UserID == user {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// PaymentsDue implements desk.Writer, one at a time.
func (t *Twin) PaymentsDue(ctx context.Context, _ int, again time.Duration) (ids []uuid.UUID, err error) {
	t.cfg.Step("payments due")
	err = t.InTx(ctx, func(context.Context) error {
		for _, id := range sortedKeys(t.orders) {
			o := t.orders[id]
			if o.PaymentDue.IsZero() || o.PaymentDue.After(t.Now()) {
				continue
			}
			o.PaymentDue = t.Now().Add(again)
			twin.Put(t.DB, t.orders, id, o)
			ids = append(ids, id)
			return nil
		}
		return nil
	})
	return ids, err
}

// Get implements desk.Reader.
func (t *Twin) Get(_ context.Context, id uuid.UUID) (order.Order, error) {
	if o, ok := t.orders[id]; ok {
		return o, nil
	}
	return order.Order{}, order.ErrNotFound
}

// States implements desk.Reader.
func (t *Twin) States(_ context.Context, ids []uuid.UUID) ([]desk.State, error) {
	var out []desk.State
	for _, id := range ids {
		s := desk.State{OrderID: id, Status: "unknown"}
		if o, ok := t.orders[id]; ok {
			s.Status = string(o.Status)
		} else if t.checkouts[id].state == running {
			s.Status = "placing"
		}
		out = append(out, s)
	}
	return out, nil
}

// List implements desk.Reader.
func (t *Twin) List(context.Context, desk.Filter) ([]order.Order, error) { return nil, nil }

// History implements desk.Reader.
func (t *Twin) History(_ context.Context, id uuid.UUID) ([]order.Transition, error) {
	return t.history[id], nil
}

// Purchased implements desk.Reader.
func (t *Twin) Purchased(context.Context, uuid.UUID, uuid.UUID) (bool, error) { return false, nil }
