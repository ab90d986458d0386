package order

import (
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// change gathers what one fact does.
type change struct {
	Outcome
	by  Cause
	now time.Time
}

// move takes one step of the history and publishes it. Callers have asked
// MayBecome; a step that the table forbids is a bug and must not be saved.
func (c *change) move(to Status, reason Reason) {
	from := c.Order.Status
	if !from.MayBecome(to) {
		panic("order: illegal transition " + string(from) + " to " + string(to))
	}
	c.Order.Status = to
	c.Order.HistoryLength++
	c.History = append(c.History, Transition{
		Sequence: c.Order.HistoryLength, From: from, To: to,
		Reason: string(reason), Cause: c.by, At: c.now,
	})
	c.Events = append(c.Events, event(c.Order))
	c.Changed = true
}

// cancel ends the order. Stock that was held or reserved counts as released
// from here on: Product does it by order.cancelled, once.
func (c *change) cancel(reason Reason) {
	o := &c.Order
	o.Reason = reason
	if o.Stock == StockHeld || o.Stock == StockReserved {
		o.Stock = StockReleased
	}
	if o.Payment.Open() {
		o.PaymentDue = c.now.Add(settleAfter)
	}
	c.move(Cancelled, reason)
}

func (c *change) stock(s StockStatus) {
	c.Order.Stock = s
	c.Changed = true
}

func (c *change) pay(p PaymentStatus) {
	if c.Order.Payment == p {
		return
	}
	c.Order.Payment = p
	c.Changed = true
	if !p.Open() {
		c.Order.PaymentDue = time.Time{}
	}
}

// attempt notes the fate of an attempt, unless money moved, the payment is
// closed, or a later word is known: a decline follows the 3-D Secure of the same
// attempt, never the other way round.
func (c *change) attempt(n int, p PaymentStatus) {
	o := &c.Order
	if !o.Payment.Open() || n < o.Attempt || (n == o.Attempt && o.Payment == PaymentFailed) {
		return
	}
	if n > o.Attempt {
		o.Attempt = n
		c.Changed = true
	}
	c.pay(p)
}

// note enters what is known of a transaction; sums only grow, so that the order
// in which the facts come does not matter.
func (c *change) note(id uuid.UUID, captured, refunded int64) {
	o := &c.Order
	at := -1
	for i := range o.Money {
		if o.Money[i].ID == id {
			at = i
		}
	}
	if at < 0 {
		o.Money = append(o.Money, Transaction{ID: id})
		at = len(o.Money) - 1
	}
	t := &o.Money[at]
	if captured > t.Captured {
		t.Captured, c.Changed = captured, true
	}
	if refunded > t.Refunded {
		t.Refunded, c.Changed = refunded, true
	}
	c.pay(standing(o))
}

// standing derives the payment status from the sums. A second capture that was
// refunded at once leaves the order captured: only what stands counts.
func standing(o *Order) PaymentStatus {
	switch left := o.Captured() - o.Refunded(); {
	case left <= 0:
		return PaymentRefunded
	case left < o.Totals.Total:
		return PaymentPartiallyRefunded
	default:
		return PaymentCaptured
	}
}

// done removes the person from an order that has ended, and counts the version.
func (c *change) done() Outcome {
	o := &c.Order
	if o.Erased && o.Status.Ended() && (o.ShippingAddress != nil || o.BillingAddress != nil) {
		o.ShippingAddress, o.BillingAddress = nil, nil
		c.Changed = true
	}
	if c.Changed {
		o.Version++
		o.UpdatedAt = c.now
	}
	return c.Outcome
}

// event is the order as its subscribers read it: ids, codes and figures.
func event(o Order) events.Event {
	data := events.OrderData{
		OrderID: o.ID, Number: o.Number, UserID: o.UserID, Status: string(o.Status),
		Items: lines(o), Totals: o.Totals.Public(),
		ShippingAddressID: o.ShippingAddressID, BillingAddressID: o.BillingAddressID,
		Reason: string(o.Reason), Carrier: o.Carrier, TrackingNumber: o.TrackingNumber,
	}
	switch o.Status {
	case Confirmed:
		return &events.OrderConfirmed{OrderData: data}
	case Shipped:
		return &events.OrderShipped{OrderData: data}
	case Delivered:
		return &events.OrderDelivered{OrderData: data}
	case Cancelled:
		return &events.OrderCancelled{OrderData: data}
	default:
		return &events.OrderCreated{OrderData: data}
	}
}

func lines(o Order) []events.LineItem {
	out := make([]events.LineItem, 0, len(o.Items))
	for _, it := range o.Items {
		out = append(out, events.LineItem{
			ProductID: it.ProductID, SKU: it.SKU, Name: it.Name, Quantity: it.Quantity,
			UnitPrice: events.Money{Amount: it.UnitPrice, Currency: o.Totals.Currency},
		})
	}
	return out
}

// Public is the totals as events and the API show them.
func (t Totals) Public() events.Totals {
	m := func(amount int64) events.Money { return events.Money{Amount: amount, Currency: t.Currency} }
	return events.Totals{
		Subtotal: m(t.Subtotal), Shipping: m(t.Shipping), Tax: m(t.Tax),
		Discount: m(t.Discount), Total: m(t.Total),
	}
}
