package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/tests/shop"
)

// asOrder calls Product's internal routes as the order service does: through
// its sidecar.
type asOrder struct {
	url, token string
	http       *http.Client
}

func orderSidecar() asOrder {
	s := w.stack.Sidecars["order"]
	return asOrder{url: s.HTTP + "/v1.0/invoke/product/method", token: s.APIToken, http: &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{MaxConnsPerHost: 128, MaxIdleConnsPerHost: 128}}}
}

func (o asOrder) post(ctx context.Context, path string, in, out any) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("dapr-api-token", o.token)
	resp, err := o.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %.300s", path, resp.StatusCode, body)
	}
	return json.Unmarshal(body, out)
}

// hold gives the result of a hold of one unit.
func (o asOrder) hold(ctx context.Context, orderID, productID string) (string, error) {
	var out struct {
		Result string `json:"result"`
	}
	err := o.post(ctx, "/internal/holds/place", map[string]any{"order_id": orderID, "user_id": uuid.NewString(),
		"lines": []any{map[string]any{"product_id": productID, "quantity": 1}}}, &out)
	return out.Result, err
}

// TestAThousandUnitsGoToAThousandOfFiveThousand has five thousand buyers reach for
// one product at once.
func TestAThousandUnitsGoToAThousandOfFiveThousand(t *testing.T) {
	ctx := within(t)
	const units, buyers = 1000, 5000
	p := product(t, ctx, 999, units)
	order := orderSidecar()
	var held, refused atomic.Int64
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for range buyers {
		wg.Go(func() {
			<-gate
			result, err := order.hold(ctx, uuid.Must(uuid.NewV7()).String(), p.ID)
			switch {
			case err != nil:
				t.Error(err)
			case result == "held":
				held.Add(1)
			case result == "out_of_stock":
				refused.Add(1)
			default:
				t.Errorf("a hold came to %q", result)
			}
		})
	}
	start := time.Now()
	close(gate)
	wg.Wait()
	took := time.Since(start)
	t.Logf("%d holds answered in %v, %.0f a second", buyers, took.Round(time.Millisecond), buyers/took.Seconds())
	if held.Load() != units || refused.Load() != buyers-units {
		t.Errorf("%d held and %d refused, want %d and %d", held.Load(), refused.Load(), units, buyers-units)
	}
	if got := stockOf(t, ctx, p.ID); got.OnHand != units || got.Held > units || got.Reserved != 0 {
		t.Errorf("counters %+v", got)
	}
}

// hit is a product found.
type hit struct {
	ID      string     `json:"id"`
	Price   shop.Money `json:"price"`
	InStock bool       `json:"in_stock"`
}

// found is an answer of the search.
type found struct {
	Items    []hit            `json:"items"`
	Facets   map[string][]any `json:"facets"`
	Degraded bool             `json:"degraded"`
}

func search(ctx context.Context, q string) (found, error) {
	var f found
	_, err := w.http.Want(ctx, http.StatusOK, &f, "GET", "product", "/v1/search?q="+url.QueryEscape(q), nil)
	return f, err
}

// has tells whether the answer shows the product.
func (f found) has(id string) bool {
	return slices.ContainsFunc(f.Items, func(h hit) bool { return h.ID == id })
}

// TestSearchFollowsWithinTwoSeconds measures from the answer to a change of price
// or stock until searches show it.
func TestSearchFollowsWithinTwoSeconds(t *testing.T) {
	ctx := within(t)
	const products, changes = 10, 10
	var mu sync.Mutex
	var lags []time.Duration
	var wg sync.WaitGroup
	for range products {
		p := product(t, ctx, 500, 1)
		wg.Go(func() {
			for n := range changes {
				lag, err := follow(ctx, p, n)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				lags = append(lags, lag)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(lags)
	if len(lags) != products*changes {
		t.Fatalf("%d changes were seen, want %d", len(lags), products*changes)
	}
	p99 := lags[len(lags)*99/100-1]
	t.Logf("p50 %v, p99 %v, worst %v", lags[len(lags)/2], p99, lags[len(lags)-1])
	if p99 > 2*time.Second {
		t.Errorf("search is %v behind at the 99th percentile, want at most 2s", p99)
	}
}

// follow changes the price, or every other time the stock flag, and waits for it.
func follow(ctx context.Context, p *shop.Product, n int) (time.Duration, error) {
	price, inStock := p.Price.Amount, n%4 != 1
	var err error
	if n%2 == 0 {
		price = int64(1000 + n)
		p.Price.Amount = price
		_, err = w.staff.Want(ctx, http.StatusOK, nil, "PATCH", "product", "/v1/products/"+p.ID,
			map[string]any{"price": shop.Money{Amount: price, Currency: "GBP"}}, w.staff.Token(), shop.Header{Name: "If-Match", Value: "*"})
		inStock = n%4 == 0
	} else {
		delta := 1
		if n%4 == 1 {
			delta = -1
		}
		_, err = w.staff.Want(ctx, http.StatusCreated, nil, "POST", "product", "/v1/products/"+p.ID+"/inventory/adjustments",
			map[string]any{"delta": delta, "reason": "test"}, w.staff.Token())
	}
	if err != nil {
		return 0, err
	}
	changed := time.Now()
	for ctx.Err() == nil {
		f, err := search(ctx, p.SKU)
		if err != nil {
			return 0, err
		}
		if len(f.Items) > 0 && f.Items[0].ID == p.ID && f.Items[0].Price.Amount == price && (n%2 == 0 || f.Items[0].InStock == inStock) {
			return time.Since(changed), nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return 0, fmt.Errorf("change %d of %s was never found: %w", n, p.SKU, ctx.Err())
}

// TestSearchAnswersWithoutElasticsearch kills the index. Searches go on from the
// database, say so, and are made good once it is back.
func TestSearchAnswersWithoutElasticsearch(t *testing.T) {
	ctx := within(t)
	before := product(t, ctx, 700, 5)
	if err := shop.Eventually(ctx, func() error { return shows(ctx, before, false) }); err != nil {
		t.Fatal(err)
	}
	kill(t, ctx, "elasticsearch")
	f, err := search(ctx, before.SKU)
	if err != nil {
		t.Fatal(err)
	}
	if !f.Degraded || !f.has(before.ID) {
		t.Errorf("without an index: degraded %v, %d items; want the product from the database", f.Degraded, len(f.Items))
	}
	for _, facet := range []string{"category", "brand", "price", "rating", "availability"} {
		if f.Facets[facet] == nil {
			t.Errorf("without an index there is no facet %s", facet)
		}
	}
	var s struct {
		Products []struct{ ID string } `json:"products"`
	}
	if _, err := w.http.Want(ctx, http.StatusOK, &s, "GET", "product", "/v1/suggest?q="+url.QueryEscape(before.SKU), nil); err != nil {
		t.Error(err)
	}
	meanwhile := product(t, ctx, 800, 5)
	if err := shop.Eventually(ctx, func() error { return shows(ctx, meanwhile, false) }); err != nil {
		t.Errorf("made while the index was away: %v", err)
	}
}

func shows(ctx context.Context, p *shop.Product, degraded bool) error {
	f, err := search(ctx, p.SKU)
	if err == nil && (!f.has(p.ID) || f.Degraded != degraded) {
		err = fmt.Errorf("search for %s: %d items, degraded %v", p.SKU, len(f.Items), f.Degraded)
	}
	return err
}

// TestABackInStockAlertIsOneMail has a customer wait for a product that comes,
// goes and comes again; another one is erased while waiting.
func TestABackInStockAlertIsOneMail(t *testing.T) {
	ctx := within(t)
	p := product(t, ctx, 1500, 1)
	adjust := func(delta int) {
		t.Helper()
		if _, err := w.staff.Want(ctx, http.StatusCreated, nil, "POST", "product", "/v1/products/"+p.ID+"/inventory/adjustments",
			map[string]any{"delta": delta, "reason": "test"}, w.staff.Token()); err != nil {
			t.Fatal(err)
		}
	}
	alerts := "/v1/products/" + p.ID + "/stock-alerts"
	waits, leaves := shopper(t, ctx), shopper(t, ctx)
	if _, err := waits.Want(ctx, http.StatusConflict, nil, "POST", "product", alerts, nil, waits.Token()); err != nil {
		t.Fatal(err)
	}
	adjust(-1)
	for _, s := range []*shop.Shopper{waits, leaves} {
		if _, err := s.Want(ctx, http.StatusCreated, nil, "POST", "product", alerts, nil, s.Token()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := leaves.Want(ctx, http.StatusNoContent, nil, "DELETE", "user", "/v1/users/me", nil, leaves.Token()); err != nil {
		t.Fatal(err)
	}
	if err := shop.Eventually(ctx, func() error {
		var n int
		query(t, ctx, "product", `SELECT count(*) FROM stock_alerts WHERE user_id = $1`, []any{leaves.User.ID}, &n)
		if n != 0 {
			return fmt.Errorf("an erased user still waits")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		adjust(+1)
		time.Sleep(300 * time.Millisecond)
		adjust(-1)
	}
	adjust(+1)
	if _, err := w.watch.Find(ctx, events.TopicProductBackInStock, p.ID); err != nil {
		t.Fatal(err)
	}
	isAlert := func(m shop.Mail) bool { return strings.Contains(m.Subject, "back in stock") }
	if err := shop.Eventually(ctx, func() error {
		mails, err := w.stack.Mails(ctx, waits.Email)
		if err == nil && !slices.ContainsFunc(mails, isAlert) {
			err = fmt.Errorf("no alert among %d mails", len(mails))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second) // a second one would come now
	mails, err := w.stack.AllMails(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range mails {
		if !isAlert(m) || len(m.To) == 0 {
			continue
		}
		switch m.To[0].Address {
		case waits.Email:
			n++
		case leaves.Email:
			t.Error("an erased person was told")
		}
	}
	if n != 1 {
		t.Errorf("%d alerts were mailed, want 1", n)
	}
}
