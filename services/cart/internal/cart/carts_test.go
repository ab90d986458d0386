package cart_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
)

func TestParallelAddsAllLand(t *testing.T) {
	w := open(t, time.Hour)
	same, user := w.shelf.stock(100, 1000), cart.User(uuid.New())
	want := map[uuid.UUID]int{same: 25}
	var g errgroup.Group
	for i := range 50 {
		replica, product := w.a, same
		if i%2 == 1 {
			replica = w.b
		}
		if i >= 25 {
			product = w.shelf.stock(100, 1000)
			want[product] = 1
		}
		g.Go(func() error {
			_, err := replica.Add(t.Context(), cart.Ask{Owner: user}, product, 1)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	holds(t, w.a, user, want)
	holds(t, w.b, user, want)
}

func TestGuestCartIsMergedOnce(t *testing.T) {
	w := open(t, time.Hour)
	ctx := t.Context()
	p, q := w.shelf.stock(100, 6), w.shelf.stock(200, 100)
	user := cart.User(uuid.New())
	token, err := w.a.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(token) != 43 {
		t.Errorf("token has %d characters, want 43 for 256 bits", len(token))
	}
	guest := cart.Guest(token)
	add(t, w.a, guest, p, 5)
	add(t, w.a, guest, q, 1)
	add(t, w.a, user, p, 3)

	w.shelf.away = true
	if _, err := w.a.Merge(ctx, cart.Ask{Owner: user}, token); !errors.Is(err, errAway) {
		t.Errorf("merge without Product: got %v", err)
	}
	w.shelf.away = false
	holds(t, w.a, guest, map[uuid.UUID]int{p: 5, q: 1})

	want := map[uuid.UUID]int{p: 6, q: 1}
	var g errgroup.Group
	for i := range 10 {
		replica := w.a
		if i%2 == 1 {
			replica = w.b
		}
		g.Go(func() error {
			_, err := replica.Merge(ctx, cart.Ask{Owner: user}, token)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	holds(t, w.b, user, want)
	if _, err := w.a.Show(ctx, guest); !errors.Is(err, cart.ErrCartToken) {
		t.Errorf("merged guest cart: got %v, want %v", err, cart.ErrCartToken)
	}
	if _, err := w.a.Merge(ctx, cart.Ask{Owner: cart.User(uuid.New())}, token); !errors.Is(err, cart.ErrMergedElsewhere) {
		t.Errorf("merge into another account: got %v, want %v", err, cart.ErrMergedElsewhere)
	}
	if _, err := w.a.Merge(ctx, cart.Ask{Owner: user}, "never-issued"); err != nil {
		t.Errorf("merge of an unknown token: %v", err)
	}
	holds(t, w.a, user, want)
}

func TestCartIsTakenOnce(t *testing.T) {
	w := open(t, time.Hour)
	ctx := t.Context()
	p, q := w.shelf.stock(100, 100), w.shelf.stock(200, 100)
	user := uuid.New()
	owner := cart.User(user)
	add(t, w.a, owner, p, 2)
	content, ok, err := w.a.Read(ctx, user)
	if err != nil || !ok {
		t.Fatalf("read: %v, %v", ok, err)
	}

	orders := make([]uuid.UUID, 20)
	results := make([]cart.TakeResult, len(orders))
	var g errgroup.Group
	for i := range orders {
		orders[i] = uuid.New()
		replica := w.a
		if i%2 == 1 {
			replica = w.b
		}
		g.Go(func() error {
			var err error
			results[i], err = replica.Take(ctx, user, orders[i], content.Version)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	var winner uuid.UUID
	won := 0
	for i, r := range results {
		if r == cart.TakeTaken {
			winner = orders[i]
			won++
		}
	}
	if won != 1 {
		t.Fatalf("taken %d times, want once: %v", won, results)
	}
	if again, err := w.b.Take(ctx, user, winner, content.Version); again != cart.TakeTaken || err != nil {
		t.Errorf("repeated take: %v, %v", again, err)
	}
	if _, ok, err := w.b.Read(ctx, user); ok || err != nil {
		t.Errorf("a taken cart reads %v, %v, want empty", ok, err)
	}

	add(t, w.b, owner, p, 1)
	add(t, w.b, owner, q, 4)
	for range 2 {
		if got, err := w.a.Restore(ctx, user, winner); got != cart.RestoreRestored || err != nil {
			t.Errorf("restore: %v, %v", got, err)
		}
	}
	holds(t, w.b, owner, map[uuid.UUID]int{p: 3, q: 4})
	if late, err := w.b.Take(ctx, user, winner, content.Version); late != cart.TakeUndone || err != nil {
		t.Errorf("late take: %v, %v", late, err)
	}

	early := uuid.New()
	content, _, err = w.a.Read(ctx, user)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := w.a.Restore(ctx, user, early); got != cart.RestoreNothing || err != nil {
		t.Errorf("restore before take: %v, %v", got, err)
	}
	if got, err := w.a.Take(ctx, user, early, content.Version); got != cart.TakeUndone || err != nil {
		t.Errorf("take after its restore: %v, %v", got, err)
	}
}

func TestIdempotencyKeysAndPreconditions(t *testing.T) {
	w := open(t, time.Hour)
	ctx := t.Context()
	p := w.shelf.stock(100, 100)
	user := cart.User(uuid.New())
	call := cart.NewCall("/v1/cart/items", "key-1", []byte("body"))
	var g errgroup.Group
	for i := range 10 {
		replica := w.a
		if i%2 == 1 {
			replica = w.b
		}
		g.Go(func() error {
			_, err := replica.Add(ctx, cart.Ask{Owner: user, Call: &call}, p, 2)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	holds(t, w.a, user, map[uuid.UUID]int{p: 2})
	if _, out, err := w.a.Admit(ctx, cart.Ask{Owner: user, Call: &call}); !out.Replayed || err != nil {
		t.Errorf("admit of a replay: %v, %v", out.Replayed, err)
	}
	other := cart.NewCall("/v1/cart/items", "key-1", []byte("other body"))
	if _, _, err := w.a.Admit(ctx, cart.Ask{Owner: user, Call: &other}); !errors.Is(err, cart.ErrKeyReused) {
		t.Errorf("other body: got %v, want %v", err, cart.ErrKeyReused)
	}

	before := add(t, w.a, user, p, 1)
	if _, err := w.b.Put(ctx, cart.Ask{Owner: user, IfMatch: before.Tag()}, p, 9); err != nil {
		t.Errorf("present tag: %v", err)
	}
	if _, err := w.b.Clear(ctx, cart.Ask{Owner: user, IfMatch: before.Tag()}); !errors.Is(err, cart.ErrStale) {
		t.Errorf("stale tag: got %v, want %v", err, cart.ErrStale)
	}
	holds(t, w.a, user, map[uuid.UUID]int{p: 9})
}

func TestLargeCartIsShown(t *testing.T) {
	w := open(t, time.Hour)
	user := uuid.New()
	now := time.Now().UTC().Truncate(time.Millisecond)
	doc := cart.Cart{UserID: &user, Version: now.UnixMilli(), Currency: "GBP", CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour)}
	for range cart.MaxLines {
		doc.Items = append(doc.Items, cart.Item{ProductID: w.shelf.stock(5, 9), Quantity: 2, UnitPriceAmount: 5, AddedAt: now})
	}
	if err := w.state.Store.Save(t.Context(), user.String(), doc, "", time.Hour); err != nil {
		t.Fatal(err)
	}
	for range 2 { // from the store, then from the cache
		v, err := w.a.Show(t.Context(), cart.User(user))
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Lines) != cart.MaxLines || v.Subtotal != int64(cart.MaxLines*10) || len(v.Changes) != 0 {
			t.Errorf("got %d lines, subtotal %d, %d changes", len(v.Lines), v.Subtotal, len(v.Changes))
		}
	}
	if _, err := w.a.Add(t.Context(), cart.Ask{Owner: cart.User(user)}, w.shelf.stock(1, 1), 1); !errors.Is(err, cart.ErrFull) {
		t.Errorf("one line more: got %v, want %v", err, cart.ErrFull)
	}
	w.shelf.away = true
	v, err := w.b.Show(t.Context(), cart.User(user))
	if err != nil || !v.Degraded || len(v.Lines) != cart.MaxLines {
		t.Errorf("without Product: %d lines, degraded %v, %v", len(v.Lines), v.Degraded, err)
	}
}

func TestCartEndsAndBeginsAnew(t *testing.T) {
	w := open(t, time.Second)
	p := w.shelf.stock(100, 100)
	user := cart.User(uuid.New())
	first := add(t, w.a, user, p, 1)
	token, err := w.a.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	holds(t, w.a, user, map[uuid.UUID]int{})
	if _, err := w.a.Show(t.Context(), cart.Guest(token)); !errors.Is(err, cart.ErrCartToken) {
		t.Errorf("expired guest cart: got %v, want %v", err, cart.ErrCartToken)
	}
	second := add(t, w.b, user, p, 2)
	if second.Version <= first.Version {
		t.Errorf("version %d comes again after %d", second.Version, first.Version)
	}
	holds(t, w.b, user, map[uuid.UUID]int{p: 2})
}

func TestErasedUserGetsNoCart(t *testing.T) {
	w := open(t, time.Hour)
	ctx := t.Context()
	p := w.shelf.stock(100, 100)
	user := uuid.New()
	content := add(t, w.a, cart.User(user), p, 1)
	for range 2 {
		if err := w.b.Erase(ctx, user); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.a.Show(ctx, cart.User(user)); !errors.Is(err, cart.ErrErased) {
		t.Errorf("show: got %v, want %v", err, cart.ErrErased)
	}
	if _, err := w.a.Add(ctx, cart.Ask{Owner: cart.User(user)}, p, 1); !errors.Is(err, cart.ErrErased) {
		t.Errorf("add: got %v, want %v", err, cart.ErrErased)
	}
	if r, err := w.a.Take(ctx, user, uuid.New(), content.Version); r != cart.TakeChanged || err != nil {
		t.Errorf("take: %v, %v", r, err)
	}
	if r, err := w.a.Restore(ctx, user, uuid.New()); r != cart.RestoreNothing || err != nil {
		t.Errorf("restore: %v, %v", r, err)
	}
	if _, ok, err := w.a.Export(ctx, user); ok || err != nil {
		t.Errorf("export: %v, %v", ok, err)
	}
	doc, _, err := w.state.Store.Load(ctx, user.String())
	if err != nil || len(doc.Items) > 0 || doc.ErasedAt == nil {
		t.Errorf("what is left: %+v, %v", doc, err)
	}
}

func TestRepriceKeepsTheEndOfLife(t *testing.T) {
	w := open(t, time.Hour)
	ctx := t.Context()
	p, q := w.shelf.stock(100, 100), w.shelf.stock(100, 100)
	user := cart.User(uuid.New())
	before := add(t, w.a, user, p, 2)
	add(t, w.a, cart.User(uuid.New()), q, 2)
	w.shelf.reprice(p, 130)
	if err := w.state.Worklist.Add(ctx, p, time.Now()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.state.Worklist.Reprice(ctx, w.b); err != nil {
			t.Fatal(err)
		}
	}
	doc, _, err := w.state.Store.Load(ctx, user.Key())
	if err != nil {
		t.Fatal(err)
	}
	if doc.SubtotalAmount != 260 || !doc.ExpiresAt.Equal(before.ExpiresAt) || doc.Version != before.Version+1 {
		t.Errorf("subtotal %d, ends %v (was %v), version %d (was %d)", doc.SubtotalAmount, doc.ExpiresAt, before.ExpiresAt, doc.Version, before.Version)
	}
	v, err := w.a.Show(ctx, user)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]cart.Change{{ProductID: p, Kind: cart.PriceIncreased, Was: 100, Now: 130}}, v.Changes); d != "" {
		t.Errorf("changes differ (-want +got):\n%s", d)
	}
}

// losing is a store whose answers get lost after the write has landed.
type losing struct {
	cart.Store
	left int
}

func (l *losing) Save(ctx context.Context, key string, c cart.Cart, tag string, ttl time.Duration) error {
	if err := l.Store.Save(ctx, key, c, tag, ttl); err != nil {
		return err
	}
	if l.left--; l.left >= 0 {
		return context.DeadlineExceeded
	}
	return nil
}

func TestLostAnswerAddsOnce(t *testing.T) {
	w := open(t, time.Hour)
	p := w.shelf.stock(100, 100)
	user := cart.User(uuid.New())
	lossy := w.replica(t, &losing{Store: w.state.Store, left: 1}, time.Hour)
	add(t, lossy, user, p, 3)
	holds(t, w.a, user, map[uuid.UUID]int{p: 3})
}

// crossed is a cache before whose first change something else happens.
type crossed struct {
	cart.Cache
	first func()
}

func (c *crossed) cross() {
	if first := c.first; first != nil {
		c.first = nil
		first()
	}
}

func (c *crossed) Block(ctx context.Context, user uuid.UUID) string {
	c.cross()
	return c.Cache.Block(ctx, user)
}

func (c *crossed) Drop(ctx context.Context, user uuid.UUID) {
	c.cross()
	c.Cache.Drop(ctx, user)
}

// A take that comes too late must not bring back a copy of what it has read:
// somebody may write the cart before the copy is corrected.
func TestLateTakeLeavesNoOldCopy(t *testing.T) {
	w := open(t, time.Hour)
	p, q := w.shelf.stock(100, 100), w.shelf.stock(100, 100)
	user := uuid.New()
	add(t, w.b, cart.User(user), p, 1)
	between := &crossed{Cache: w.cache(t), first: func() { add(t, w.b, cart.User(user), q, 1) }}
	a := w.with(w.state.Store, between, time.Hour)
	holds(t, a, cart.User(user), map[uuid.UUID]int{p: 1}) // from here on copies count
	if got, err := a.Take(t.Context(), user, uuid.New(), 1); got != cart.TakeChanged || err != nil {
		t.Fatalf("take: %v, %v, want changed", got, err)
	}
	holds(t, a, cart.User(user), map[uuid.UUID]int{p: 1, q: 1})
}
