package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/caravan-shop/caravan/tests/shop"
)

// ready is a buyer with a cart and its quote.
type ready struct {
	*shop.Shopper
	total shop.Money
}

// preparers make buyers ready at the same time.
const preparers = 8

// orders measures POST /v1/orders at a steady rate, by buyers who have filled their
// carts and asked for a quote before.
func (b *bench) orders(ctx context.Context, rate int, spell time.Duration) error {
	began := time.Now()
	buyers := make([]ready, rate*int(spell/time.Second))
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(preparers)
	for i := range buyers {
		g.Go(func() (err error) {
			buyers[i], err = b.ready(within, i)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	fmt.Printf("%d buyers, each with one unit in the cart and a quote, after %s\n", len(buyers), time.Since(began).Round(time.Second))
	time.Sleep(warmUp) // what is left of that comes to rest
	var mu sync.Mutex
	var placing, settling []time.Duration
	var firstErr error
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for _, buyer := range buyers {
		select {
		case <-tick.C:
		case <-ctx.Done(): // the rest fails at once, and is counted
		}
		wg.Go(func() {
			place, settle, err := b.order(ctx, buyer)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				firstErr = err
				return
			}
			placing, settling = append(placing, place), append(settling, settle)
		})
	}
	wg.Wait()
	fmt.Printf("%d orders a second for %s, %d of %d done\n  POST /v1/orders                 %s\n  placed to confirmed and reserved %s\n",
		rate, spell, len(placing), len(buyers), quantiles(placing), quantiles(settling))
	return firstErr
}

func (b *bench) ready(ctx context.Context, turn int) (ready, error) {
	s, err := shop.Register(ctx, b.http)
	if err != nil {
		return ready{}, err
	}
	if err := s.AddToCart(ctx, b.products[turn%len(b.products)].ID, 1); err != nil {
		return ready{}, err
	}
	totals, err := s.Quote(ctx)
	return ready{s, totals.Total}, err
}

// order places one and tells how long the call took, and how long after its answer
// the stock was reserved.
func (b *bench) order(ctx context.Context, buyer ready) (place, settle time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.patience)
	defer cancel()
	begin := time.Now()
	o, err := b.place(ctx, buyer.Shopper, buyer.total)
	if err != nil {
		return 0, 0, err
	}
	answered := time.Now()
	at, err := b.reserved.wait(ctx, o.ID)
	if err != nil {
		return 0, 0, fmt.Errorf("order %s: %w", o.ID, err)
	}
	return answered.Sub(begin), max(at.Sub(answered), 0), nil
}
