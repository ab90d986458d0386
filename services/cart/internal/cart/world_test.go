package cart_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/cart/internal/cache"
	"github.com/caravan-shop/caravan/services/cart/internal/cart"
	"github.com/caravan-shop/caravan/services/cart/internal/carttest"
	"github.com/caravan-shop/caravan/services/internal/money"
)

// shelf stands for Product.
type shelf struct {
	mu       sync.Mutex
	products map[uuid.UUID]cart.Product
	away     bool
}

var errAway = errors.New("product is away")

func (s *shelf) Lookup(_ context.Context, ids []uuid.UUID) (map[uuid.UUID]cart.Product, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return nil, errAway
	}
	out := map[uuid.UUID]cart.Product{}
	for _, id := range ids {
		if p, ok := s.products[id]; ok {
			out[id] = p
		}
	}
	return out, nil
}

func (s *shelf) Glance(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]cart.Product, error) {
	return s.Lookup(ctx, ids)
}

func (s *shelf) stock(price, available int64) uuid.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := cart.Product{ID: uuid.New(), SKU: "S", Name: "$name", Price: money.New(price, "GBP"), Status: "active", Available: available}
	s.products[p.ID] = p
	return p.ID
}

func (s *shelf) reprice(id uuid.UUID, price int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.products[id]
	p.Price.Amount = price
	s.products[id] = p
}

type world struct {
	state carttest.State
	shelf *shelf
	// two replicas of the service
	a, b *cart.Carts
}

func open(t testing.TB, ttl time.Duration) world {
	t.Helper()
	w := world{state: carttest.Open(t), shelf: &shelf{products: map[uuid.UUID]cart.Product{}}}
	w.a, w.b = w.replica(t, w.state.Store, ttl), w.replica(t, w.state.Store, ttl)
	return w
}

func (w world) replica(t testing.TB, store cart.Store, ttl time.Duration) *cart.Carts {
	t.Helper()
	return w.with(store, w.cache(t), ttl)
}

func (w world) with(store cart.Store, copies cart.Cache, ttl time.Duration) *cart.Carts {
	return cart.New(cart.Deps{
		Store: store, Cache: copies, Catalog: w.shelf, TTL: ttl, Currency: "GBP",
		Now: time.Now, NewID: uuid.New, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
	})
}

func (w world) cache(t testing.TB) *cache.Cache {
	t.Helper()
	o, err := cache.Options(carttest.RedisURL(t, 9))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return cache.New(client, uuid.New, time.Now, slog.New(slog.DiscardHandler))
}

func show(t *testing.T, s *cart.Carts, o cart.Owner) map[uuid.UUID]int {
	t.Helper()
	v, err := s.Show(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	got := map[uuid.UUID]int{}
	for _, l := range v.Lines {
		got[l.ProductID] = l.Quantity
	}
	return got
}

func holds(t *testing.T, s *cart.Carts, o cart.Owner, want map[uuid.UUID]int) {
	t.Helper()
	if d := cmp.Diff(want, show(t, s, o)); d != "" {
		t.Fatalf("cart differs (-want +got):\n%s", d)
	}
}

func add(t *testing.T, s *cart.Carts, o cart.Owner, product uuid.UUID, n int) cart.Cart {
	t.Helper()
	out, err := s.Add(t.Context(), cart.Ask{Owner: o}, product, n)
	if err != nil {
		t.Fatal(err)
	}
	return out.Cart
}
