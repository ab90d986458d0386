package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// The catalogue that is measured: made of words that products are made of, so
// that searches find some, many or few.
var (
	looks     = []string{"white", "red", "vintage", "oak", "glass", "blue", "ceramic", "brass", "striped", "folding", "large", "mini", "grey", "waterproof", "steel", "woven"}
	articles  = []string{"lantern", "mug", "chair", "cushion", "lamp", "kettle", "clock", "basket", "blanket", "drill", "tray", "mirror", "bottle", "candle", "doormat", "shelf", "teapot", "notebook"}
	companies = []string{"Acme", "Bolt", "Corvid", "Delve", "Ember", "Fjord", "Grove", "Hollow"}
	rooms     = []string{"Kitchen", "Bedroom", "Garden", "Office", "Hall", "Workshop"}
)

type line struct {
	SKU         string         `json:"sku"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Category    []string       `json:"category"`
	Brand       string         `json:"brand"`
	Price       shop.Money     `json:"price"`
	Attributes  map[string]any `json:"attributes"`
	Quantity    int            `json:"quantity"`
}

func lineOf(run string, n int) line {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	look, article := pick(looks), pick(articles)
	return line{
		SKU: fmt.Sprintf("%s-%06d", run, n), Name: fmt.Sprintf("%s %s %s %dcm", look, pick(looks), article, 5+r.IntN(90)),
		Description: fmt.Sprintf("A %s %s for the %s, made to last. Goes well with any %s.", look, article, pick(rooms), pick(articles)),
		Category:    []string{"Bench", pick(rooms), article}, Brand: pick(companies),
		Price: shop.Money{Amount: int64(99 + r.IntN(20_000)), Currency: "GBP"}, Quantity: r.IntN(50),
		Attributes: map[string]any{"colour": pick(looks[:6]), "size": 5 + r.IntN(20)},
	}
}

// catalogued measures the import, reads by id, searches and suggestions through
// the edge, over so many products.
func (b *bench) catalogued(ctx context.Context, products int, spell time.Duration) error {
	stack, err := shop.Load(os.Getenv("CARAVAN_STACK"))
	if err != nil {
		return err
	}
	account := stack.Accounts["admin"]
	staff, err := shop.SignIn(ctx, b.http, account.Email, account.Password)
	if err != nil {
		return err
	}
	run := shop.Unique("B")
	for _, turn := range []string{"new", "unchanged"} {
		if products == 0 { // what is there is measured
			break
		}
		took, answer, err := b.importLines(ctx, staff, run, products)
		if err != nil {
			return err
		}
		fmt.Printf("import of %d %s products: %.0f a second: %s\n", products, turn, float64(products)/took.Seconds(), answer)
	}
	ids, err := b.indexed(ctx, products)
	if err != nil {
		return err
	}
	get := func(path string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.http.Want(ctx, http.StatusOK, nil, "GET", "product", path, nil)
			return err
		}
	}
	for _, m := range []struct {
		name string
		rate int
		path func() string
	}{
		{"product by id", 300, func() string { return "/v1/products/" + ids[rand.IntN(len(ids))] }},
		{"search", 50, func() string {
			return "/v1/search?q=" + url.QueryEscape(looks[rand.IntN(len(looks))]+" "+articles[rand.IntN(len(articles))])
		}},
		{"suggest", 50, func() string {
			typed := looks[rand.IntN(len(looks))] + " " + articles[rand.IntN(len(articles))]
			return "/v1/suggest?q=" + url.QueryEscape(typed[:3+rand.IntN(len(typed)-3)])
		}},
	} {
		next := func() func(context.Context) error { return get(m.path()) }
		pace(ctx, m.rate, 3*time.Second, next) // caches and connections warm up
		fmt.Printf("%s, %d a second: %s\n", m.name, m.rate, pace(ctx, m.rate, spell, next))
	}
	return ctx.Err()
}

// importLines streams the lines in chunks, as they are made.
func (b *bench) importLines(ctx context.Context, staff *shop.Shopper, run string, products int) (time.Duration, string, error) {
	reader, writer := io.Pipe()
	go func() {
		enc := json.NewEncoder(writer)
		for n := range products {
			if enc.Encode(lineOf(run, n)) != nil {
				return
			}
		}
		_ = writer.Close()
	}()
	patient := &shop.Client{Edge: b.http.Edge, HTTP: &http.Client{Timeout: 10 * time.Minute}}
	start := time.Now()
	resp, err := patient.Raw(ctx, http.MethodPost, "product", "/v1/products/import", reader, staff.Token(),
		shop.Header{Name: "Content-Type", Value: "application/x-ndjson"})
	took := time.Since(start)
	if err != nil {
		return took, "", fmt.Errorf("import: %w", err)
	}
	if resp.Status != http.StatusOK {
		return took, "", fmt.Errorf("import: %d %.300s", resp.Status, resp.Body)
	}
	return took, string(resp.Body), nil
}

// indexed waits until searches find them all, and gives some of their ids.
func (b *bench) indexed(ctx context.Context, products int) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	start := time.Now()
	var page struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
		NextCursor *string `json:"next_cursor"`
		Total      int     `json:"total"`
	}
	if err := shop.Eventually(ctx, func() error {
		_, err := b.http.Want(ctx, http.StatusOK, &page, "GET", "product", "/v1/search?limit=1&category=Bench", nil)
		if err == nil && page.Total < products {
			err = fmt.Errorf("%d of %d products are indexed", page.Total, products)
		}
		return err
	}); err != nil {
		return nil, err
	}
	fmt.Printf("all products were found %s after the imports\n", time.Since(start).Round(100*time.Millisecond))
	var ids []string
	path := "/v1/products?limit=100"
	for len(ids) < 1000 {
		if _, err := b.http.Want(ctx, http.StatusOK, &page, "GET", "product", path, nil); err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		if page.NextCursor == nil {
			break
		}
		path = "/v1/products?limit=100&cursor=" + url.QueryEscape(*page.NextCursor)
	}
	return ids, nil
}

// pace calls at a steady rate, whether or not earlier calls have been answered,
// and measures from the time at which each was due.
func pace(ctx context.Context, rate int, spell time.Duration, next func() func(context.Context) error) string {
	var mu sync.Mutex
	var took []time.Duration
	failed := 0
	var wg sync.WaitGroup
	start := time.Now()
	for n := range int(spell.Seconds() * float64(rate)) {
		due := start.Add(time.Duration(n) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		if ctx.Err() != nil {
			break
		}
		call := next()
		wg.Go(func() {
			err := call(ctx)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(due))
			if err != nil {
				failed++
			}
		})
	}
	wg.Wait()
	return fmt.Sprintf("%s (%d calls, %d failed)", quantiles(took), len(took), failed)
}
