package stripegateway

import (
	"context"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v86"

	"github.com/caravan-shop/caravan/services/payment/internal/audit"
)

// listPage is the most that the provider gives at once.
const listPage = 100

var _ audit.Provider = (*Gateway)(nil)

// Each implements audit.Provider.
func (g *Gateway) Each(ctx context.Context, do func(audit.Held) error) error {
	p := &stripe.PaymentIntentListParams{}
	p.Limit = stripe.Int64(listPage)
	p.AddExpand("data.latest_charge")
	for pi, err := range g.api.V1PaymentIntents.List(ctx, p).All(ctx) {
		if err != nil {
			return unknown("list intents", err)
		}
		if err := do(heldOf(pi)); err != nil {
			return err
		}
	}
	return nil
}

func heldOf(pi *stripe.PaymentIntent) audit.Held {
	h := audit.Held{Intent: translate(pi), Amount: pi.Amount, Captured: pi.AmountReceived}
	h.Order, _ = uuid.Parse(pi.Metadata[metaOrder]) // zero: not ours
	h.Transaction, _ = uuid.Parse(pi.Metadata[metaTransaction])
	if pi.LatestCharge != nil {
		h.Refunded = pi.LatestCharge.AmountRefunded
	}
	return h
}
