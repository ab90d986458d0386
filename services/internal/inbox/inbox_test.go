package inbox_test

import (
	"context"
	_ "embed"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caravan-shop/caravan/services/internal/inbox"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
)

//go:embed schema.sql
var schema string

func TestConcurrentDeliveriesTakeEffectOnce(t *testing.T) {
	db := pgtest.WithSchemas(t, schema)
	var effects atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			err := db.InTx(context.Background(), func(ctx context.Context) error {
				first, err := inbox.First(ctx, db, "order", "event-1")
				if first {
					effects.Add(1)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := effects.Load(); got != 1 {
		t.Errorf("effects: got %d, want 1", got)
	}
}

func TestMarkGoesWithAFailedEffect(t *testing.T) {
	db := pgtest.WithSchemas(t, schema)
	ctx := context.Background()
	boom := errors.New("boom")
	_ = db.InTx(ctx, func(ctx context.Context) error {
		if _, err := inbox.First(ctx, db, "order", "event-1"); err != nil {
			return err
		}
		return boom
	})
	first, err := inbox.First(ctx, db, "order", "event-1")
	if err != nil || !first {
		t.Errorf("after a rolled back effect: got first=%v err=%v, want true", first, err)
	}
	if other, _ := inbox.First(ctx, db, "payment", "event-1"); !other {
		t.Error("another consumer must see the event as new")
	}
}
