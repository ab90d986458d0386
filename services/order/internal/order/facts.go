package order

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Fact is something that happened, or that somebody asks for. Facts of other
// services come in any order and more than once: each is a no-op where it is
// known or too late, and never an error. What a person asks for is refused with
// a fault where the order does not allow it.
type Fact interface{ apply(c *change) error }

// PaymentSucceeded tells of a capture.
type PaymentSucceeded struct {
	Transaction uuid.UUID
	Amount      int64
}

// PaymentAttemptFailed tells that an attempt ended without a capture.
type PaymentAttemptFailed struct{ Attempt int }

// PaymentNeedsAction tells that the payer has to act (3-D Secure).
type PaymentNeedsAction struct{ Attempt int }

// PaymentWasClosed tells that Payment will capture nothing more by itself.
type PaymentWasClosed struct{}

// MoneyRefunded tells the sum refunded so far of one transaction. It implies
// the capture, whose own event may still be under way on another topic.
type MoneyRefunded struct {
	Transaction uuid.UUID
	Amount      int64 // captured
	Sum         int64 // refunded so far
}

// StockWasReserved tells that the hold became a reservation.
type StockWasReserved struct{}

// StockWasRejected tells that the hold was gone and the stock sold.
type StockWasRejected struct{}

// PersonErased tells that the customer asked to be forgotten.
type PersonErased struct{}

// Cancel asks to cancel.
type Cancel struct{ Reason Reason }

// Ship asks to hand the goods to a carrier.
type Ship struct{ Carrier, TrackingNumber string }

// Deliver asks to note that the goods arrived.
type Deliver struct{}

// settleAfter is how long a cancelled order waits for Payment's own event
// before Order asks what became of the money. Without an attempt to end there
// is no such event.
const settleAfter = 3 * time.Second

// Apply gives what a fact does to an order at a time.
func Apply(o Order, f Fact, by Cause, now time.Time) (Outcome, error) {
	o.Money = slices.Clone(o.Money)
	c := &change{Outcome: Outcome{Order: o}, by: by, now: now}
	if err := f.apply(c); err != nil {
		return Outcome{Order: o}, err
	}
	return c.done(), nil
}

func (f PaymentSucceeded) apply(c *change) error {
	c.note(f.Transaction, f.Amount, 0)
	if c.Order.Status == Created {
		c.move(Confirmed, "")
	}
	return nil
}

func (f MoneyRefunded) apply(c *change) error {
	c.note(f.Transaction, f.Amount, f.Sum)
	return nil
}

func (f PaymentAttemptFailed) apply(c *change) error {
	c.attempt(f.Attempt, PaymentFailed)
	return nil
}

func (f PaymentNeedsAction) apply(c *change) error {
	c.attempt(f.Attempt, PaymentRequiresAction)
	return nil
}

// A live order whose payment is closed can't be paid any more, so it ends here;
// the timer that had it closed may have died before it could say so.
func (PaymentWasClosed) apply(c *change) error {
	if c.Order.Payment.MoneyMoved() {
		return nil
	}
	c.pay(PaymentVoided)
	if c.Order.Status == Created {
		c.cancel(Unpaid)
	}
	return nil
}

func (StockWasReserved) apply(c *change) error {
	if c.Order.Stock == StockHeld && !c.Order.Status.Ended() {
		c.stock(StockReserved)
	}
	return nil
}

func (StockWasRejected) apply(c *change) error {
	if c.Order.Stock != StockHeld || c.Order.Status.Ended() {
		return nil
	}
	c.stock(StockRejected)
	c.cancel(OutOfStock)
	return nil
}

func (PersonErased) apply(c *change) error {
	if !c.Order.Erased {
		c.Order.Erased, c.Changed = true, true
	}
	if c.Order.Status.MayBecome(Cancelled) {
		c.cancel(Erasure)
	}
	return nil
}

func (f Cancel) apply(c *change) error {
	if !c.Order.Status.MayBecome(Cancelled) {
		return ErrNotCancellable
	}
	c.cancel(f.Reason)
	return nil
}

func (f Ship) apply(c *change) error {
	o := &c.Order
	paid := o.Payment == PaymentCaptured || o.Payment == PaymentPartiallyRefunded
	switch {
	case !o.Status.MayBecome(Shipped):
		return ErrNotShippable
	case o.Stock != StockReserved:
		return ErrStockNotReserved
	case !paid:
		return ErrNotPaid
	}
	o.Carrier, o.TrackingNumber = f.Carrier, f.TrackingNumber
	c.stock(StockShipped)
	c.move(Shipped, "")
	return nil
}

func (Deliver) apply(c *change) error {
	if !c.Order.Status.MayBecome(Delivered) {
		return ErrNotDeliverable
	}
	c.move(Delivered, "")
	return nil
}
