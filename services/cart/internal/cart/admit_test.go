package cart_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
)

// counted tells how often documents were loaded.
type counted struct {
	cart.Store

	loads int
}

func (c *counted) Load(ctx context.Context, key string) (cart.Cart, string, error) {
	c.loads++
	return c.Store.Load(ctx, key)
}

func TestAnAdmittedChangeBeginsWithWhatWasRead(t *testing.T) {
	w := open(t, time.Hour)
	ctx, user := t.Context(), cart.User(uuid.New())
	p, q := w.shelf.stock(100, 9), w.shelf.stock(200, 9)
	store := &counted{Store: w.state.Store}
	s := w.replica(t, store, time.Hour)
	call := cart.NewCall("/v1/cart/items", "key-1", []byte("body"))
	ask, _, err := s.Admit(ctx, cart.Ask{Owner: user, Call: &call})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(ctx, ask, p, 1); err != nil || store.loads != 1 {
		t.Errorf("got %v and %d loads, want one", err, store.loads)
	}

	// Somebody else comes between: neither change is lost.
	call = cart.NewCall("/v1/cart/items", "key-2", []byte("body"))
	if ask, _, err = s.Admit(ctx, cart.Ask{Owner: user, Call: &call}); err != nil {
		t.Fatal(err)
	}
	add(t, w.b, user, q, 2)
	if _, err := s.Add(ctx, ask, p, 1); err != nil {
		t.Fatal(err)
	}
	holds(t, w.a, user, map[uuid.UUID]int{p: 2, q: 2})

	// The same for a condition that no longer holds when the change is made.
	ask, _, err = s.Admit(ctx, cart.Ask{Owner: user, IfMatch: add(t, s, user, p, 1).Tag()})
	if err != nil {
		t.Fatal(err)
	}
	add(t, w.b, user, q, 1)
	if _, err := s.Clear(ctx, ask); !errors.Is(err, cart.ErrStale) {
		t.Errorf("a cart that changed after the check: got %v, want %v", err, cart.ErrStale)
	}
}
