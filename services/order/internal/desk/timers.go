package desk

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/order/internal/order"
)

const (
	// askAgain is the wait after "open" or no answer.
	askAgain = 5 * time.Second
	// dueBatch bounds one turn; its calls run at once.
	dueBatch = 16
)

// SettlePayments asks Payment to close the orders whose time to pay is over, and
// what became of those that were cancelled meanwhile. The call is outside any
// transaction; what it answers is a fact like any other.
func (d *Desk) SettlePayments(ctx context.Context) error {
	for {
		ids, err := d.Writer.PaymentsDue(ctx, dueBatch, askAgain)
		if err != nil || len(ids) == 0 {
			return err
		}
		errs := make([]error, len(ids))
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() { errs[i] = d.settle(ctx, id) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err // Payment is away: the rest would only wait for it
		}
	}
}

func (d *Desk) settle(ctx context.Context, id uuid.UUID) error {
	closing, err := d.Payments.Close(ctx, id)
	if err != nil {
		return err
	}
	timer := order.Cause{Actor: "timer"}
	switch {
	case closing.Captured:
		_, err = d.Writer.Update(ctx, id, func(o order.Order) (order.Outcome, error) {
			paid := order.PaymentSucceeded{Transaction: closing.Transaction, Amount: o.Totals.Total}
			return order.Apply(o, paid, timer, d.Now().UTC().Truncate(time.Microsecond))
		})
	case closing.Closed:
		_, err = d.apply(ctx, id, order.PaymentWasClosed{}, timer)
	}
	return err
}
