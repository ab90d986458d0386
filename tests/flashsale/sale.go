// Package flashsale sells a few units of one product to many buyers at once, as
// a launch at a fixed hour does, and tells from stores and ledger who got what.
// It knows the stack by stack.json alone.
package flashsale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// Sale is a product, and the buyers that have it in their carts.
type Sale struct {
	Product *shop.Product
	units   int
	buyers  []*shop.Shopper
	total   shop.Money // of an order of one unit, the same for all
	stack   *shop.Stack
}

// registrants is how many accounts are made side by side: more would only wait
// for the hashing of passwords.
const registrants = 8

// Open makes the product and its buyers, signed in, each with one unit in the
// cart. That is what happens before the doors open.
func Open(ctx context.Context, stack *shop.Stack, staff *shop.Shopper, units, buyers int) (*Sale, error) {
	s := &Sale{units: units, buyers: make([]*shop.Shopper, buyers), stack: stack}
	var err error
	if s.Product, err = staff.CreateProduct(ctx, 4999, int64(units)); err != nil {
		return nil, err
	}
	if err := side(registrants, buyers, func(i int) (err error) {
		if s.buyers[i], err = shop.Register(ctx, staff.Client); err != nil {
			return err
		}
		return s.buyers[i].AddToCart(ctx, s.Product.ID, 1)
	}); err != nil {
		return nil, fmt.Errorf("buyers: %w", err)
	}
	totals, err := s.buyers[0].Quote(ctx)
	s.total = totals.Total
	return s, err
}

// side does n things, so many at a time, until one fails.
func side(workers, n int, do func(i int) error) error {
	var mu sync.Mutex
	var next int
	var first error
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				if next++; i >= n || first != nil {
					mu.Unlock()
					return
				}
				mu.Unlock()
				if err := do(i); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return first
}

// Outcome is what the sale came to, as the buyers were told.
type Outcome struct {
	Placed  []string // order ids that were answered with 201
	Refused int      // told that it is sold out
	Again   map[string]int
	Other   []string // answers that no buyer should get
	// Answered is when the last buyer had an answer, Settled when every order
	// was confirmed and reserved besides.
	Answered, Settled time.Duration
}

// Run opens the doors: every buyer orders at once, and asks again, under the
// same key, whenever the answer was of the moment alone. It returns when the
// last one knows, or when ctx ends.
func (s *Sale) Run(ctx context.Context) (Outcome, error) {
	out := Outcome{Again: map[string]int{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := time.Now()
	for _, b := range s.buyers {
		wg.Go(func() {
			order, refusal := s.buy(ctx, b, func(answer string) {
				mu.Lock()
				out.Again[answer]++
				mu.Unlock()
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case order != "":
				out.Placed = append(out.Placed, order)
			case refusal == "409 out_of_stock":
				out.Refused++
			default:
				out.Other = append(out.Other, refusal)
			}
		})
	}
	wg.Wait()
	out.Answered = time.Since(start)
	err := s.settled(ctx, len(out.Placed))
	out.Settled = time.Since(start)
	return out, err
}

// buy gives the id of the order, or the refusal that stands.
func (s *Sale) buy(ctx context.Context, b *shop.Shopper, again func(answer string)) (order, refusal string) {
	body, key := b.OrderBody("pm_card_visa", s.total), shop.Unique("flash")
	for {
		resp, err := b.Do(ctx, "POST", "order", "/v1/orders", body, b.Token(), shop.IdempotencyKey(key))
		wait := time.Second
		answer := "no answer"
		if err == nil {
			var o shop.Order
			if resp.Status == http.StatusCreated && resp.Into(&o) == nil {
				return o.ID, ""
			}
			answer = fmt.Sprintf("%d %s", resp.Status, resp.Code())
			if !passing(resp) {
				return "", answer
			}
			if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
				wait = time.Duration(s) * time.Second
			}
		}
		again(answer)
		select {
		case <-ctx.Done():
			return "", "undecided: " + answer
		case <-time.After(wait/2 + rand.N(wait)):
		}
	}
}

// passing tells whether an answer is of the moment alone.
func passing(resp *shop.Response) bool {
	switch resp.Code() {
	case "idempotency_in_progress", "checkout_in_progress":
		return true
	}
	return resp.Status == http.StatusTooManyRequests || resp.Status >= http.StatusInternalServerError
}
