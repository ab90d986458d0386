// Package order is the pure core of the order service: what an order is, and
// which facts move it where. Every function takes the time as an argument and
// returns the new order with the events to publish; nothing here reads a clock,
// a store or a neighbour.
package order

import (
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// Order is one order with everything that decides about it.
type Order struct {
	ID      uuid.UUID
	Number  string
	UserID  uuid.UUID
	Status  Status
	Payment PaymentStatus
	Stock   StockStatus
	Reason  Reason // why it was cancelled; "" else
	Items   []Item
	Totals  Totals

	ShippingAddressID uuid.UUID
	BillingAddressID  uuid.UUID
	// The snapshots are nil once the person was removed.
	ShippingAddress *Address
	BillingAddress  *Address
	// Erased tells that the person asked to be forgotten: the snapshots go when
	// the order has ended.
	Erased bool

	Carrier        string
	TrackingNumber string

	// Money is what is known of each attempt to pay, by transaction.
	Money []Transaction
	// Attempt is the latest attempt heard of; an older one's fate is stale.
	Attempt int
	// PayBy is when Payment is asked to close an unpaid order; it gives an open
	// attempt its grace by itself.
	PayBy time.Time
	// PaymentDue is when to ask Payment how it ended; zero: no need to.
	PaymentDue time.Time

	// HistoryLength is the sequence of the newest history row.
	HistoryLength int
	// Version counts the changes.
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Item is one line, at the price that the hold answered.
type Item struct {
	ProductID uuid.UUID
	SKU       string
	Name      string
	Quantity  int64
	UnitPrice int64 // minor units, without tax
	LineTotal int64
	TaxClass  string
}

// Totals are minor units of one currency:
// Subtotal + Shipping + Tax − Discount = Total.
type Totals struct {
	Currency string
	Subtotal int64
	Shipping int64
	Tax      int64
	Discount int64
	Total    int64
}

// Address is the snapshot of an address as it was when the order was placed.
// The tags are its form in the database and in the API.
type Address struct {
	Recipient  string `json:"recipient"`
	Line1      string `json:"line1"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city"`
	Region     string `json:"region,omitempty"`
	PostalCode string `json:"postal_code"`
	Country    string `json:"country"`
	Phone      string `json:"phone,omitempty"`
}

// Transaction is the money that moved under one attempt to pay. Both sums only
// ever grow.
type Transaction struct {
	ID       uuid.UUID `json:"transaction_id"`
	Captured int64     `json:"captured"`
	Refunded int64     `json:"refunded"`
}

// Reason says why an order was cancelled, in events and in history.
type Reason string

// The reasons.
const (
	ByCustomer Reason = events.ReasonCustomer
	ByStaff    Reason = events.ReasonStaff
	Unpaid     Reason = events.ReasonUnpaid
	OutOfStock Reason = events.ReasonOutOfStock
	Erasure    Reason = events.ReasonErased
)

// Cause says who or what moves an order.
type Cause struct {
	// Actor is "customer:<id>", "staff:<id>", "timer", or the app id of the
	// service whose event it is.
	Actor string
	// EventID is the event that caused the change, "" if none did.
	EventID string
	// Note is free text that the actor gave.
	Note string
}

// Transition is one row of the history.
type Transition struct {
	Sequence int
	From     Status // "" at first
	To       Status
	Reason   string
	Cause    Cause
	At       time.Time
}

// Outcome is what a fact does: the order after it, the history to add, and the
// events to publish in the same transaction. Changed is false for a fact that
// was known or came too late.
type Outcome struct {
	Order   Order
	Changed bool
	History []Transition
	Events  []events.Event
}

// Placement is what the checkout has gathered.
type Placement struct {
	ID, UserID        uuid.UUID
	Number            string
	Items             []Item
	Totals            Totals
	ShippingAddressID uuid.UUID
	BillingAddressID  uuid.UUID
	ShippingAddress   Address
	BillingAddress    Address
	PayBy             time.Time
}

// New is the only way an order comes to be.
func New(p Placement, by Cause, now time.Time) Outcome {
	o := Order{
		ID: p.ID, Number: p.Number, UserID: p.UserID,
		Payment: PaymentPending, Stock: StockHeld,
		Items: p.Items, Totals: p.Totals,
		ShippingAddressID: p.ShippingAddressID, BillingAddressID: p.BillingAddressID,
		ShippingAddress: &p.ShippingAddress, BillingAddress: &p.BillingAddress,
		PayBy: p.PayBy, PaymentDue: p.PayBy, CreatedAt: now,
	}
	c := change{Outcome: Outcome{Order: o}, by: by, now: now}
	c.move(Created, "")
	return c.done()
}

// Captured is the sum captured, over all attempts.
func (o Order) Captured() int64 {
	var sum int64
	for _, t := range o.Money {
		sum += t.Captured
	}
	return sum
}

// Refunded is the sum refunded, over all attempts.
func (o Order) Refunded() int64 {
	var sum int64
	for _, t := range o.Money {
		sum += t.Refunded
	}
	return sum
}
