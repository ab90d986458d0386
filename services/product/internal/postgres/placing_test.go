package postgres_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

// 64 clients on one hot item share transactions: far fewer commits than holds,
// and not one unit too many, with some of them asking twice.
func TestHoldsOfAHotItemShareTransactions(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	const units, buyers = 300, 640
	ids := b.shelve(t, units)
	before := b.commits(t)
	var held atomic.Int64
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for range buyers {
		wg.Go(func() {
			<-gate
			order, user := newID(), newID()
			var twice sync.WaitGroup
			results := make([]stock.Placement, 2)
			for i := range results {
				twice.Go(func() {
					var err error
					if results[i], err = b.svc.Place(ctx, order, user, lines(1, ids...)); err != nil {
						t.Error(err)
					}
				})
			}
			twice.Wait()
			if results[0].Result == stock.ResultHeld && results[1].Result == stock.ResultHeld {
				held.Add(1)
				if !slices.Equal(results[0].Lines, results[1].Lines) || !results[0].ExpiresAt.Equal(results[1].ExpiresAt) {
					t.Errorf("one order, two answers: %+v and %+v", results[0], results[1])
				}
			} else if results[0].Result != results[1].Result {
				t.Errorf("one order got %s and %s", results[0].Result, results[1].Result)
			}
		})
	}
	close(gate)
	wg.Wait()
	if held.Load() != units {
		t.Errorf("%d orders held, want %d", held.Load(), units)
	}
	if c := b.counters(t, ids[0]); c != (stock.Counters{OnHand: units, Held: units}) {
		t.Errorf("counters %+v", c)
	}
	if n := b.commits(t) - before; n > units/3 {
		t.Errorf("%d transactions for %d holds, want many holds in one", n, units)
	}
	var rows int64
	must(t, b.db.Conn(ctx).QueryRow(ctx, `SELECT count(*) FROM holds`).Scan(&rows))
	if rows != units {
		t.Errorf("%d rows of holds, want %d: a refusal leaves no trace", rows, units)
	}
	if got := b.topics(t, ids[0]); !slices.Equal(got, []string{"product.updated", "product.out_of_stock"}) {
		t.Errorf("events %v", got)
	}
	b.noDrift(t)
}

// commits counts the transactions that wrote a movement or a hold.
func (b bench) commits(t *testing.T) int64 {
	t.Helper()
	var n int64
	must(t, b.db.Conn(context.Background()).QueryRow(context.Background(),
		`SELECT count(DISTINCT xmin::text) FROM inventory_movements`).Scan(&n))
	return n
}

// A row that somebody keeps locked holds up its own buyers, not the others.
func TestAStuckItemHoldsUpNobodyElse(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	ids := b.shelve(t, 5, 5)
	release, locked := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = b.db.InTx(ctx, func(ctx context.Context) error {
			err := b.exec(ctx, `SELECT FROM product_inventory WHERE product_id = $1 FOR UPDATE`, ids[0])
			close(locked)
			<-release
			return err
		})
	})
	<-locked
	stuck := make(chan stock.Placement, 1)
	wg.Go(func() {
		p, err := b.svc.Place(ctx, newID(), newID(), lines(1, ids[0]))
		if err != nil {
			t.Error(err)
		}
		stuck <- p
	})
	time.Sleep(20 * time.Millisecond)
	start := time.Now()
	p, err := b.svc.Place(ctx, newID(), newID(), lines(1, ids[1]))
	must(t, err)
	if took := time.Since(start); p.Result != stock.ResultHeld || took > time.Second {
		t.Errorf("%s after %v beside a stuck item, want held at once", p.Result, took)
	}
	close(release)
	if p := <-stuck; p.Result != stock.ResultHeld {
		t.Errorf("the stuck hold came to %s, want held", p.Result)
	}
	wg.Wait()
	b.noDrift(t)
}

// A caller who gives up gets an error; whatever became of the hold, asking again
// tells, and a release undoes it.
func TestACallerWhoGivesUpMayAskAgain(t *testing.T) {
	b := newBench(t, time.Hour)
	ids := b.shelve(t, 5)
	order := newID()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.svc.Place(ctx, order, newID(), lines(1, ids...)); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the cancellation or the hold", err)
	}
	p, err := b.svc.Place(context.Background(), order, newID(), lines(1, ids...))
	must(t, err)
	if p.Result != stock.ResultHeld {
		t.Fatalf("asked again: %s, want held", p.Result)
	}
	if c := b.counters(t, ids[0]); c.Held != 1 {
		t.Errorf("%d held, want 1", c.Held)
	}
}

// One order that the database refuses spoils nothing for those beside it.
func TestOneBadHoldSpoilsNoOther(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	ids := b.shelve(t, 50, 50)
	must(t, b.exec(ctx, `ALTER TABLE hold_lines ADD CONSTRAINT none_of_this CHECK (product_id <> '`+ids[1].String()+`')`))
	var good, bad atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			p, err := b.svc.Place(ctx, newID(), newID(), lines(1, []uuid.UUID{ids[i%2]}...))
			switch {
			case err != nil:
				bad.Add(1)
			case p.Result == stock.ResultHeld:
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if good.Load() != 20 || bad.Load() != 20 {
		t.Errorf("%d held and %d failed, want 20 each", good.Load(), bad.Load())
	}
	b.noDrift(t)
}
