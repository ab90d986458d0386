package audit

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// withProvider goes through all intents once, then through the transactions
// that none of them was about.
func (a *Auditor) withProvider(ctx context.Context, rows []payment.Transaction, back givenBack, repair bool) ([]Drift, error) {
	byID := make(map[uuid.UUID]payment.Transaction, len(rows))
	for _, t := range rows {
		byID[t.ID] = t
	}
	var drifts []Drift
	seen := map[uuid.UUID]bool{}
	err := a.Provider.Each(ctx, func(h Held) error {
		if h.Transaction == uuid.Nil {
			return nil // another system's
		}
		t, known := byID[h.Transaction]
		seen[h.Transaction] = true
		d, differs := a.compare(t, known, h, back)
		if !differs {
			return nil
		}
		if repair && known {
			if err := a.mend(ctx, t, h, &d); err != nil {
				return err
			}
		}
		drifts = append(drifts, d)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the provider's intents: %w", err)
	}
	for _, t := range rows {
		if t.ProviderID != "" && !seen[t.ID] {
			drifts = append(drifts, Drift{Kind: IntentMissing, Order: t.OrderID, Transaction: t.ID, Intent: t.ProviderID,
				Detail: fmt.Sprintf("%s of %d", t.Status, t.Amount)})
		}
	}
	return drifts, nil
}

// compare holds one transaction against its intent.
func (a *Auditor) compare(t payment.Transaction, known bool, h Held, back givenBack) (Drift, bool) {
	d := Drift{Order: h.Order, Transaction: h.Transaction, Intent: h.Intent.ID}
	if !known {
		d.Kind, d.Detail = IntentNotOurs, fmt.Sprintf("%s, %d captured, %d refunded", h.Intent.State, h.Captured, h.Refunded)
		return d, true
	}
	d.Order = t.OrderID
	var captured int64
	if t.Intent == payment.IntentCaptured {
		captured = t.Amount
	}
	if captured != h.Captured || (t.ProviderID != "" && t.ProviderID != h.Intent.ID) {
		d.Kind, d.Detail = CaptureDiffers, fmt.Sprintf("here %d by %s, there %d by %s", captured, t.ProviderID, h.Captured, h.Intent.ID)
		return d, !a.underWay(t)
	}
	if done := back.done[t.ID]; h.Refunded < done || h.Refunded > done+back.maybe[t.ID] {
		d.Kind, d.Detail = RefundDiffers, fmt.Sprintf("here %d done and %d under way, there %d", done, back.maybe[t.ID], h.Refunded)
		return d, !a.underWay(t)
	}
	return d, false
}

// underWay tells a transaction that a worker may have in hand right now.
func (a *Auditor) underWay(t payment.Transaction) bool {
	return a.Now().Sub(t.UpdatedAt) < a.Settled
}

// mend takes in what the provider says of an intent whose end is not written
// here; what has ended here stays as it is, for staff to decide.
func (a *Auditor) mend(ctx context.Context, t payment.Transaction, h Held, d *Drift) error {
	if t.Intent.Terminal() {
		return nil
	}
	if _, err := a.Mender.Apply(ctx, t.OrderID, payment.IntentRead{TransactionID: t.ID, Intent: h.Intent}); err != nil {
		return fmt.Errorf("take in intent of transaction %s: %w", t.ID, err)
	}
	d.Mended = true
	return a.Mender.Nudge(ctx, t.OrderID)
}
