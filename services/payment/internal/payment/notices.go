package payment

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// ErrNotYetKnown tells of a notification that is about an attempt of ours which
// is not in the database yet: the provider has to send it again.
var ErrNotYetKnown = errors.New("payment: notification of an attempt that is not known yet")

// refundFailed is the provider's type for a refund that the bank sent back,
// maybe days after it was done.
const refundFailed = "refund.failed"

// Listening takes the provider's notifications in.
type Listening struct {
	tx      Transactor
	orders  Orders
	notices Notices
}

// NewListening wires the use case.
func NewListening(tx Transactor, orders Orders, notices Notices) *Listening {
	return &Listening{tx: tx, orders: orders, notices: notices}
}

// Hear has a worker read what the notification is about. Since only the reading
// is believed, notifications may come in any order and as often as they like.
func (l *Listening) Hear(ctx context.Context, n Notice) error {
	if n.Transaction == uuid.Nil {
		return nil
	}
	return l.tx.InTx(ctx, func(ctx context.Context) error {
		order, known, err := l.orders.OrderOf(ctx, n.Transaction)
		if err != nil {
			return err
		}
		if !known {
			return ErrNotYetKnown
		}
		first, err := l.notices.Take(ctx, n)
		if err != nil || !first {
			return err
		}
		if n.Type == refundFailed {
			if _, err := l.orders.Apply(ctx, order, RefundBounced{ProviderID: n.ObjectID}); err != nil {
				return err
			}
		}
		return l.orders.Nudge(ctx, order)
	})
}
