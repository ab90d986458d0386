package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/httpapi"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

func TestPlaceAnOrder(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 5)
	user := s.buyer(product, 2)

	quote := decode[httpapi.Quote](t, s.call("POST", "/v1/quotes", user.String(), "", object{"shipping_address_id": s.world.address}))
	if quote.Totals.Total.Amount != total(1000, 2) || !quote.Items[0].InStock {
		t.Fatalf("quote: got %+v, want a total of %d in stock", quote, total(1000, 2))
	}
	rec := s.place(user, "k1", quote.Totals.Total.Amount)
	o := decode[httpapi.Order](t, rec)
	if rec.Code != http.StatusCreated || rec.Header().Get("Etag") != `"1"` || rec.Header().Get("Location") != "/v1/orders/"+o.Id.String() {
		t.Fatalf("got %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	if o.Status != "created" || o.PaymentStatus != "pending" || o.StockStatus != "held" || o.UserId != user ||
		o.ShippingAddress.Recipient != "Ada Lovelace" || o.Items[0].LineTotal.Amount != 2000 || o.Totals.Total.Amount != total(1000, 2) {
		t.Errorf("order: got %s", rec.Body)
	}
	if _, ok := order.ParseNumber(o.Number); !ok {
		t.Errorf("number %q does not check", o.Number)
	}
	if got := s.world.available(product); got != 3 {
		t.Errorf("available: got %d, want 3", got)
	}
	if got := s.world.inCart(user, product); got != 0 {
		t.Errorf("in the cart: got %d, want 0", got)
	}
	if got, want := s.topics(o.Id), "order.created"; got != want {
		t.Errorf("events: got %s, want %s", got, want)
	}
	if got, want := s.history(o.Id), "1:>created"; got != want {
		t.Errorf("history: got %s, want %s", got, want)
	}
	for _, payload := range s.column(`SELECT payload::text FROM outbox`) {
		if strings.Contains(payload, "Lovelace") || strings.Contains(payload, "pm_card") {
			t.Errorf("personal data or a token in an event: %s", payload)
		}
	}
	read := s.call("GET", "/v1/orders/"+o.Id.String(), user.String(), "", nil)
	if !bytes.Equal(read.Body.Bytes(), rec.Body.Bytes()) {
		t.Errorf("read: got %s, want %s", read.Body, rec.Body)
	}
}

func TestOneKeyOneOrder(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 500)
	user := s.buyer(product, 2)
	var created atomic.Int64
	bodies := make([][]byte, 50)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Go(func() {
			for {
				rec := s.place(user, "same", total(1000, 2))
				switch codeOf(rec) {
				case "201 ":
					if rec.Header().Get("Idempotency-Replayed") == "" {
						created.Add(1)
					}
					bodies[i] = rec.Body.Bytes()
					return
				case "409 idempotency_in_progress":
					time.Sleep(5 * time.Millisecond)
				default:
					t.Errorf("got %d %s", rec.Code, rec.Body)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, b := range bodies {
		if !bytes.Equal(b, bodies[0]) {
			t.Fatalf("answers differ: %s and %s", b, bodies[0])
		}
	}
	if n := created.Load(); n != 1 {
		t.Errorf("first answers: got %d, want 1", n)
	}
	if got := s.column(`SELECT count(*)::text FROM orders`)[0]; got != "1" {
		t.Errorf("orders: got %s, want 1", got)
	}
	if got := s.world.available(product); got != 498 {
		t.Errorf("available: got %d, want 498", got)
	}
	if got := codeOf(s.place(user, "same", 1)); got != "422 idempotency_key_reused" {
		t.Errorf("same key, other body: got %s", got)
	}
	if got := codeOf(s.place(user, "", 1)); got != "428 idempotency_key_required" {
		t.Errorf("no key: got %s", got)
	}
}

func TestOneCartOneOrder(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 500)
	user := s.buyer(product, 2)
	var created atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			switch got := codeOf(s.place(user, fmt.Sprint("key", i), total(1000, 2))); got {
			case "201 ":
				created.Add(1)
			case "409 checkout_in_progress", "409 cart_changed", "422 cart_empty":
			default:
				t.Errorf("got %s", got)
			}
		})
	}
	wg.Wait()
	if got := codeOf(s.place(user, "later", total(1000, 2))); got != "422 cart_empty" {
		t.Errorf("a taken cart again: got %s", got)
	}
	if n := created.Load(); n != 1 {
		t.Errorf("orders: got %d, want 1", n)
	}
	if got := s.world.available(product); got != 498 {
		t.Errorf("available: got %d, want 498", got)
	}
}

func TestTwentyBuyersForFiveUnits(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 5)
	var created, refused atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		user := s.buyer(product, 1)
		wg.Go(func() {
			switch got := codeOf(s.place(user, "k", total(1000, 1))); got {
			case "201 ":
				created.Add(1)
			case "409 out_of_stock":
				refused.Add(1)
				if n := s.world.inCart(user, product); n != 1 {
					t.Errorf("refused buyer's cart: got %d units, want 1", n)
				}
			default:
				t.Errorf("got %s", got)
			}
		})
	}
	wg.Wait()
	if created.Load() != 5 || refused.Load() != 15 || s.world.available(product) != 0 {
		t.Errorf("got %d orders, %d refused, %d units left; want 5, 15, 0", created.Load(), refused.Load(), s.world.available(product))
	}
}

func TestRefusalsLeaveNoTrace(t *testing.T) {
	cases := []struct {
		want    string
		arrange func(s *shop, user, product uuid.UUID, body object)
		undo    func(s *shop, user, product uuid.UUID)
	}{
		{"409 price_changed", func(_ *shop, _, _ uuid.UUID, b object) { b["expected_total"] = object{"amount": 1, "currency": "GBP"} }, nil},
		{"409 out_of_stock", func(s *shop, _, p uuid.UUID, _ object) { s.world.products[p].available = 1 },
			func(s *shop, _, p uuid.UUID) { s.world.products[p].available = 9 }},
		{"409 product_unavailable", func(s *shop, _, p uuid.UUID, _ object) { s.world.products[p].status = "archived" },
			func(s *shop, _, p uuid.UUID) { s.world.products[p].status = "active" }},
		{"409 cart_changed", func(s *shop, u, _ uuid.UUID, _ object) {
			s.world.before["/internal/carts/take"] = func(context.Context) error { s.world.carts[u].version++; return nil }
		}, func(s *shop, _, _ uuid.UUID) { s.world.before = map[string]func(context.Context) error{} }},
		{"422 cart_empty", func(s *shop, u, p uuid.UUID, _ object) { s.world.carts[u].items = map[uuid.UUID]int64{} },
			func(s *shop, u, p uuid.UUID) { s.world.carts[u].items[p] = 2 }},
		{"422 address_unknown", func(_ *shop, _, _ uuid.UUID, b object) { b["billing_address_id"] = uuid.Max }, nil},
		{"422 payment_method_unknown", func(_ *shop, _, _ uuid.UUID, b object) {
			b["payment"] = object{"method": "card", "token": "pm_unknown"}
		}, nil},
		{"403 account_not_active", func(s *shop, u, _ uuid.UUID, _ object) { s.world.accounts[u] = "disabled" },
			func(s *shop, u, _ uuid.UUID) { s.world.accounts[u] = "active" }},
	}
	s := open(t)
	for _, c := range cases {
		t.Run(c.want, func(t *testing.T) {
			product := s.world.product(1000, 9)
			user := s.buyer(product, 2)
			body := s.body(total(1000, 2))
			c.arrange(s, user, product, body)
			rec := s.call("POST", "/v1/orders", user.String(), "k", body)
			if got := codeOf(rec); got != c.want {
				t.Fatalf("got %s, want %s: %s", got, c.want, rec.Body)
			}
			if c.undo != nil {
				c.undo(s, user, product)
			}
			s.world.untouched(t, user, product, 2, 9)
			// One try, or two where the cart was read before the first began and has changed since.
			if got := slices.Compact(s.column(`SELECT state FROM checkouts WHERE user_id = $1`, user)); len(got) != 1 || got[0] != "undone" {
				t.Errorf("checkouts: got %v, want undone", got)
			}
			// A refusal is not kept: the same key may order now.
			if got := codeOf(s.place(user, "k", total(1000, 2))); got != "201 " {
				t.Errorf("same key once it is possible: got %s", got)
			}
			s.world.mu.Lock()
			s.world.prepared = map[uuid.UUID]bool{}
			s.world.mu.Unlock()
		})
	}
}

func TestOutOfStockNamesTheLines(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 1)
	rec := s.place(s.buyer(product, 2), "k", total(1000, 2))
	got := decode[struct {
		Errors []struct{ Field, Code string }
		Lines  []struct {
			ProductID            uuid.UUID `json:"product_id"`
			Requested, Available int64
		}
	}](t, rec)
	if len(got.Lines) != 1 || got.Lines[0].ProductID != product || got.Lines[0].Requested != 2 || got.Lines[0].Available != 1 ||
		got.Errors[0].Field != "items."+product.String() {
		t.Errorf("got %s", rec.Body)
	}
}

func TestBodiesThatAreNotAcceptable(t *testing.T) {
	s := open(t)
	user := s.buyer(s.world.product(1000, 9), 2)
	cases := map[string]func(b object){
		"422 card_number_refused": func(b object) { b["payment"] = object{"method": "card", "token": "4242 4242 4242 4242"} },
		"422 invalid_body":        func(b object) { b["payment"] = object{"method": "cheque", "token": "x"} },
		"400 unknown_field":       func(b object) { b["discount"] = 100 },
		"400 malformed_body":      func(b object) { b["shipping_address_id"] = "not an id" },
	}
	for want, change := range cases {
		body := s.body(total(1000, 2))
		change(body)
		if got := codeOf(s.call("POST", "/v1/orders", user.String(), "k", body)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := codeOf(s.call("POST", "/v1/orders", "", "k", s.body(1))); got != "401 token_missing" {
		t.Errorf("nobody: got %s", got)
	}
	if n := len(s.world.calls); n != 0 {
		t.Errorf("a body that is refused asked %d routes of neighbours", n)
	}
}

// lostAnswer commits and then loses the answer of the database.
type lostAnswer struct{ checkout.Store }

func (l lostAnswer) Commit(ctx context.Context, out order.Outcome, key idempotency.Key, a idempotency.Answer) error {
	return errors.Join(l.Store.Commit(ctx, out, key, a), errors.New("connection lost"))
}

func TestCommitWhoseAnswerIsLost(t *testing.T) {
	s := open(t)
	s.saga.Store = lostAnswer{s.saga.Store}
	product := s.world.product(1000, 9)
	user := s.buyer(product, 2)
	rec := s.place(user, "k", total(1000, 2))
	if rec.Code != http.StatusCreated {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	again := s.place(user, "k", total(1000, 2))
	if !bytes.Equal(again.Body.Bytes(), rec.Body.Bytes()) || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay: got %s, want %s", again.Body, rec.Body)
	}
	if s.world.available(product) != 7 || s.world.inCart(user, product) != 0 {
		t.Error("a committed order was undone")
	}
}

// Many quotes that wait for a slow neighbour keep no connection of the database
// from others, whether they have a key or not. A key keeps the first answer.
func TestQuotesHoldNoTransaction(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 9)
	user := s.buyer(product, 2)
	quote := func() *httptest.ResponseRecorder {
		return s.call("POST", "/v1/quotes", user.String(), "k", object{"shipping_address_id": s.world.address})
	}
	hook, arrived, resume := stall()
	s.world.fault("/internal/products/lookup", hook, nil)
	answer := make(chan *httptest.ResponseRecorder, 1)
	go func() { answer <- quote() }()
	<-arrived
	s.world.fault("/internal/products/lookup", nil, nil)
	if got := s.column(`SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`); len(got) != 0 {
		t.Errorf("a transaction waits for Product: %v", got)
	}
	close(resume)
	first := <-answer
	s.world.fill(user, product, 3)
	again := quote()
	if first.Code != 200 || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("got %d %s, then %d %s", first.Code, first.Body, again.Code, again.Body)
	}
}

// A cart whose lines came back from an undone checkout may hold more than one
// order can: that is the customer's to mend, and no error of ours.
func TestMoreLinesThanAnOrderHolds(t *testing.T) {
	s := open(t)
	user := service.NewID()
	for range 1201 {
		s.world.fill(user, s.world.product(10, 5), 1)
	}
	quote := s.call("POST", "/v1/quotes", user.String(), "", object{"shipping_address_id": s.world.address})
	if got := codeOf(quote); got != "422 cart_too_large" {
		t.Errorf("quote: got %s", got)
	}
	if got := codeOf(s.place(user, "k", 1)); got != "422 cart_too_large" {
		t.Errorf("order: got %s", got)
	}
}
