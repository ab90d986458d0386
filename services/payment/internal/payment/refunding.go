package payment

import (
	"context"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Refunds is what staff asks of Payment.
type Refunds struct {
	orders Orders
	newID  func() uuid.UUID
}

// NewRefunds wires the use case.
func NewRefunds(orders Orders, newID func() uuid.UUID) *Refunds {
	return &Refunds{orders: orders, newID: newID}
}

// RefundRequest is a refund that staff asks for; no Amount means all that is left.
type RefundRequest struct {
	OrderID  uuid.UUID
	Amount   *int64
	Currency string
	Reason   string
	By       uuid.UUID
}

const longestReason = 500

// Ask makes the refund's row under the order's lock; a worker calls the provider.
func (r *Refunds) Ask(ctx context.Context, req RefundRequest) (row RefundRow, err error) {
	if n := utf8.RuneCountInString(req.Reason); n == 0 || n > longestReason {
		return RefundRow{}, ErrReason
	}
	if _, err := r.orders.Find(ctx, req.OrderID); err != nil {
		return RefundRow{}, err
	}
	id := r.newID()
	o, err := r.orders.Apply(ctx, req.OrderID, RefundAsked{
		ID: id, Amount: req.Amount, Currency: req.Currency, Reason: req.Reason, By: req.By,
	})
	if err != nil {
		return RefundRow{}, err
	}
	return RefundRow{Refund: *o.refund(id), OrderID: o.ID, Number: o.Number}, nil
}
