package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

const (
	signInAccounts = 20
	checkoutRate   = 10 // a second, in the measurement of both side by side
)

// signIns measures how many people can sign in a second, and what a storm of
// them does to a steady rate of checkouts.
func (b *bench) signIns(ctx context.Context, clients int, spell time.Duration) error {
	accounts := make([]*shop.Shopper, signInAccounts)
	for i := range accounts {
		var err error
		if accounts[i], err = shop.Register(ctx, b.http); err != nil {
			return err
		}
	}
	alone, err := b.storm(ctx, accounts, clients, spell)
	if err != nil {
		return err
	}
	fmt.Printf("sign-ins, %d clients, %s\n  %s\n", clients, spell, alone)
	idle := make(chan *shop.Shopper, checkoutRate*10)
	for range cap(idle) {
		s, err := shop.Register(ctx, b.http)
		if err != nil {
			return err
		}
		idle <- s
	}
	quiet, err := b.steady(ctx, idle, checkoutRate, lasting(ctx, spell))
	if err != nil {
		return err
	}
	fmt.Printf("%d checkouts a second, %s\n  %s\n", checkoutRate, spell, quiet)
	var beside stormed
	var stormErr error
	var wg sync.WaitGroup
	wg.Go(func() { beside, stormErr = b.storm(ctx, accounts, clients, spell) })
	both, err := b.steady(ctx, idle, checkoutRate, lasting(ctx, spell))
	wg.Wait()
	if err != nil {
		return err
	}
	fmt.Printf("%d checkouts a second beside sign-ins of %d clients, %s\n  %s\n  %s\n", checkoutRate, clients, spell, both, beside)
	return stormErr
}

// stormed is what a storm of sign-ins came to.
type stormed struct {
	took    time.Duration
	answers []time.Duration
	refused int // 429: the queue for hashing was full
}

func (s stormed) String() string {
	return fmt.Sprintf("%.1f sign-ins a second (%d, %d refused with 429)  %s",
		float64(len(s.answers))/s.took.Seconds(), len(s.answers), s.refused, quantiles(s.answers))
}

// storm signs in from many clients, each as soon as its last answer came.
func (b *bench) storm(ctx context.Context, accounts []*shop.Shopper, clients int, spell time.Duration) (stormed, error) {
	var s stormed
	var mu sync.Mutex
	var firstErr error
	var wg sync.WaitGroup
	start := time.Now()
	for i := range clients {
		wg.Go(func() {
			for turn := i; time.Since(start) < spell && ctx.Err() == nil; turn += clients {
				who, begin := accounts[turn%len(accounts)], time.Now()
				resp, err := b.http.Do(ctx, "POST", "user", "/v1/sessions", map[string]string{"email": who.Email, "password": who.Password})
				mu.Lock()
				switch {
				case err == nil && resp.Status == http.StatusCreated:
					s.answers = append(s.answers, time.Since(begin))
				case err == nil && resp.Status == http.StatusTooManyRequests:
					s.refused++
				case err == nil:
					err = fmt.Errorf("sign-in: status %d: %.200s", resp.Status, resp.Body)
				}
				if err != nil && firstErr == nil {
					firstErr = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	s.took = time.Since(start)
	return s, firstErr
}

// paced is what checkouts at a steady rate came to.
type paced struct {
	placing, whole []time.Duration
	failed         int
	firstErr       error
}

func (p paced) String() string {
	return fmt.Sprintf("%d done, %d failed\n  POST /v1/orders %s\n  whole checkout  %s", len(p.whole), p.failed, quantiles(p.placing), quantiles(p.whole))
}

// steady starts checkouts at a fixed rate, however long the earlier ones take,
// until over. Each shopper does one at a time, as one cart allows.
func (b *bench) steady(ctx context.Context, idle chan *shop.Shopper, rate int, over <-chan struct{}) (paced, error) {
	var p paced
	var mu sync.Mutex
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-over:
			wg.Wait()
			return p, p.firstErr
		case <-tick.C:
		}
		s := <-idle
		wg.Go(func() {
			begin := time.Now()
			place, _, err := b.checkout(ctx, s, turn)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				p.failed, p.firstErr = p.failed+1, err
			} else {
				p.placing, p.whole = append(p.placing, place), append(p.whole, time.Since(begin))
			}
			idle <- s
		})
	}
}

// lasting is over after a while.
func lasting(ctx context.Context, spell time.Duration) <-chan struct{} {
	over := make(chan struct{})
	t := time.NewTimer(spell)
	go func() {
		defer close(over)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}()
	return over
}
