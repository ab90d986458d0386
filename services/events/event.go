// Package events is the shop's one public contract between services: a typed
// struct for each Kafka topic. The JSON Schemas, the golden examples and
// asyncapi.yaml beside it are held to these structs by tests.
//
// An event holds ids, codes and figures only: no personal data and no secret
// ever enters a topic.
package events

import "time"

// Event is what a service appends to its outbox.
type Event interface {
	// Topic is the Kafka topic and the CloudEvent type.
	Topic() string
	// Key is the aggregate id that orders events within a partition.
	Key() string
	// Stamp sets the time of the change. The sequence is given by the outbox.
	Stamp(occurredAt time.Time)
}

// Meta is in the data of every event.
type Meta struct {
	// OccurredAt is when the change was committed to, in UTC.
	OccurredAt time.Time `json:"occurred_at"`
	// Sequence counts 1, 2, 3 … for one key from one source. It is there for
	// checking: no consumer may drop or wait by it.
	Sequence int64 `json:"sequence"`
}

// Stamp implements Event.
func (m *Meta) Stamp(occurredAt time.Time) { m.OccurredAt = occurredAt.UTC() }

// Money is an amount of integer minor units, below 2^53.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Topics of the shop: one event type each.
const (
	TopicUserRegistered = "user.registered"
	TopicUserUpdated    = "user.updated"
	TopicUserDeleted    = "user.deleted"
	TopicPasswordReset  = "password.reset"

	TopicEmailVerification = "email.verification"
	TopicEmailChanged      = "email.changed"

	TopicOrderCreated   = "order.created"
	TopicOrderConfirmed = "order.confirmed"
	TopicOrderShipped   = "order.shipped"
	TopicOrderDelivered = "order.delivered"
	TopicOrderCancelled = "order.cancelled"

	TopicPaymentInitiated      = "payment.initiated"
	TopicPaymentSuccess        = "payment.success"
	TopicPaymentFailed         = "payment.failed"
	TopicPaymentRequiresAction = "payment.requires_action"
	TopicPaymentRefunded       = "payment.refunded"

	TopicProductCreated    = "product.created"
	TopicProductUpdated    = "product.updated"
	TopicProductOutOfStock = "product.out_of_stock"
	// TopicProductBackInStock is about one customer who waits: one event an alert.
	TopicProductBackInStock = "product.back_in_stock"

	TopicInventoryReserved = "inventory.reserved"
	TopicInventoryRejected = "inventory.rejected"
)

// Topics lists every event topic. Dead-letter topics (dead-letter.<app>) come
// besides, one a consumer.
func Topics() []string {
	return []string{
		TopicUserRegistered, TopicUserUpdated, TopicUserDeleted, TopicPasswordReset, TopicEmailVerification, TopicEmailChanged,
		TopicOrderCreated, TopicOrderConfirmed, TopicOrderShipped, TopicOrderDelivered, TopicOrderCancelled,
		TopicPaymentInitiated, TopicPaymentSuccess, TopicPaymentFailed, TopicPaymentRequiresAction, TopicPaymentRefunded,
		TopicProductCreated, TopicProductUpdated, TopicProductOutOfStock, TopicProductBackInStock,
		TopicInventoryReserved, TopicInventoryRejected,
	}
}
