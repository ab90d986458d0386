// Package audit compares what Payment has written down with what the provider
// holds and with what Order says, names each difference, and has a worker read
// the provider anew where that can mend it. It decides nothing about money by
// itself: repairs go the way of a notification.
package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// Held is one intent as the provider has it. Ids are zero where the metadata
// names none of ours.
type Held struct {
	Intent                     payment.Intent
	Order, Transaction         uuid.UUID
	Amount, Captured, Refunded int64
}

// Provider lists what it holds; each is called once an intent, in no order.
type Provider interface {
	Each(ctx context.Context, do func(Held) error) error
}

// State is what Order says of an order; Status is "unknown" for one it has never had.
type State struct{ Status, PaymentStatus string }

// Orders answers for all ids.
type Orders interface {
	States(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]State, error)
}

// Rows are the books as they stand, newest first.
type Rows interface {
	Transactions(ctx context.Context, f payment.TransactionFilter) ([]payment.Transaction, error)
	Refunds(ctx context.Context, f payment.RefundFilter) ([]payment.RefundRow, error)
}

// Mender takes the provider's word in, as after a notification.
type Mender interface {
	Apply(ctx context.Context, order uuid.UUID, in payment.Input) (payment.Order, error)
	Nudge(ctx context.Context, order uuid.UUID) error
}

// Kind names a difference; stable.
type Kind string

// The differences.
const (
	IntentNotOurs      Kind = "intent_without_transaction" // the provider holds an intent of an attempt that is not here
	IntentMissing      Kind = "transaction_without_intent" // the provider does not know an intent that is written here
	CaptureDiffers     Kind = "capture_differs"
	RefundDiffers      Kind = "refund_differs"
	OrderUnknown       Kind = "order_unknown"      // money of an order that Order does not have
	OrderNotTold       Kind = "order_not_told"     // captured, and Order does not say so
	CancelledButKept   Kind = "cancelled_but_kept" // money of a cancelled order that has not gone back
	RefundWaitsForHand Kind = "refund_waits_for_staff"
)

// Drift is one difference.
type Drift struct {
	Kind        Kind
	Order       uuid.UUID
	Transaction uuid.UUID
	Intent      string
	Detail      string
	Mended      bool // the provider's word was taken in; a second look tells whether it helped
}

// Auditor compares. Attempts younger than Settled, or changed since, are under
// way: they are nobody's fault yet.
type Auditor struct {
	Rows     Rows
	Provider Provider
	Orders   Orders
	Mender   Mender
	Now      func() time.Time
	Settled  time.Duration
}

// page is how many rows are read, or asked about, at once.
const page = 100

// Compare gives every difference, mending what can be mended if asked.
func (a *Auditor) Compare(ctx context.Context, repair bool) ([]Drift, error) {
	rows, err := a.transactions(ctx)
	if err != nil {
		return nil, err
	}
	back, err := a.refunds(ctx)
	if err != nil {
		return nil, err
	}
	drifts, err := a.withProvider(ctx, rows, back, repair)
	if err != nil {
		return nil, err
	}
	more, err := a.withOrders(ctx, rows, back)
	return append(append(drifts, more...), back.waiting...), err
}

func (a *Auditor) transactions(ctx context.Context) ([]payment.Transaction, error) {
	var all []payment.Transaction
	for f := (payment.TransactionFilter{Limit: page}); ; f.Before = all[len(all)-1].ID {
		some, err := a.Rows.Transactions(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("read transactions: %w", err)
		}
		all = append(all, some...)
		if len(some) < page {
			return all, nil
		}
	}
}

// givenBack sums refunds by transaction: those that are done, and those that may be.
type givenBack struct {
	done, maybe map[uuid.UUID]int64
	waiting     []Drift
}

func (a *Auditor) refunds(ctx context.Context) (givenBack, error) {
	back := givenBack{done: map[uuid.UUID]int64{}, maybe: map[uuid.UUID]int64{}}
	for f := (payment.RefundFilter{Limit: page}); ; {
		some, err := a.Rows.Refunds(ctx, f)
		if err != nil {
			return back, fmt.Errorf("read refunds: %w", err)
		}
		for _, r := range some {
			back.add(r)
			f.Before = r.ID
		}
		if len(some) < page {
			return back, nil
		}
	}
}

func (b *givenBack) add(r payment.RefundRow) {
	switch r.Status {
	case payment.RefundSucceeded:
		b.done[r.TransactionID] += r.Amount
	case payment.RefundFailed:
		b.waiting = append(b.waiting, Drift{Kind: RefundWaitsForHand, Order: r.OrderID, Transaction: r.TransactionID,
			Detail: fmt.Sprintf("refund %s of %d: %s", r.ID, r.Amount, r.FailureCode)})
	default:
		b.maybe[r.TransactionID] += r.Amount
	}
}
