// Package subscriber turns the events that Order consumes into facts for the
// desk. Its handlers do database work only.
package subscriber

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// The failure codes by which Payment says that no attempt will capture any more.
const (
	orderClosed    = "order_closed"
	orderCancelled = "order_cancelled"
)

// Desk takes facts in, each event once.
type Desk interface {
	// Note fails with order.ErrNotFound for an order that does not exist.
	Note(ctx context.Context, eventID, source string, id uuid.UUID, f order.Fact) error
	Erase(ctx context.Context, eventID, source string, user uuid.UUID) error
}

// Table is what this service subscribes to.
func Table(d Desk) map[string]delivery.Handler {
	return map[string]delivery.Handler{
		events.TopicPaymentSuccess:        payment(d, paid),
		events.TopicPaymentFailed:         payment(d, failed),
		events.TopicPaymentRequiresAction: payment(d, needsAction),
		events.TopicPaymentRefunded:       payment(d, refunded),
		events.TopicInventoryReserved:     inventory(d, order.StockWasReserved{}),
		events.TopicInventoryRejected:     inventory(d, order.StockWasRejected{}),
		events.TopicUserDeleted:           userDeleted(d),
	}
}

func payment(d Desk, fact func(events.PaymentData) (order.Fact, error)) delivery.Handler {
	return func(ctx context.Context, e delivery.Event) error {
		data, err := delivery.Decode[events.PaymentData](e)
		if err != nil {
			return err
		}
		f, err := fact(data)
		if err != nil {
			return err
		}
		return note(ctx, d, e, data.OrderID, f)
	}
}

func note(ctx context.Context, d Desk, e delivery.Event, id uuid.UUID, f order.Fact) error {
	err := d.Note(ctx, e.ID, e.Source, id, f)
	if errors.Is(err, order.ErrNotFound) {
		// An order exists before any event about it, so this one never will.
		return delivery.Poison("%s about unknown order %s", e.Type, id)
	}
	return err
}

func paid(p events.PaymentData) (order.Fact, error) {
	if p.TransactionID == uuid.Nil || p.Amount.Amount <= 0 {
		return nil, delivery.Poison("capture without transaction or amount")
	}
	return order.PaymentSucceeded{Transaction: p.TransactionID, Amount: p.Amount.Amount}, nil
}

func failed(p events.PaymentData) (order.Fact, error) {
	if p.FailureCode == orderClosed || p.FailureCode == orderCancelled {
		return order.PaymentWasClosed{}, nil
	}
	return order.PaymentAttemptFailed{Attempt: p.Attempt}, nil
}

func needsAction(p events.PaymentData) (order.Fact, error) {
	return order.PaymentNeedsAction{Attempt: p.Attempt}, nil
}

func refunded(p events.PaymentData) (order.Fact, error) {
	if p.TransactionID == uuid.Nil || p.RefundedAmount == nil || p.RefundedAmount.Amount <= 0 {
		return nil, delivery.Poison("refund without transaction or amount")
	}
	return order.MoneyRefunded{Transaction: p.TransactionID, Amount: p.Amount.Amount, Sum: p.RefundedAmount.Amount}, nil
}

func inventory(d Desk, f order.Fact) delivery.Handler {
	return func(ctx context.Context, e delivery.Event) error {
		data, err := delivery.Decode[events.InventoryData](e)
		if err != nil {
			return err
		}
		return note(ctx, d, e, data.OrderID, f)
	}
}

func userDeleted(d Desk) delivery.Handler {
	return func(ctx context.Context, e delivery.Event) error {
		data, err := delivery.Decode[events.UserData](e)
		if err != nil {
			return err
		}
		if data.UserID == uuid.Nil {
			return delivery.Poison("user.deleted without a user")
		}
		return d.Erase(ctx, e.ID, e.Source, data.UserID)
	}
}
