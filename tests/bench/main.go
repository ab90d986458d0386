// Command bench measures a running stack by whole checkouts: signed in, add one
// line, read the cart, quote, order, until inventory.reserved is on Kafka; or,
// with -what signin, by sign-ins, alone and beside a steady rate of checkouts; or,
// with -what catalogue, by an import, reads by id, searches and suggestions; or,
// with -what flash, by a sale of few units to many buyers; or, with -what orders, by
// POST /v1/orders at a steady rate; or, with -what relay, by how soon events that are
// committed are on Kafka.
// It drives the stack that CARAVAN_STACK names through the edge alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

func main() {
	what := flag.String("what", "checkout", "what is measured: checkout, orders, signin, catalogue, flash or relay")
	products := flag.Int("products", 50_000, "products that are imported first; 0 measures the catalogue as it is")
	backlog := flag.Int("backlog", 20_000, "events that wait when the relay goes on")
	units := flag.Int("units", 1000, "units in the flash sale")
	buyers := flag.Int("buyers", 5000, "buyers in the flash sale")
	rate := flag.Int("rate", 50, "orders a second, with -what orders")
	wait := flag.Bool("wait", false, "wait for a line on standard input before the flash sale opens")
	one := flag.Int("one", 100, "checkouts of the single client")
	clients := flag.Int("clients", 8, "concurrent clients")
	spell := flag.Duration("for", 30*time.Second, "how long the concurrent clients run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	measure := func(ctx context.Context, b *bench) error {
		if err := b.single(ctx, *one); err != nil {
			return err
		}
		return b.many(ctx, *clients, *spell)
	}
	switch *what {
	case "orders":
		measure = func(ctx context.Context, b *bench) error { return b.orders(ctx, *rate, *spell) }
	case "signin":
		measure = func(ctx context.Context, b *bench) error { return b.signIns(ctx, *clients, *spell) }
	case "relay":
		measure = func(ctx context.Context, b *bench) error { return b.relayed(ctx, *backlog, *spell) }
	case "flash":
		measure = func(ctx context.Context, b *bench) error { return b.flash(ctx, *units, *buyers, *wait) }
	case "catalogue":
		measure = func(ctx context.Context, b *bench) error { return b.catalogued(ctx, *products, *spell) }
	}
	if err := run(ctx, measure); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench holds what all clients share.
type bench struct {
	http     *shop.Client
	products []*shop.Product
	reserved *arrivals
	patience time.Duration // with one whole checkout
}

const (
	catalogue = 40      // products, so that no single row is hot
	shelf     = 1 << 20 // units of each: stock is not what is measured here
)

func run(ctx context.Context, measure func(context.Context, *bench) error) error {
	stack, err := shop.Load(os.Getenv("CARAVAN_STACK"))
	if err != nil {
		return err
	}
	b := &bench{http: shop.NewClient(stack.Edge), patience: 30 * time.Second}
	if err := b.prepare(ctx, stack); err != nil {
		return err
	}
	arrivals, err := watchReserved(ctx, stack.Kafka)
	if err != nil {
		return err
	}
	defer arrivals.close()
	b.reserved = arrivals
	fmt.Printf("machine: %s, %d cores, %s\n", cpuModel(), runtime.NumCPU(), runtime.GOOS)
	return measure(ctx, b)
}

func (b *bench) prepare(ctx context.Context, stack *shop.Stack) error {
	account := stack.Accounts["admin"]
	staff, err := shop.SignIn(ctx, b.http, account.Email, account.Password)
	if err != nil {
		return err
	}
	for range catalogue {
		p, err := staff.CreateProduct(ctx, 1299, shelf)
		if err != nil {
			return err
		}
		b.products = append(b.products, p)
	}
	return nil
}

// single measures what one customer feels on an idle shop.
func (b *bench) single(ctx context.Context, n int) error {
	s, err := shop.Register(ctx, b.http)
	if err != nil {
		return err
	}
	if _, _, err := b.checkout(ctx, s, 0); err != nil { // connections and caches warm up
		return err
	}
	var placing, settling []time.Duration
	for i := range n {
		place, settle, err := b.checkout(ctx, s, i)
		if err != nil {
			return err
		}
		placing, settling = append(placing, place), append(settling, settle)
	}
	fmt.Printf("one client, %d checkouts\n  POST /v1/orders                 %s\n  placed to confirmed and reserved %s\n",
		n, quantiles(placing), quantiles(settling))
	return nil
}

// many measures the rate of whole checkouts.
func (b *bench) many(ctx context.Context, clients int, spell time.Duration) error {
	shoppers := make([]*shop.Shopper, clients)
	for i := range shoppers {
		var err error
		if shoppers[i], err = shop.Register(ctx, b.http); err != nil {
			return err
		}
	}
	var done, failed atomic.Int64
	var mu sync.Mutex
	var placing, whole []time.Duration
	var firstErr error
	start := time.Now()
	var wg sync.WaitGroup
	for i, s := range shoppers {
		wg.Go(func() {
			for turn := i * 7; time.Since(start) < spell && ctx.Err() == nil; turn++ {
				begin := time.Now()
				place, _, err := b.checkout(ctx, s, turn)
				mu.Lock()
				if err != nil {
					failed.Add(1)
					firstErr = err
				} else {
					done.Add(1)
					placing, whole = append(placing, place), append(whole, time.Since(begin))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	fmt.Printf("%d clients, %s\n  whole checkouts %.1f a second (%d done, %d failed)\n  POST /v1/orders %s\n  whole checkout  %s\n",
		clients, took.Round(time.Second), float64(done.Load())/took.Seconds(), done.Load(), failed.Load(), quantiles(placing), quantiles(whole))
	return firstErr
}

// checkout does one whole checkout and tells how long POST /v1/orders took and
// how long after its answer the stock was reserved.
func (b *bench) checkout(ctx context.Context, s *shop.Shopper, turn int) (place, settle time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.patience)
	defer cancel()
	if err := s.AddToCart(ctx, b.products[turn%len(b.products)].ID, 1); err != nil {
		return 0, 0, err
	}
	if _, err := s.Want(ctx, 200, nil, "GET", "cart", "/v1/cart", nil, s.Token()); err != nil {
		return 0, 0, err
	}
	totals, err := s.Quote(ctx)
	if err != nil {
		return 0, 0, err
	}
	return b.order(ctx, ready{s, totals.Total})
}

// place orders the cart, and comes again as often as the shop asks for that.
func (b *bench) place(ctx context.Context, s *shop.Shopper, total shop.Money) (o shop.Order, err error) {
	key := shop.IdempotencyKey(shop.Unique("bench"))
	for {
		resp, err := s.Want(ctx, http.StatusCreated, &o, "POST", "order", "/v1/orders", s.OrderBody("pm_card_visa", total), s.Token(), key)
		if err == nil || resp == nil || resp.Status != http.StatusTooManyRequests {
			return o, err
		}
		pause, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		select {
		case <-ctx.Done():
			return o, err
		case <-time.After(time.Duration(max(pause, 1)) * time.Second):
		}
	}
}

func cpuModel() string {
	raw, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(raw)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
