// Package subscriber takes in the events that concern payments. Handlers do
// database work only: whatever needs the provider is left to the collector.
package subscriber

import (
	"context"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// Consumer is this service's name in the inbox.
const Consumer = "payment"

// Inbox runs an effect once for an event, in one transaction with the mark.
type Inbox interface {
	Once(ctx context.Context, consumer, eventID string, effect func(ctx context.Context) error) error
}

// Handlers is the table of topics.
func Handlers(checkout *payment.Checkout, inbox Inbox) map[string]delivery.Handler {
	return map[string]delivery.Handler{
		events.TopicOrderCreated: once(inbox, func(ctx context.Context, d events.OrderData) error {
			return checkout.Place(ctx, d.OrderID, payment.Placed{
				UserID: d.UserID, Number: d.Number, Amount: d.Totals.Total.Amount, Currency: d.Totals.Total.Currency, At: d.OccurredAt,
			})
		}),
		events.TopicOrderCancelled: once(inbox, func(ctx context.Context, d events.OrderData) error {
			return checkout.Cancel(ctx, d.OrderID)
		}),
		events.TopicUserDeleted: once(inbox, func(ctx context.Context, d events.UserData) error {
			return checkout.Erase(ctx, d.UserID)
		}),
	}
}

// once decodes an event, refuses one without ids and takes effect a single time.
func once[T events.OrderData | events.UserData](inbox Inbox, effect func(ctx context.Context, data T) error) delivery.Handler {
	return func(ctx context.Context, e delivery.Event) error {
		data, err := delivery.Decode[T](e)
		if err != nil {
			return err
		}
		if err := sound(data); err != nil {
			return err
		}
		return inbox.Once(ctx, Consumer, e.ID, func(ctx context.Context) error { return effect(ctx, data) })
	}
}

// sound tells an event that can be acted on from one that never can.
func sound(data any) error {
	switch d := data.(type) {
	case events.OrderData:
		if d.OrderID == uuid.Nil || d.UserID == uuid.Nil {
			return delivery.Poison("no order_id or user_id")
		}
		if d.Totals.Total.Amount < 0 || d.OccurredAt.IsZero() {
			return delivery.Poison("total or time out of range")
		}
	case events.UserData:
		if d.UserID == uuid.Nil {
			return delivery.Poison("no user_id")
		}
	}
	return nil
}
