package cart_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
)

// flaky is a store that now and then fails, before a write or after it landed.
type flaky struct{ cart.Store }

func (f flaky) Save(ctx context.Context, key string, c cart.Cart, tag string, ttl time.Duration) error {
	if rand.IntN(12) == 0 {
		return context.DeadlineExceeded
	}
	err := f.Store.Save(ctx, key, c, tag, ttl)
	if err == nil && rand.IntN(12) == 0 {
		return context.DeadlineExceeded
	}
	return err
}

// checkout reads and takes a cart for an order, and mostly gives it back, the
// way Order does: until it was told so. It tells how many units it kept.
func checkout(ctx context.Context, s *cart.Carts, user uuid.UUID) (int64, error) {
	content, ok, err := s.Read(ctx, user)
	if err != nil || !ok {
		return 0, err
	}
	order, units := uuid.New(), int64(0)
	for _, it := range content.Items {
		units += int64(it.Quantity)
	}
	result, err := s.Take(ctx, user, order, content.Version)
	if err == nil && result == cart.TakeTaken && rand.IntN(3) == 0 {
		return units, nil
	}
	for {
		if _, err = s.Restore(ctx, user, order); err == nil || ctx.Err() != nil {
			return 0, err
		}
	}
}

// Two replicas, shoppers who add, one checkout at a time and a store that
// fails: each unit that was added is in the cart or with an order, once, and
// the copy says the same as the store.
func TestStormOfWriters(t *testing.T) {
	w := open(t, time.Hour)
	store := flaky{w.state.Store}
	replicas := []*cart.Carts{w.replica(t, store, time.Hour), w.replica(t, store, time.Hour)}
	p, user := w.shelf.stock(100, 1<<40), uuid.New()
	var added, lost, kept atomic.Int64
	var g errgroup.Group
	for i := range 6 {
		g.Go(func() error {
			for range 12 {
				switch _, err := replicas[i%2].Add(t.Context(), cart.Ask{Owner: cart.User(user)}, p, 1); {
				case err == nil:
					added.Add(1)
				case errors.Is(err, cart.ErrStore): // it may have landed
					lost.Add(1)
				default:
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for i := range 24 {
			n, err := checkout(t.Context(), replicas[i%2], user)
			if err != nil && !errors.Is(err, cart.ErrStore) {
				return err
			}
			kept.Add(n)
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	doc, _, err := w.state.Store.Load(t.Context(), cart.User(user).Key())
	if err != nil {
		t.Fatal(err)
	}
	if got := int64(doc.Units()) + kept.Load(); got < added.Load() || got > added.Load()+lost.Load() {
		t.Errorf("%d units added and %d perhaps: got %d in the cart and %d with orders", added.Load(), lost.Load(), doc.Units(), kept.Load())
	}
	for _, s := range replicas {
		if got := show(t, s, cart.User(user))[p]; got != doc.Units() {
			t.Errorf("shown: got %d units, want %d", got, doc.Units())
		}
	}
}
