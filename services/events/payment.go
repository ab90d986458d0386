package events

import "github.com/google/uuid"

// PaymentData is the data of the payment.* events: one transaction, which is
// one attempt to pay an order.
type PaymentData struct {
	Meta
	TransactionID uuid.UUID `json:"transaction_id"`
	OrderID       uuid.UUID `json:"order_id"`
	Number        string    `json:"number"`
	UserID        uuid.UUID `json:"user_id"`
	// Attempt counts from 1 within an order.
	Attempt int   `json:"attempt"`
	Amount  Money `json:"amount"`
	// RefundedAmount is the sum refunded so far, on payment.refunded.
	RefundedAmount *Money `json:"refunded_amount,omitempty"`
	// FailureCode is a stable code, on payment.failed.
	FailureCode string `json:"failure_code,omitempty"`
}

// Key implements Event.
func (d *PaymentData) Key() string { return d.OrderID.String() }

// PaymentInitiated tells that an attempt begins.
type PaymentInitiated struct{ PaymentData }

// PaymentSuccess tells that the amount was captured.
type PaymentSuccess struct{ PaymentData }

// PaymentFailed tells that an attempt ended without a capture.
type PaymentFailed struct{ PaymentData }

// PaymentRequiresAction tells that the payer must act (3-D Secure).
type PaymentRequiresAction struct{ PaymentData }

// PaymentRefunded tells the sum refunded so far.
type PaymentRefunded struct{ PaymentData }

// Topic implements Event.
func (*PaymentInitiated) Topic() string { return TopicPaymentInitiated }

// Topic implements Event.
func (*PaymentSuccess) Topic() string { return TopicPaymentSuccess }

// Topic implements Event.
func (*PaymentFailed) Topic() string { return TopicPaymentFailed }

// Topic implements Event.
func (*PaymentRequiresAction) Topic() string { return TopicPaymentRequiresAction }

// Topic implements Event.
func (*PaymentRefunded) Topic() string { return TopicPaymentRefunded }
