// Package notification decides which mail an event is worth, to whom it goes
// and that it goes once. It knows no wire format: templates, SMTP, Redis and
// the neighbours stand behind the interfaces in notifier.go.
package notification

import "github.com/caravan-shop/caravan/services/events"

// Kind names one sort of mail, and the folder of its templates.
type Kind string

// The mails of the shop.
const (
	Welcome        Kind = "welcome"
	PasswordReset  Kind = "password-reset"
	VerifyEmail    Kind = "verify-email"
	EmailChanged   Kind = "email-changed"
	BackInStock    Kind = "back-in-stock"
	OrderReceived  Kind = "order-received"
	Receipt        Kind = "receipt"
	PaymentFailed  Kind = "payment-failed"
	OrderShipped   Kind = "order-shipped"
	OrderDelivered Kind = "order-delivered"
	OrderCancelled Kind = "order-cancelled"
	Refund         Kind = "refund"
)

// Trigger joins a kind with the topic whose events cause it.
type Trigger struct {
	Kind        Kind
	Topic       string
	Description string
}

// Triggers lists every kind once, in the order in which a customer meets them.
func Triggers() []Trigger {
	return []Trigger{
		{Welcome, events.TopicUserRegistered, "Welcomes a new customer and carries the link that verifies the address."},
		{PasswordReset, events.TopicPasswordReset, "Carries the one-time link that sets a new password."},
		{VerifyEmail, events.TopicEmailVerification, "Carries the link that verifies an address: the account's own once more, or a new one, to which it goes."},
		{EmailChanged, events.TopicEmailChanged, "Tells the former address of an account that another one has taken its place."},
		{BackInStock, events.TopicProductBackInStock, "Tells a customer who asked for it that a product is available again."},
		{OrderReceived, events.TopicOrderCreated, "Confirms that an order was received, with its lines and totals."},
		{Receipt, events.TopicPaymentSuccess, "Acknowledges a captured payment."},
		{PaymentFailed, events.TopicPaymentFailed, "Asks for another try, only while the order still waits for payment."},
		{OrderShipped, events.TopicOrderShipped, "Tells the carrier and the tracking number."},
		{OrderDelivered, events.TopicOrderDelivered, "Tells that the carrier reports the delivery."},
		{OrderCancelled, events.TopicOrderCancelled, "Tells that an order was cancelled, and why."},
		{Refund, events.TopicPaymentRefunded, "Tells how much of a payment has been returned so far."},
	}
}

// Known reports whether a kind exists.
func Known(k Kind) bool {
	for _, t := range Triggers() {
		if t.Kind == k {
			return true
		}
	}
	return false
}
