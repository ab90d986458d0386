package postgres_test

import (
	"testing"
	"time"

	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/product/internal/postgres"
)

func TestCountersFollowTheLedger(t *testing.T) {
	b, ctx := newBench(t, time.Minute), t.Context()
	catalogue := postgres.NewCatalogue(b.db, outbox.New(b.db, newID, time.Now), newID, time.Now, nil)
	p := b.shelve(t, 10)[0]
	must(t, b.exec(ctx, `UPDATE product_inventory SET on_hand = on_hand + 3 WHERE product_id = $1`, p))
	drifts, err := catalogue.LedgerDrift(ctx)
	if err != nil || len(drifts) != 1 || drifts[0].ProductID != p || drifts[0].Counters.OnHand != 13 || drifts[0].Ledger.OnHand != 10 {
		t.Fatalf("got %+v (%v), want 13 counted and 10 in the ledger", drifts, err)
	}
	must(t, catalogue.FollowLedger(ctx, p))
	b.noDrift(t)
}
