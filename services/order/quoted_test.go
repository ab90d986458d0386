package main

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
)

// quote asks for a quote of the user's cart.
func (s *shop) quote(user uuid.UUID) {
	s.t.Helper()
	rec := s.call("POST", "/v1/quotes", user.String(), "", object{"shipping_address_id": s.world.address})
	if rec.Code != 200 {
		s.t.Fatalf("quote: %d %s", rec.Code, rec.Body)
	}
}

const readsCart = "/internal/carts/read"

func TestAnOrderAfterItsQuoteDoesNotReadTheCartAgain(t *testing.T) {
	s := open(t)
	user := s.buyer(s.world.product(1000, 9), 2)
	s.quote(user)
	before := s.world.counted()[readsCart]
	if got := codeOf(s.place(user, "k", total(1000, 2))); got != "201 " {
		t.Fatalf("got %s", got)
	}
	if n := s.world.counted()[readsCart] - before; n != 0 {
		t.Errorf("the cart was read %d times after the quote, want none", n)
	}
	s.world.fill(user, s.world.product(1000, 9), 1)
	if got := codeOf(s.place(user, "without a quote", total(1000, 1))); got != "201 " {
		t.Errorf("the next order: got %s", got)
	}
	if n := s.world.counted()[readsCart] - before; n != 1 {
		t.Errorf("the next order read the cart %d times, want once", n)
	}
}

// What was quoted is no word on what is ordered: the cart as it is decides.
func TestACartThatChangedAfterItsQuoteIsOrderedAsItIs(t *testing.T) {
	type now struct {
		cart  func(s *shop, user, product uuid.UUID)
		total int64
		want  string
	}
	empty := func(s *shop, user uuid.UUID) {
		s.world.mu.Lock()
		defer s.world.mu.Unlock()
		c := s.world.carts[user]
		c.items, c.version = map[uuid.UUID]int64{}, c.version+1
	}
	for name, c := range map[string]now{
		"more of it":          {func(s *shop, user, product uuid.UUID) { s.world.fill(user, product, 1) }, total(1000, 3), "201 "},
		"more, the old total": {func(s *shop, user, product uuid.UUID) { s.world.fill(user, product, 1) }, total(1000, 2), "409 price_changed"},
		"emptied":             {func(s *shop, user, _ uuid.UUID) { empty(s, user) }, total(1000, 2), "422 cart_empty"},
		"another, the old gone": {func(s *shop, user, product uuid.UUID) {
			empty(s, user)
			s.world.fill(user, s.world.product(500, 5), 4)
			s.world.mu.Lock()
			s.world.products[product].available = 0
			s.world.mu.Unlock()
		}, total(500, 4), "201 "},
		"unchanged, sold out": {func(s *shop, _, product uuid.UUID) {
			s.world.mu.Lock()
			s.world.products[product].available = 0
			s.world.mu.Unlock()
		}, total(1000, 2), "409 out_of_stock"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			product := s.world.product(1000, 9)
			user := s.buyer(product, 2)
			s.quote(user)
			c.cart(s, user, product)
			rec := s.place(user, "k", c.total)
			if got := codeOf(rec); got != c.want {
				t.Errorf("got %s (%s), want %s", got, rec.Body, c.want)
			}
			if n := s.world.openMeans(); (n == 1) != (c.want == "201 ") {
				t.Errorf("%d means of payment are left", n)
			}
			if got := codeOf(s.place(user, "k", c.total)); got != c.want {
				t.Errorf("the same request again: got %s, want %s", got, c.want)
			}
			if orders := s.column(`SELECT number FROM orders`); (len(orders) == 1) != (c.want == "201 ") {
				t.Errorf("%d orders", len(orders))
			}
		})
	}
}

// Between the hold and the taking, too.
func TestACartThatChangesWhileItIsOrderedAfterAQuote(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 9)
	user := s.buyer(product, 2)
	s.quote(user)
	s.world.fault("/internal/holds/place", nil, func(context.Context) error {
		s.world.fault("/internal/holds/place", nil, nil)
		s.world.fill(user, product, 1)
		return nil
	})
	if got := codeOf(s.place(user, "k", total(1000, 3))); got != "201 " {
		t.Errorf("got %s, want the order of three", got)
	}
	if got := s.world.available(product); got != 6 {
		t.Errorf("%d on the shelf, want 6", got)
	}
	waitFor(t, func() bool { return s.world.openMeans() == 1 })
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time")
		}
	}
}
