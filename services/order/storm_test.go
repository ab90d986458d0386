package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/sidecar"
	"github.com/caravan-shop/caravan/services/order/internal/httpapi"
)

// flaky makes each call of each neighbour fail now and then, before its effect
// or after it, and come late.
func (w *world) flaky(oneIn int) {
	fail := func(context.Context) error {
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
		if rand.IntN(oneIn) == 0 {
			return sidecar.ErrAway
		}
		return nil
	}
	for _, path := range append(steps, "/internal/carts/restore", "/internal/holds/release", "/internal/payments/close") {
		w.fault(path, fail, fail)
	}
}

func (w *world) steady() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.before)
	clear(w.after)
}

// storm has customers fill their carts and order, again and again, two at a
// time each. It gives the orders that were answered 201, and what each customer
// put into the cart.
func (s *shop) storm(users []uuid.UUID, product uuid.UUID, rounds int) (placed map[string]bool, filled map[uuid.UUID]int64) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	placed, filled = map[string]bool{}, map[uuid.UUID]int64{}
	for _, user := range users {
		filled[user] = s.world.inCart(user, product)
		for buyer := range 2 {
			wg.Go(func() {
				for round := range rounds {
					if round%2 == 0 { // the cart of a quote serves for the order, if it is the same by then
						s.call("POST", "/v1/quotes", user.String(), "", object{"shipping_address_id": s.world.address})
					}
					rec := s.place(user, fmt.Sprint(round/3, buyer), total(1000, s.world.inCart(user, product)))
					mu.Lock()
					switch rec.Code {
					case http.StatusInternalServerError:
						s.t.Errorf("got %s", rec.Body)
					case http.StatusCreated:
						placed[decode[httpapi.Order](s.t, rec).Id.String()] = true
						s.world.fill(user, product, 1)
						filled[user]++
					}
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	return placed, filled
}

// Whatever fails and whoever races: in the end each unit is in a cart, in an
// order or on the shelf, and Payment has means for orders alone.
func TestStormOfFaults(t *testing.T) {
	s := open(t)
	const buyers, stock = 8, 1000
	product := s.world.product(1000, stock)
	users := make([]uuid.UUID, buyers)
	for i := range users {
		users[i] = s.buyer(product, 1)
	}
	s.world.flaky(10)
	placed, filled := s.storm(users, product, 24)
	s.world.steady()
	s.exec(`UPDATE checkouts SET lease_until = now(), undo_due_at = CASE WHEN undo_due_at IS NULL THEN NULL ELSE now() END`)
	if err := s.saga.Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
	ids := s.column(`SELECT id::text FROM orders`)
	for _, id := range ids {
		delete(placed, id)
	}
	if len(ids) == 0 || len(placed) != 0 {
		t.Errorf("%d orders; answered but not there: %v", len(ids), placed)
	}
	sold := int64(0)
	for _, user := range users {
		ordered, err := strconv.ParseInt(s.column(
			`SELECT coalesce(sum(quantity), 0)::text FROM order_items JOIN orders ON id = order_id WHERE user_id = $1`, user)[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.world.inCart(user, product); got+ordered != filled[user] {
			t.Errorf("a customer put in %d units; %d are in the cart and %d ordered", filled[user], got, ordered)
		}
		sold += ordered
	}
	if got := s.world.available(product); got != stock-sold || s.world.openMeans() != len(ids) {
		t.Errorf("%d units in %d orders: %d on the shelf, %d means of payment", sold, len(ids), got, s.world.openMeans())
	}
}
