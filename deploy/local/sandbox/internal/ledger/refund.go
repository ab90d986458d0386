package ledger

import "time"

// The statuses of a refund; Succeeded is one of them too.
const (
	RefundPending = "pending"
	RefundFailed  = "failed"
)

// settleAfter is how long a refund that is not final at once takes.
const settleAfter = 2 * time.Second

// Refund gives money of one payment intent back.
type Refund struct {
	ID            string            `json:"id"`
	Intent        string            `json:"intent"`
	Charge        string            `json:"charge"`
	Amount        int64             `json:"amount"`
	Currency      string            `json:"currency"`
	Status        string            `json:"status"`
	Reason        string            `json:"reason,omitempty"`
	FailureReason string            `json:"failure_reason,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	Created       int64             `json:"created"`
	Key           string            `json:"key,omitempty"` // idempotency key that created it
	// Settles is the status that follows at SettleAt (Unix milliseconds), if any.
	Settles  string `json:"settles,omitempty"`
	SettleAt int64  `json:"settle_at,omitempty"`
}

// NewRefund gives back amount, or all that is left when amount is 0, and returns the
// intent and the refund to be put. The sum of refunds never exceeds what was captured.
func (tx *Tx) NewRefund(i Intent, amount int64, reason string, metadata map[string]string, key string) (Intent, Refund, *Error) {
	if i.Status != Succeeded || i.Charge == nil || !i.Charge.Captured {
		return i, Refund{}, executed(Invalid("", "payment_intent", "This PaymentIntent (%s) does not have a successful charge to refund.", i.ID))
	}
	left := i.Received - i.Refunded
	if amount == 0 {
		amount = left
	}
	b := behaviourOf(i.Charge.Card.Token)
	switch {
	case left <= 0:
		return i, Refund{}, executed(Invalid("charge_already_refunded", "", "Charge %s has already been refunded.", i.Charge.ID))
	case amount < 1:
		return i, Refund{}, Invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	case amount > left:
		return i, Refund{}, executed(Invalid("", "amount", "Refund amount (%d) is greater than unrefunded amount on charge (%d).", amount, left))
	case b.refund == RefundRefused:
		return i, Refund{}, executed(Invalid("charge_not_refundable", "", "Charge %s cannot be refunded.", i.Charge.ID))
	}
	r := Refund{
		ID: tx.NewID("re"), Intent: i.ID, Charge: i.Charge.ID, Amount: amount, Currency: i.Currency, Status: Succeeded,
		Reason: reason, Metadata: metadata, Created: tx.Now().Unix(), Key: key,
	}
	switch b.refund {
	case RefundFails:
		r.Settles = RefundFailed
	case RefundPends:
		r.Status, r.Settles = RefundPending, Succeeded
	}
	if r.Settles != "" {
		r.SettleAt = tx.Now().Add(settleAfter).UnixMilli()
	}
	i.Refunded += amount
	return i, r, nil
}

// Settle gives a refund its final status; what failed can be refunded again.
func (i Intent) Settle(r Refund) (Intent, Refund) {
	r.Status, r.Settles, r.SettleAt = r.Settles, "", 0
	if r.Status == RefundFailed {
		r.FailureReason = "expired_or_canceled_card"
		i.Refunded -= r.Amount
	}
	return i, r
}

func executed(e *Error) *Error {
	e.Executed = true
	return e
}
