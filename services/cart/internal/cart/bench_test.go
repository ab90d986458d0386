package cart_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
)

// BenchmarkCheckout is the cart's part of one checkout: add a line, show the
// cart, read it for the order, take it.
func BenchmarkCheckout(b *testing.B) {
	w := open(b, time.Hour)
	p := w.shelf.stock(100, 1<<40)
	b.RunParallel(func(pb *testing.PB) {
		user := uuid.New()
		for pb.Next() {
			if _, err := w.a.Add(b.Context(), cart.Ask{Owner: cart.User(user)}, p, 1); err != nil {
				b.Error(err)
			}
			if _, err := w.a.Show(b.Context(), cart.User(user)); err != nil {
				b.Error(err)
			}
			content, _, err := w.a.Read(b.Context(), user)
			if err != nil {
				b.Error(err)
			}
			if r, err := w.a.Take(b.Context(), user, uuid.New(), content.Version); r != cart.TakeTaken || err != nil {
				b.Errorf("take: %v, %v", r, err)
			}
		}
	})
}
