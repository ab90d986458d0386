package httpapi

import (
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// transactionBody shows an attempt to a reader: next_action to its owner alone,
// the provider's id to staff alone.
func transactionBody(reader auth.Principal) func(payment.Transaction) Transaction {
	return func(t payment.Transaction) Transaction {
		b := Transaction{
			Id: t.ID, OrderId: t.OrderID, UserId: t.UserID, Number: t.Number, Attempt: t.Attempt.Number, Method: t.Kind,
			SavedPaymentMethodId: optional(t.Means.SavedID),
			Amount:               Money{Amount: t.Amount, Currency: t.Currency},
			RefundedAmount:       Money{Amount: t.RefundedAmount, Currency: t.Currency},
			Status:               string(t.Status), FailureCode: optional(t.FailureCode),
			CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
		}
		if reader.UserID == t.UserID && t.Status == payment.StatusRequiresAction {
			b.NextAction = nextActionBody(t.NextAction)
		}
		if reader.IsStaff() {
			b.ProviderPaymentId = optional(t.ProviderID)
		}
		return b
	}
}

func nextActionBody(n *payment.NextAction) *NextAction {
	if n == nil {
		return nil
	}
	b := &NextAction{Type: n.Type}
	if n.RedirectToURL != nil {
		b.RedirectToUrl = &Redirect{Url: n.RedirectToURL.URL, ReturnUrl: optional(n.RedirectToURL.ReturnURL)}
	}
	return b
}

func refundBody(r payment.RefundRow) Refund {
	return Refund{
		Id: r.ID, OrderId: r.OrderID, Number: r.Number, TransactionId: r.TransactionID, Kind: string(r.Kind),
		Amount: Money{Amount: r.Amount, Currency: r.Currency}, Reason: r.Reason, RequestedBy: optional(r.RequestedBy),
		Status: string(r.Status), FailureCode: optional(r.FailureCode), CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

func savedBody(m payment.SavedMethod) SavedPaymentMethod {
	return SavedPaymentMethod{
		Id: m.ID, Method: payment.KindCard, Brand: m.Brand, Last4: m.Last4, ExpMonth: m.ExpMonth, ExpYear: m.ExpYear,
		IsDefault: m.Default, CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt,
	}
}

func savedBodies(ms []payment.SavedMethod) []SavedPaymentMethod {
	out := []SavedPaymentMethod{}
	for _, m := range ms {
		out = append(out, savedBody(m))
	}
	return out
}

// optional leaves a zero value out of a body.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func given[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func transactionID(t payment.Transaction) uuid.UUID { return t.ID }

func refundID(r payment.RefundRow) uuid.UUID { return r.ID }
