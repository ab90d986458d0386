package notification

import (
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// Example is an invented letter of a kind, for previews and golden files. It
// is the same each time.
func Example(kind Kind, currency string) Letter {
	at := time.Date(2026, time.March, 14, 9, 26, 53, 0, time.UTC)
	l := Letter{
		Occasion: Occasion{
			EventID: exampleID(1).String(), Kind: kind, UserID: exampleID(2), At: at,
		},
		Contact: Contact{Email: "ada.lovelace@example.com", FirstName: "Ada", LastName: "Lovelace"},
	}
	switch kind {
	case Welcome:
		l.Token = Token{Value: "an-example-token-that-opens-nothing"}
	case PasswordReset:
		l.ResetID = exampleID(3)
		l.Token = Token{Value: "an-example-token-that-opens-nothing", ExpiresAt: at.Add(30 * time.Minute)}
	case VerifyEmail:
		l.VerificationID = exampleID(9)
		l.Token = Token{Value: "an-example-token-that-opens-nothing", ExpiresAt: at.Add(7 * 24 * time.Hour)}
	case EmailChanged:
		l.VerificationID = exampleID(9)
	case BackInStock:
		l.Product = &events.ProductBackInStock{ProductID: exampleID(5), SKU: "85123A", Name: "White hanging heart T-light holder", Version: 4, UserID: exampleID(2)}
	case Receipt, PaymentFailed, Refund:
		l.Payment = examplePayment(kind, currency)
	default:
		l.Order = exampleOrder(kind, currency)
	}
	return l
}

func exampleOrder(kind Kind, currency string) *events.OrderData {
	pay := func(minor int64) events.Money { return events.Money{Amount: minor, Currency: currency} }
	order := &events.OrderData{
		OrderID: exampleID(4), Number: "7KQX-M2VT-9R6", UserID: exampleID(2), Status: "created",
		Items: []events.LineItem{
			{ProductID: exampleID(5), SKU: "85123A", Name: "White hanging heart T-light holder", Quantity: 6, UnitPrice: pay(255)},
			{ProductID: exampleID(6), SKU: "84406B", Name: "Cream cupid hearts coat hanger", Quantity: 2, UnitPrice: pay(275)},
			{ProductID: exampleID(7), SKU: "22752", Name: "Set of 7 Babushka nesting boxes", Quantity: 1, UnitPrice: pay(765)},
		},
		Totals: events.Totals{Subtotal: pay(2845), Shipping: pay(395), Tax: pay(648), Discount: pay(0), Total: pay(3888)},
	}
	switch kind {
	case OrderShipped:
		order.Status, order.Carrier, order.TrackingNumber = "shipped", "Royal Mail", "RM123456789GB"
	case OrderDelivered:
		order.Status = "delivered"
	case OrderCancelled:
		order.Status, order.Reason = "cancelled", events.ReasonUnpaid
	}
	return order
}

func examplePayment(kind Kind, currency string) *events.PaymentData {
	p := &events.PaymentData{
		TransactionID: exampleID(8), OrderID: exampleID(4), Number: "7KQX-M2VT-9R6", UserID: exampleID(2),
		Attempt: 1, Amount: events.Money{Amount: 3888, Currency: currency},
	}
	switch kind {
	case PaymentFailed:
		p.FailureCode = "insufficient_funds"
	case Refund:
		p.RefundedAmount = &events.Money{Amount: 765, Currency: currency}
	}
	return p
}

func exampleID(n byte) uuid.UUID {
	return uuid.UUID{0x01, 0x95, 0x94, 0x2a, 0x3c, 0x48, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n}
}
