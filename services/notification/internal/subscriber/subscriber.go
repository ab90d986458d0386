// Package subscriber joins the topics with the mails they cause.
package subscriber

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

// Notifier is the use case behind every topic. nil: done for ever.
// Undeliverable: never possible. Any other error: come again.
type Notifier interface {
	Notify(ctx context.Context, o notification.Occasion) error
}

// Table gives the handler of each topic.
func Table(n Notifier) map[string]delivery.Handler {
	return map[string]delivery.Handler{
		events.TopicUserRegistered:     handler(n, notification.Welcome, ofUser),
		events.TopicPasswordReset:      handler(n, notification.PasswordReset, ofReset),
		events.TopicEmailVerification:  handler(n, notification.VerifyEmail, ofEmail),
		events.TopicEmailChanged:       handler(n, notification.EmailChanged, ofEmail),
		events.TopicProductBackInStock: handler(n, notification.BackInStock, ofProduct),
		events.TopicOrderCreated:       handler(n, notification.OrderReceived, ofOrder),
		events.TopicOrderShipped:       handler(n, notification.OrderShipped, ofOrder),
		events.TopicOrderDelivered:     handler(n, notification.OrderDelivered, ofOrder),
		events.TopicOrderCancelled:     handler(n, notification.OrderCancelled, ofOrder),
		events.TopicPaymentSuccess:     handler(n, notification.Receipt, ofPayment),
		events.TopicPaymentFailed:      handler(n, notification.PaymentFailed, ofPayment),
		events.TopicPaymentRefunded:    handler(n, notification.Refund, ofPayment),
	}
}

// handler reads an event into an occasion. An event that names nobody, or that
// has no id to claim, can never become a mail.
func handler[T any](n Notifier, kind notification.Kind, read func(*T) notification.Occasion) delivery.Handler {
	return func(ctx context.Context, e delivery.Event) error {
		data, err := delivery.Decode[T](e)
		if err != nil {
			return err
		}
		o := read(&data)
		o.EventID, o.Kind = e.ID, kind
		if o.EventID == "" || o.UserID == uuid.Nil || o.At.IsZero() {
			return delivery.Poison("the event lacks its id, its user or its time")
		}
		err = n.Notify(ctx, o)
		var never *notification.Undeliverable
		if errors.As(err, &never) {
			return delivery.Poison("%s", never.Reason)
		}
		return err
	}
}

func ofUser(d *events.UserData) notification.Occasion {
	return notification.Occasion{UserID: d.UserID, At: d.OccurredAt}
}

func ofReset(d *events.PasswordReset) notification.Occasion {
	return notification.Occasion{UserID: d.UserID, At: d.OccurredAt, ResetID: d.ResetID}
}

func ofEmail(d *events.EmailData) notification.Occasion {
	return notification.Occasion{UserID: d.UserID, At: d.OccurredAt, VerificationID: d.VerificationID}
}

func ofProduct(d *events.ProductBackInStock) notification.Occasion {
	return notification.Occasion{UserID: d.UserID, At: d.OccurredAt, Product: d}
}

func ofOrder(d *events.OrderData) notification.Occasion {
	return notification.Occasion{UserID: d.UserID, At: d.OccurredAt, Order: d}
}

func ofPayment(d *events.PaymentData) notification.Occasion {
	return notification.Occasion{UserID: d.UserID, At: d.OccurredAt, Payment: d}
}
