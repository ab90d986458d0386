package main

import (
	"maps"
	"testing"

	"github.com/google/uuid"
)

// After a refusal the next who want the same are refused for a look at the shelf, and as soon as there is something on it
// nobody is.
func TestWhatRanOutIsLookedAtBeforeAnythingIsHeld(t *testing.T) {
	s := open(t)
	product, other := s.world.product(1000, 1), s.world.product(1000, 9)
	if got := codeOf(s.place(s.buyer(product, 2), "first", total(1000, 2))); got != "409 out_of_stock" {
		t.Fatalf("got %s", got)
	}
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
	if got := s.column(`SELECT state FROM checkouts WHERE user_id = $1`, user); len(got) != 1 || got[0] != "undone" {
		t.Errorf("checkout: got %v, want undone", got)
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

// What the shelf does not show is left to the hold: a product that is gone is no shortage.
func TestWhatIsNoLongerForSaleIsNotCalledScarce(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 1)
	if got := codeOf(s.place(s.buyer(product, 2), "first", total(1000, 2))); got != "409 out_of_stock" {
		t.Fatalf("got %s", got)
	}
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
