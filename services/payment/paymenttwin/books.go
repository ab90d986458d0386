package paymenttwin

import (
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// Attempt is one transaction as a checker reads it.
type Attempt struct {
	ID               uuid.UUID
	Status           string
	Amount, Refunded int64
	Captured         bool
	Open             bool
	Surplus          bool
}

// Refund is one refund as a checker reads it.
type Refund struct {
	Transaction uuid.UUID
	Staff       bool
	Status      string
	Amount      int64
}

// Books are all that is kept of the money of one order.
type Books struct {
	State    string
	Attempts []Attempt
	Refunds  []Refund
}

// Books gives those of an order; State is "" for one never heard of.
func (t *Twin) Books(order uuid.UUID) Books {
	r, ok := t.rows[order]
	if !ok {
		return Books{}
	}
	b := Books{State: string(r.order.State)}
	for _, a := range r.order.Attempts {
		b.Attempts = append(b.Attempts, Attempt{
			ID: a.ID, Status: string(a.Status), Amount: a.Amount, Refunded: a.RefundedAmount,
			Captured: a.Captured(), Open: a.Open(), Surplus: a.Surplus,
		})
	}
	for _, f := range r.order.Refunds {
		b.Refunds = append(b.Refunds, Refund{
			Transaction: f.TransactionID, Staff: f.Kind == payment.RefundStaff, Status: string(f.Status), Amount: f.Amount,
		})
	}
	return b
}

// Entry is one intent in the provider's own ledger.
type Entry struct {
	Transaction      string
	Amount, Refunded int64
	Captured, Ended  bool
}

// Ledger is the provider's.
func (t *Twin) Ledger() []Entry {
	var all []Entry
	for _, i := range t.Provider.Intents() {
		all = append(all, Entry{
			Transaction: i.Transaction, Amount: i.Amount, Refunded: i.Refunded,
			Captured: i.State == payment.IntentCaptured, Ended: i.State.Terminal(),
		})
	}
	return all
}
