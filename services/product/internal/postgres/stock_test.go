package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/product/internal/postgres"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// ordersFake answers for the order service.
type ordersFake struct {
	mu     sync.Mutex
	states map[uuid.UUID]stock.OrderState
	err    error
}

func (o *ordersFake) States(_ context.Context, ids []uuid.UUID) (map[uuid.UUID]stock.OrderState, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[uuid.UUID]stock.OrderState{}
	for _, id := range ids {
		if st, ok := o.states[id]; ok {
			out[id] = st
		}
	}
	return out, o.err
}

func (o *ordersFake) set(id uuid.UUID, st stock.OrderState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.states[id] = st
}

type bench struct {
	db     *pg.DB
	svc    *stock.Service
	orders *ordersFake
}

func newBench(t testing.TB, ttl time.Duration) bench {
	t.Helper()
	db := pgtest.Open(t, postgres.Migrations())
	box := outbox.New(db, newID, time.Now)
	o := &ordersFake{states: map[uuid.UUID]stock.OrderState{}}
	return bench{db: db, orders: o, svc: stock.New(postgres.NewStock(db, box, nil), o, ttl, slog.New(slog.DiscardHandler))}
}

// shelve inserts products with so many units each.
func (b bench) shelve(t testing.TB, units ...int64) []uuid.UUID {
	t.Helper()
	ctx := context.Background()
	category := newID()
	must(t, b.exec(ctx, `INSERT INTO categories (id, name, path, ancestor_ids, created_at, updated_at) VALUES ($1, $2, ARRAY[$2], ARRAY[$1]::uuid[], now(), now())`, category, "shelf "+category.String()))
	ids := make([]uuid.UUID, len(units))
	for i, n := range units {
		ids[i] = newID()
		must(t, b.exec(ctx, `INSERT INTO products (id, sku, name, category_id, price_amount, price_currency, tax_class, status, created_at, updated_at, changed_at)
			VALUES ($1, $2, 'thing', $3, 250, 'GBP', 'standard', 'active', now(), now(), now())`, ids[i], ids[i].String(), category))
		must(t, b.exec(ctx, `INSERT INTO product_inventory (product_id, flipped_at) VALUES ($1, now())`, ids[i]))
		if n > 0 {
			_, err := b.svc.Adjust(ctx, ids[i], n, "first delivery", "test")
			must(t, err)
		}
	}
	return ids
}

func (b bench) exec(ctx context.Context, sql string, args ...any) error {
	_, err := b.db.Conn(ctx).Exec(ctx, sql, args...)
	return err
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lines(quantity int64, ids ...uuid.UUID) []stock.Line {
	out := make([]stock.Line, len(ids))
	for i, id := range ids {
		out[i] = stock.Line{ProductID: id, Quantity: quantity}
	}
	return out
}

func (b bench) counters(t testing.TB, id uuid.UUID) stock.Counters {
	t.Helper()
	item, err := b.svc.Counters(context.Background(), id)
	must(t, err)
	return item.Counters
}

const ledgerDrift = `
SELECT count(*) FROM product_inventory i
LEFT JOIN (SELECT product_id, sum(on_hand_delta) oh, sum(held_delta) h, sum(reserved_delta) r FROM inventory_movements GROUP BY 1) m USING (product_id)
WHERE (i.on_hand, i.held, i.reserved) IS DISTINCT FROM (coalesce(m.oh, 0), coalesce(m.h, 0), coalesce(m.r, 0))`

func (b bench) noDrift(t testing.TB) {
	t.Helper()
	var n int
	must(t, b.db.Conn(context.Background()).QueryRow(context.Background(), ledgerDrift).Scan(&n))
	if n != 0 {
		t.Fatalf("%d products whose counters are not the sums of their movements", n)
	}
}

func (b bench) topics(t testing.TB, key uuid.UUID) []string {
	t.Helper()
	rows, err := b.db.Conn(context.Background()).Query(context.Background(), `SELECT topic FROM outbox WHERE key = $1 ORDER BY position`, key.String())
	must(t, err)
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		must(t, rows.Scan(&s))
		out = append(out, s)
	}
	return out
}

func TestHoldIsAllOrNothing(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	ids := b.shelve(t, 5, 1)
	order := newID()
	p, err := b.svc.Place(ctx, order, newID(), lines(2, ids...))
	must(t, err)
	if p.Result != stock.ResultOutOfStock || len(p.Short) != 1 || p.Short[0].ProductID != ids[1] || p.Short[0].Available != 1 {
		t.Fatalf("got %+v, want out_of_stock naming the second line with 1 available", p)
	}
	if c := b.counters(t, ids[0]); c.Held != 0 {
		t.Fatalf("held %d of the first line after a refusal, want 0", c.Held)
	}
	first, err := b.svc.Place(ctx, order, newID(), lines(1, ids...))
	must(t, err)
	again, err := b.svc.Place(ctx, order, newID(), lines(1, ids...))
	must(t, err)
	if first.Result != stock.ResultHeld || again.Result != stock.ResultHeld || !first.ExpiresAt.Equal(again.ExpiresAt) || !slices.Equal(first.Lines, again.Lines) {
		t.Fatalf("repeated hold: got %+v, want %+v", again, first)
	}
	if c := b.counters(t, ids[1]); c != (stock.Counters{OnHand: 1, Held: 1}) {
		t.Fatalf("counters %+v, want one held once", c)
	}
	if got, want := b.topics(t, ids[1]), []string{"product.updated", "product.out_of_stock"}; !slices.Equal(got, want) {
		t.Fatalf("events of the product %v, want %v", got, want)
	}
	b.noDrift(t)
}

func TestHoldNamesWhatCannotBeOrdered(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	ids := b.shelve(t, 5, 5)
	must(t, b.exec(ctx, `UPDATE products SET status = 'archived' WHERE id = $1`, ids[1]))
	unknown := newID()
	p, err := b.svc.Place(ctx, newID(), newID(), lines(1, append(ids, unknown)...))
	must(t, err)
	want := []stock.Unavailable{{ProductID: ids[1], Reason: "archived"}, {ProductID: unknown, Reason: "unknown"}}
	if p.Result != stock.ResultUnavailable || !slices.Equal(p.Unavailable, want) {
		t.Fatalf("got %+v, want %+v", p, want)
	}
}

func TestReleasedOrderIsNeverHeldLate(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	ids := b.shelve(t, 5)
	order := newID()
	if got, err := b.svc.Release(ctx, order); err != nil || got != stock.ReleaseNothing {
		t.Fatalf("release of an unknown order: %v %v, want nothing", got, err)
	}
	p, err := b.svc.Place(ctx, order, newID(), lines(1, ids...))
	must(t, err)
	if p.Result != stock.ResultUndone {
		t.Fatalf("late hold: %s, want undone", p.Result)
	}
	other := newID()
	_, err = b.svc.Place(ctx, other, newID(), lines(3, ids...))
	must(t, err)
	for range 2 {
		got, err := b.svc.Release(ctx, other)
		must(t, err)
		if got != stock.ReleaseDone {
			t.Fatalf("release: %s, want released", got)
		}
	}
	if c := b.counters(t, ids[0]); c != (stock.Counters{OnHand: 5}) {
		t.Fatalf("counters %+v, want all free", c)
	}
	b.noDrift(t)
}

func TestOrderLeavesTheShelf(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	ids := b.shelve(t, 5)
	order := newID()
	_, err := b.svc.Place(ctx, order, newID(), lines(2, ids...))
	must(t, err)
	must(t, b.svc.Confirmed(ctx, order, lines(2, ids...)))
	must(t, b.svc.Confirmed(ctx, order, lines(2, ids...)))
	if c := b.counters(t, ids[0]); c != (stock.Counters{OnHand: 5, Reserved: 2}) {
		t.Fatalf("after confirm %+v", c)
	}
	if got, _ := b.svc.Release(ctx, order); got != stock.ReleaseReserved {
		t.Fatalf("release of a reservation: %s, want reserved", got)
	}
	must(t, b.svc.Shipped(ctx, order, nil))
	must(t, b.svc.Shipped(ctx, order, nil))
	if c := b.counters(t, ids[0]); c != (stock.Counters{OnHand: 3}) {
		t.Fatalf("after shipping %+v", c)
	}
	if got, want := b.topics(t, order), []string{"inventory.reserved"}; !slices.Equal(got, want) {
		t.Fatalf("events of the order %v, want %v", got, want)
	}
	b.noDrift(t)
}

func TestCancelledBeforeConfirmedIsFinal(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	ids := b.shelve(t, 5)
	order := newID()
	_, err := b.svc.Place(ctx, order, newID(), lines(2, ids...))
	must(t, err)
	must(t, b.svc.Cancelled(ctx, order))
	must(t, b.svc.Confirmed(ctx, order, lines(2, ids...)))
	must(t, b.svc.Cancelled(ctx, order))
	if c := b.counters(t, ids[0]); c != (stock.Counters{OnHand: 5}) {
		t.Fatalf("counters %+v, want all free", c)
	}
	if err := b.svc.Shipped(ctx, order, lines(2, ids...)); !errors.Is(err, stock.ErrNothingToShip) {
		t.Fatalf("shipping a cancelled order: %v, want ErrNothingToShip", err)
	}
	b.noDrift(t)
}

func TestConfirmAfterTheHoldIsGone(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	ids := b.shelve(t, 3)
	late, winner, lucky := newID(), newID(), newID()
	_, err := b.svc.Place(ctx, late, newID(), lines(2, ids...))
	must(t, err)
	_, err = b.svc.Release(ctx, late)
	must(t, err)
	_, err = b.svc.Place(ctx, winner, newID(), lines(2, ids...))
	must(t, err)
	must(t, b.svc.Confirmed(ctx, late, lines(2, ids...)))
	must(t, b.svc.Confirmed(ctx, lucky, lines(1, ids...)))
	if got := b.topics(t, late); !slices.Equal(got, []string{"inventory.rejected"}) {
		t.Fatalf("late order: %v, want inventory.rejected", got)
	}
	if got := b.topics(t, lucky); !slices.Equal(got, []string{"inventory.reserved"}) {
		t.Fatalf("order on free stock: %v, want inventory.reserved", got)
	}
	if c := b.counters(t, ids[0]); c != (stock.Counters{OnHand: 3, Held: 2, Reserved: 1}) {
		t.Fatalf("counters %+v", c)
	}
	b.noDrift(t)
}

func TestExpiryAsksFirst(t *testing.T) {
	b, ctx := newBench(t, time.Millisecond), context.Background()
	ids := b.shelve(t, 9)
	gone, cancelled, created := newID(), newID(), newID()
	b.orders.set(gone, stock.OrderUnknown)
	b.orders.set(cancelled, stock.OrderCancelled)
	b.orders.set(created, "created")
	for _, o := range []uuid.UUID{gone, cancelled, created} {
		_, err := b.svc.Place(ctx, o, newID(), lines(1, ids...))
		must(t, err)
	}
	time.Sleep(20 * time.Millisecond)
	b.orders.err = errors.New("order service away")
	if n, err := b.svc.ExpireDue(ctx); n != 0 || err != nil {
		t.Fatalf("without an answer %d ended, %v; want none", n, err)
	}
	b.orders.err = nil
	must(t, b.exec(ctx, `UPDATE holds SET due_at = now()`))
	if n, err := b.svc.ExpireDue(ctx); n != 2 || err != nil {
		t.Fatalf("%d ended, %v; want the two that no order stands behind", n, err)
	}
	if n, err := b.svc.ExpireDue(ctx); n != 0 || err != nil {
		t.Fatalf("asked again at once: %d ended, %v", n, err)
	}
	if c := b.counters(t, ids[0]); c != (stock.Counters{OnHand: 9, Held: 1}) {
		t.Fatalf("counters %+v, want the created order's unit held", c)
	}
	must(t, b.svc.Confirmed(ctx, cancelled, lines(1, ids...)))
	if c := b.counters(t, ids[0]); c.Reserved != 0 {
		t.Fatalf("an order known as cancelled got stock: %+v", c)
	}
	b.noDrift(t)
}

func TestAdjustmentsKeepWhatIsCommitted(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	ids := b.shelve(t, 5)
	_, err := b.svc.Place(ctx, newID(), newID(), lines(3, ids...))
	must(t, err)
	if _, err := b.svc.Adjust(ctx, ids[0], -3, "lost", "test"); !errors.Is(err, stock.ErrBelowCommitted) {
		t.Fatalf("got %v, want below_committed", err)
	}
	if c, err := b.svc.Adjust(ctx, ids[0], -2, "lost", "test"); err != nil || c != (stock.Counters{OnHand: 3, Held: 3}) {
		t.Fatalf("got %+v, %v", c, err)
	}
	if _, err := b.svc.Adjust(ctx, newID(), 1, "found", "test"); !errors.Is(err, stock.ErrProductNotFound) {
		t.Fatalf("got %v, want product_not_found", err)
	}
}
