// Package checkout is the saga that turns a cart into an order: it gathers,
// holds, compares, takes and commits, and undoes all of it when any step
// refuses, fails or is never heard of again. It knows its neighbours by the
// interfaces below alone. What happens to an order once it is placed is not its
// business.
package checkout

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// Line is what a cart asks for of one product.
type Line struct {
	ProductID uuid.UUID
	Quantity  int64
}

// maxLines is what Product takes in one hold. A cart may have more where an
// undone checkout came back to it.
const maxLines = 1200

// Cart is a cart as it was at a version.
type Cart struct {
	Version int64
	Lines   []Line // empty: there is nothing to order
}

// orderable refuses a cart that no order can hold.
func (c Cart) orderable() error {
	switch n := len(c.Lines); {
	case n == 0:
		return ErrCartEmpty
	case n > maxLines:
		return ErrCartTooLarge
	}
	return nil
}

// TakeResult is what became of the wish to take a cart.
type TakeResult string

// The results of taking a cart.
const (
	Taken       TakeResult = "taken"
	CartChanged TakeResult = "changed"
	TakeUndone  TakeResult = "undone"
)

// Carts is the cart service. Errors mean that it did not answer: the outcome is
// then unknown. Every call may be repeated.
type Carts interface {
	Read(ctx context.Context, user uuid.UUID) (Cart, error)
	// Take empties the cart for an order if it still is at the version.
	Take(ctx context.Context, user, orderID uuid.UUID, version int64) (TakeResult, error)
	// Restore puts back what the order took, once; a later Take is refused.
	Restore(ctx context.Context, user, orderID uuid.UUID) error
}

// Account is what User says about a customer and the addresses asked for.
type Account struct {
	Active    bool
	Addresses map[uuid.UUID]order.Address // unknown ones are missing
}

// Accounts is the user service. Errors mean that it did not answer.
type Accounts interface {
	Lookup(ctx context.Context, user uuid.UUID, addresses []uuid.UUID) (Account, error)
}

// Means is how the customer wants to pay: a provider's token or a saved method.
type Means struct {
	Token   string
	SavedID uuid.UUID
}

// Payments is the payment service. Errors mean that it did not answer.
type Payments interface {
	// Prepare hands the means over; false: unknown, or somebody else's.
	Prepare(ctx context.Context, orderID, user uuid.UUID, m Means) (bool, error)
	// Discard makes Payment forget the means of an order that never was.
	Discard(ctx context.Context, orderID uuid.UUID) error
}

// Shortage is a line that can't be had: too few units, or a product that is not
// for sale (Reason).
type Shortage struct {
	ProductID uuid.UUID
	Requested int64
	Available int64
	Reason    string
}

// Hold is the answer to placing a hold: the lines at the prices that stand, or
// what is short. Neither: it was undone before it came.
type Hold struct {
	Items       []order.Item
	OutOfStock  []Shortage
	Unavailable []Shortage
}

// Product is what the catalogue says now.
type Product struct {
	Item      order.Item // without quantity
	ForSale   bool
	Available int64
}

// Catalog is the product service. Errors mean that it did not answer. Hold and
// Release may be repeated; a Hold after its Release is undone.
type Catalog interface {
	Lookup(ctx context.Context, products []uuid.UUID) (map[uuid.UUID]Product, error)
	Hold(ctx context.Context, orderID, user uuid.UUID, lines []Line) (Hold, error)
	Release(ctx context.Context, orderID uuid.UUID) error
}

// Tariffs prices items in place for a destination.
type Tariffs interface {
	Price(items []order.Item, country string) (order.Totals, error)
	// Payable refuses a total that can't be charged.
	Payable(t order.Totals) error
}

// Checkout is one run of the saga.
type Checkout struct {
	OrderID uuid.UUID
	UserID  uuid.UUID
}

// Fate is what Abandon found.
type Fate int

// The fates of a checkout.
const (
	Stopped    Fate = iota // by this call
	Superseded             // it was past its lease, and somebody else undoes it
	Placed                 // it has committed
)

// Store keeps the checkout rows and writes the order.
type Store interface {
	// Begin takes the key and the user's one running checkout, in one
	// transaction. It fails with idempotency.ErrInProgress, ErrInProgress or
	// ErrAccount. It returns earlier checkouts of the user that still have to be
	// undone; the caller undoes them first.
	Begin(ctx context.Context, c Checkout, key idempotency.Key, lease time.Duration) ([]Checkout, error)
	// Busy tells whether a checkout of the user is under way or not yet undone, or
	// the key has its answer: what Begin would have to say more about.
	Busy(ctx context.Context, user uuid.UUID, key idempotency.Key) (bool, error)
	// Commit writes order, history, events and answer, only while the checkout
	// runs; else ErrUndone. ErrNumberTaken asks for another number.
	Commit(ctx context.Context, out order.Outcome, key idempotency.Key, a idempotency.Answer) error
	// Abandon stops a running checkout from ever committing.
	Abandon(ctx context.Context, orderID uuid.UUID) (Fate, error)
	// Settle gives the key back, and ends the checkout once undone.
	Settle(ctx context.Context, orderID uuid.UUID, key *idempotency.Key, undone bool) error
	// Overdue abandons what is past its lease and claims what has to be undone,
	// for long enough to do it.
	Overdue(ctx context.Context, limit int) ([]Checkout, error)
}
