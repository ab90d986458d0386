// Package desk is what happens to an order once it is placed: people read,
// cancel, ship and deliver it, other services tell facts about it, timers ask
// what became of its payment, and a person asks to be forgotten. Every change
// goes through the pure core under the order's lock. It never places an order.
package desk

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// Filter chooses orders for a list, newest first; zero fields choose all.
type Filter struct {
	UserID  *uuid.UUID
	Status  *string
	Payment *string
	Stock   *string
	Number  *string
	After   *uuid.UUID // the last order of the page before
	Limit   int
}

// State is what other services may know of an order. Status is "placing" while
// its checkout runs, and "unknown" for what is no order.
type State struct {
	OrderID uuid.UUID
	Status  string
	Payment string
	Stock   string
	UserID  *uuid.UUID
}

// Reader reads orders as they are now.
type Reader interface {
	// Get fails with order.ErrNotFound.
	Get(ctx context.Context, id uuid.UUID) (order.Order, error)
	List(ctx context.Context, f Filter) ([]order.Order, error)
	History(ctx context.Context, id uuid.UUID) ([]order.Transition, error)
	// States answers every id, in one snapshot of orders and checkouts.
	States(ctx context.Context, ids []uuid.UUID) ([]State, error)
	// Purchased tells whether a user paid for a product and kept the order.
	Purchased(ctx context.Context, user, product uuid.UUID) (bool, error)
}

// Writer changes orders, each in one transaction with its history and events.
type Writer interface {
	// Update locks the order, lets decide say what happens and saves it. It
	// fails with order.ErrNotFound or with decide's error, and then saves nothing.
	Update(ctx context.Context, id uuid.UUID, decide func(order.Order) (order.Outcome, error)) (order.Order, error)
	// Once runs fn in one transaction with the mark that the event was seen; not
	// at all if it was.
	Once(ctx context.Context, eventID string, fn func(ctx context.Context) error) error
	// Forget remembers a deleted user and gives the orders that still name the
	// person. Call it within Once.
	Forget(ctx context.Context, user uuid.UUID) ([]uuid.UUID, error)
	// PaymentsDue gives orders whose payment has to be asked about, and puts them
	// off until again from now, so that no replica asks at the same time.
	PaymentsDue(ctx context.Context, limit int, again time.Duration) ([]uuid.UUID, error)
}

// Closing is Payment's word on how an order's payment ends.
type Closing struct {
	Captured    bool
	Transaction uuid.UUID // of a capture
	Closed      bool      // neither: an attempt is still open
}

// Payments is the payment service. Errors mean that it did not answer.
type Payments interface {
	Close(ctx context.Context, orderID uuid.UUID) (Closing, error)
}

// Desk is the use cases. Safe for concurrent use.
type Desk struct {
	Reader
	Writer   Writer
	Payments Payments
	Now      func() time.Time
	Log      *slog.Logger
}

// apply lets a fact happen to an order.
func (d *Desk) apply(ctx context.Context, id uuid.UUID, f order.Fact, by order.Cause) (order.Order, error) {
	return d.Writer.Update(ctx, id, func(o order.Order) (order.Outcome, error) {
		return order.Apply(o, f, by, d.Now().UTC().Truncate(time.Microsecond))
	})
}

// Person is who asks.
type Person struct {
	ID    uuid.UUID
	Staff bool
}

func (p Person) actor() string {
	if p.Staff {
		return "staff:" + p.ID.String()
	}
	return "customer:" + p.ID.String()
}

// For gives an order to its owner or to staff; to anybody else there is none.
func (d *Desk) For(ctx context.Context, p Person, id uuid.UUID) (order.Order, error) {
	o, err := d.Get(ctx, id)
	if err != nil {
		return order.Order{}, err
	}
	if o.UserID != p.ID && !p.Staff {
		return order.Order{}, order.ErrNotFound
	}
	return o, nil
}

// Cancel cancels an order that For gave. Staff who cancel an order of their own
// do it as customers.
func (d *Desk) Cancel(ctx context.Context, p Person, o order.Order, note string) (order.Order, error) {
	reason := order.ByCustomer
	if p.ID != o.UserID {
		reason = order.ByStaff
	} else {
		p.Staff = false
	}
	return d.apply(ctx, o.ID, order.Cancel{Reason: reason}, order.Cause{Actor: p.actor(), Note: note})
}

// Ship notes that a carrier has the goods.
func (d *Desk) Ship(ctx context.Context, p Person, id uuid.UUID, f order.Ship) (order.Order, error) {
	return d.apply(ctx, id, f, order.Cause{Actor: p.actor()})
}

// Deliver notes that the goods arrived.
func (d *Desk) Deliver(ctx context.Context, p Person, id uuid.UUID) (order.Order, error) {
	return d.apply(ctx, id, order.Deliver{}, order.Cause{Actor: p.actor()})
}

// exportPage bounds one read of an export.
const exportPage = 100

// EachOf shows every order of a user with its history, newest first.
func (d *Desk) EachOf(ctx context.Context, user uuid.UUID, show func(order.Order, []order.Transition)) error {
	f := Filter{UserID: &user, Limit: exportPage}
	for {
		page, err := d.List(ctx, f)
		if err != nil {
			return err
		}
		for _, o := range page {
			history, err := d.History(ctx, o.ID)
			if err != nil {
				return err
			}
			show(o, history)
		}
		if len(page) < exportPage {
			return nil
		}
		f.After = &page[len(page)-1].ID
	}
}
