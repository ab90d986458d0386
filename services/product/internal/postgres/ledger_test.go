package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

// Many buyers, few units, carts in every order: exactly the units are granted,
// and nobody deadlocks.
func TestConcurrentHoldsGrantExactlyTheUnits(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	const units, buyers, workers = 40, 400, 12
	ids := b.shelve(t, units, 100_000, 100_000, 100_000)
	var held, refused atomic.Int64
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range jobs {
				cart := slices.Clone(ids)
				rand.Shuffle(len(cart), func(i, j int) { cart[i], cart[j] = cart[j], cart[i] })
				p, err := b.svc.Place(ctx, newID(), newID(), lines(1, cart...))
				switch {
				case err != nil:
					t.Error(err)
				case p.Result == stock.ResultHeld:
					held.Add(1)
				default:
					refused.Add(1)
				}
			}
		}()
	}
	for i := range buyers {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	if held.Load() != units || refused.Load() != buyers-units {
		t.Fatalf("%d held and %d refused, want %d and %d", held.Load(), refused.Load(), units, buyers-units)
	}
	if c := b.counters(t, ids[0]); c != (stock.Counters{OnHand: units, Held: units}) {
		t.Fatalf("counters %+v", c)
	}
	b.noDrift(t)
}

// Random interleavings of everything that moves stock, several at a time.
func TestInterleavingsKeepTheLedger(t *testing.T) {
	b, ctx := newBench(t, time.Millisecond), context.Background()
	rapid.Check(t, func(rt *rapid.T) {
		ids := b.shelve(t, 6, 3)
		all := make([]uuid.UUID, 4)
		for i := range all {
			all[i] = newID()
		}
		rounds := rapid.IntRange(1, 4).Draw(rt, "rounds")
		for range rounds {
			var wg sync.WaitGroup
			for i := range rapid.IntRange(2, 5).Draw(rt, "at once") {
				op := rapid.IntRange(0, 6).Draw(rt, fmt.Sprintf("op %d", i))
				order := rapid.SampledFrom(all).Draw(rt, "order")
				q := rapid.Int64Range(1, 3).Draw(rt, "quantity")
				state := rapid.SampledFrom([]stock.OrderState{"created", stock.OrderUnknown, stock.OrderCancelled}).Draw(rt, "state")
				wg.Add(1)
				go func() {
					defer wg.Done()
					if err := b.act(ctx, op, order, q, state, ids); err != nil {
						t.Errorf("op %d: %v", op, err)
					}
				}()
			}
			wg.Wait()
		}
		b.noDrift(t)
		for _, o := range all {
			must(t, b.svc.Cancelled(ctx, o))
		}
		for _, id := range ids {
			if c := b.counters(t, id); c.Held != 0 || c.Reserved != 0 {
				t.Fatalf("all orders cancelled, counters %+v", c)
			}
		}
		b.noDrift(t)
	})
}

func (b bench) act(ctx context.Context, op int, order uuid.UUID, q int64, state stock.OrderState, ids []uuid.UUID) error {
	var err error
	switch op {
	case 0, 1:
		_, err = b.svc.Place(ctx, order, newID(), lines(q, ids[1], ids[0]))
	case 2:
		err = b.svc.Confirmed(ctx, order, lines(q, ids...))
	case 3:
		err = b.svc.Cancelled(ctx, order)
	case 4:
		_, err = b.svc.Release(ctx, order)
	case 5:
		b.orders.set(order, state)
		_ = b.exec(ctx, `UPDATE holds SET due_at = now() WHERE state = 'held' AND order_id = $1`, order)
		_, err = b.svc.ExpireDue(ctx)
	case 6:
		_, err = b.svc.Adjust(ctx, ids[0], -q, "shrinkage", "test")
		if errors.Is(err, stock.ErrBelowCommitted) {
			err = nil
		}
	}
	return err
}
