package main

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"
)

// After a refusal the next who want the same are refused for a look at the shelf, and as soon as there is something on it
// nobody is.
func TestWhatRanOutIsLookedAtBeforeAnythingIsHeld(t *testing.T) {
	s := open(t)
	product, other := s.world.product(1000, 1), s.world.product(1000, 9)
	s.short(product, 2)
	before := s.world.counted()
	user := s.buyer(product, 2)
	first := s.place(user, "second", total(1000, 2))
	if got := codeOf(first); got != "409 out_of_stock" {
		t.Fatalf("got %s", got)
	}
	for path, n := range s.world.counted() {
		want := before[path]
		if path == "/internal/carts/read" || path == "/internal/products/lookup" {
			want++
		}
		if n != want {
			t.Errorf("%s: %d calls for one refusal, want %d", path, n-before[path], want-before[path])
		}
	}
	s.world.untouched(t, user, product, 2, 1)
	for _, table := range []string{"checkouts", "idempotency_keys"} {
		if got := s.column(`SELECT user_id::text FROM `+table+` WHERE user_id = $1`, user); len(got) != 0 {
			t.Errorf("%s: got %v for a refusal, want nothing written", table, got)
		}
	}

	// One that wants what is there, one of another product, and all once it is back.
	for name, buyer := range map[string]func() string{
		"fewer":   func() string { return codeOf(s.place(s.buyer(product, 1), "k", total(1000, 1))) },
		"another": func() string { return codeOf(s.place(s.buyer(other, 2), "k", total(1000, 2))) },
	} {
		if got := buyer(); got != "201 " {
			t.Errorf("%s: got %s, want an order", name, got)
		}
	}
	s.world.restock(product, 2)
	if got := codeOf(s.place(user, "second", total(1000, 2))); got != "201 " {
		t.Errorf("the same request after the product came back: got %s, want an order", got)
	}
}

// The last unit may be in the hands of the same customer, even of the same request: its repetition is no refusal.
func TestWhoHoldsTheLastUnitIsNotCalledTooLate(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 2)
	s.short(product, 3)
	user := s.buyer(product, 2)
	held, goOn := make(chan struct{}), make(chan struct{})
	s.world.fault("/internal/carts/take", func(context.Context) error { close(held); <-goOn; return nil }, nil)
	ended := make(chan string)
	go func() { ended <- codeOf(s.place(user, "mine", total(1000, 2))) }()
	<-held
	if got := codeOf(s.place(user, "mine", total(1000, 2))); got != "409 idempotency_in_progress" {
		t.Errorf("the same request: got %s", got)
	}
	if got := codeOf(s.place(user, "other", total(1000, 2))); got != "409 checkout_in_progress" {
		t.Errorf("another of the same customer: got %s", got)
	}
	if got := codeOf(s.place(s.buyer(product, 2), "late", total(1000, 2))); got != "409 out_of_stock" {
		t.Errorf("another customer: got %s", got)
	}
	close(goOn)
	if got := <-ended; got != "201 " {
		t.Errorf("who held it: got %s", got)
	}
	if got := codeOf(s.place(user, "mine", total(1000, 2))); got != "201 " {
		t.Errorf("repeated afterwards: got %s", got)
	}
}

// What the shelf does not show is left to the hold: a product that is gone is no shortage.
func TestWhatIsNoLongerForSaleIsNotCalledScarce(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 1)
	s.short(product, 2)
	s.world.mu.Lock()
	s.world.products[product].status = "archived"
	s.world.mu.Unlock()
	if got := codeOf(s.place(s.buyer(product, 2), "second", total(1000, 2))); got != "409 product_unavailable" {
		t.Errorf("got %s, want product_unavailable", got)
	}
	s.world.fault("/internal/products/lookup", away, nil)
	user := s.buyer(product, 2)
	if rec := s.place(user, "third", total(1000, 2)); rec.Code < 500 {
		t.Errorf("with Product away: got %d, want a fault that may be tried again", rec.Code)
	}
	if n := s.world.inCart(user, product); n != 2 {
		t.Errorf("cart: got %d units, want 2", n)
	}
}

// Those who come while the shelf is looked at share the next look, and none of them the one that was under way: what
// came back in between is theirs.
func TestTheShelfIsLookedAtForManyAtOnce(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 1)
	s.short(product, 2)
	looking, goOn := make(chan struct{}, 10), make(chan struct{})
	s.world.fault("/internal/products/lookup", nil, func(context.Context) error { looking <- struct{}{}; <-goOn; return nil })
	outcomes := make(chan string, 8)
	place := func(quantity int64) {
		user := s.buyer(product, quantity)
		go func() { outcomes <- codeOf(s.place(user, "k", total(1000, quantity))) }()
	}
	place(2)
	<-looking
	before := s.world.counted()["/internal/carts/read"]
	for range 6 {
		place(3)
	}
	for s.world.counted()["/internal/carts/read"] < before+6 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // they ask
	s.world.restock(product, 17)
	close(goOn)
	counts := map[string]int{}
	for range 7 {
		counts[<-outcomes]++
	}
	if want := (map[string]int{"409 out_of_stock": 1, "201 ": 6}); !maps.Equal(counts, want) {
		t.Errorf("got %v, want %v", counts, want)
	}
	if n := 1 + len(looking); n != 2 {
		t.Errorf("the shelf was looked at %d times for seven, want 2", n)
	}
}

func TestAnAnswerThatDoesNotComeHoldsUpNobodyForLong(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 1)
	s.short(product, 2)
	s.world.fault("/internal/products/lookup", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, nil)
	user := s.buyer(product, 2)
	if rec := s.place(user, "second", total(1000, 2)); rec.Code < 500 {
		t.Errorf("with Product silent: got %d, want a fault that may be tried again", rec.Code)
	}
	s.world.fault("/internal/products/lookup", nil, nil)
	if got := codeOf(s.place(user, "second", total(1000, 2))); got != "409 out_of_stock" {
		t.Errorf("afterwards: got %s", got)
	}
}

// short has a product, at 10.00, run out: somebody is refused that many units.
func (s *shop) short(product uuid.UUID, quantity int64) {
	s.t.Helper()
	if got := codeOf(s.place(s.buyer(product, quantity), "short", total(1000, quantity))); got != "409 out_of_stock" {
		s.t.Fatalf("got %s", got)
	}
}

// counted is how often each path was called.
func (w *world) counted() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.calls)
}

func (w *world) restock(product uuid.UUID, units int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.products[product].available += units
}
