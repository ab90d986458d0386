package audit

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// withOrders holds each order's capture that stands against what Order says.
func (a *Auditor) withOrders(ctx context.Context, rows []payment.Transaction, back givenBack) ([]Drift, error) {
	var standing []payment.Transaction
	for _, t := range rows {
		if t.Captured() && !t.Surplus && !a.underWay(t) {
			standing = append(standing, t)
		}
	}
	var drifts []Drift
	for len(standing) > 0 {
		some := standing[:min(page, len(standing))]
		standing = standing[len(some):]
		ids := make([]uuid.UUID, len(some))
		for i, t := range some {
			ids[i] = t.OrderID
		}
		states, err := a.Orders.States(ctx, ids)
		if err != nil {
			return nil, fmt.Errorf("ask Order: %w", err)
		}
		for _, t := range some {
			if kind, wrong := disagrees(t, states[t.OrderID], t.Amount-back.done[t.ID]-back.maybe[t.ID]); wrong {
				s := states[t.OrderID]
				drifts = append(drifts, Drift{Kind: kind, Order: t.OrderID, Transaction: t.ID, Intent: t.ProviderID,
					Detail: fmt.Sprintf("here %s of %d, order is %s/%s", t.Status, t.Amount, s.Status, s.PaymentStatus)})
			}
		}
	}
	return drifts, nil
}

// disagrees compares a capture that stands with Order's word; kept is what has
// not gone back and is not on its way.
func disagrees(t payment.Transaction, s State, kept int64) (Kind, bool) {
	told := s.PaymentStatus == "captured" || s.PaymentStatus == "partially_refunded" || s.PaymentStatus == "refunded"
	switch {
	case s.Status == "" || s.Status == "unknown" || s.Status == "placing":
		return OrderUnknown, true
	case s.Status == "cancelled" && kept > 0:
		return CancelledButKept, true
	case s.Status != "cancelled" && (!told || s.PaymentStatus == "captured" && t.RefundedAmount > 0):
		return OrderNotTold, true
	}
	return "", false
}
