package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/cart/internal/cache"
	"github.com/caravan-shop/caravan/services/cart/internal/cart"
	"github.com/caravan-shop/caravan/services/cart/internal/carttest"
	"github.com/caravan-shop/caravan/services/cart/internal/httpapi"
	"github.com/caravan-shop/caravan/services/cart/internal/subscriber"
	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/internal/web"
)

const appToken = "app-token"

// verifier takes "user <id>" and "staff <id>" for tokens.
type verifier struct{}

func (verifier) Verify(_ context.Context, token string) (auth.Principal, error) {
	role, id, _ := strings.Cut(token, ":")
	user, err := uuid.Parse(id)
	if err != nil {
		return auth.Principal{}, auth.ErrInvalid
	}
	return auth.Principal{UserID: user, SessionID: user, Roles: []string{role}}, nil
}

// products stands for Product: known ones cost 250 and 7 of each are there.
type products struct {
	known []uuid.UUID
	away  atomic.Bool
}

func (p *products) Lookup(_ context.Context, ids []uuid.UUID) (map[uuid.UUID]cart.Product, error) {
	if p.away.Load() {
		return nil, fault.New(fault.Unavailable, "neighbour_unavailable", "away")
	}
	out := map[uuid.UUID]cart.Product{}
	for _, id := range ids {
		for i, known := range p.known {
			if id == known {
				status := []string{"active", "archived"}[i%2]
				out[id] = cart.Product{ID: id, SKU: "85123A", Name: "Heart", Price: money.New(250, "GBP"), Status: status, Available: 7}
			}
		}
	}
	return out, nil
}

func (p *products) Glance(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]cart.Product, error) {
	return p.Lookup(ctx, ids)
}

type api struct {
	t        *testing.T
	handler  http.Handler
	products *products
	user     string // Authorization of a user
}

func newAPI(t *testing.T) api {
	t.Helper()
	spec, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	router, err := web.NewRouter(web.Setup{App: "cart", Spec: spec, AppToken: appToken, Verifier: verifier{}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	o, err := cache.Options(carttest.RedisURL(t, 11))
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(o)
	t.Cleanup(func() { _ = rdb.Close() })
	state := carttest.Open(t)
	p := &products{known: []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}}
	carts := cart.New(cart.Deps{
		Store: state.Store, Cache: cache.New(rdb, uuid.New, time.Now, log), Catalog: p, TTL: time.Hour, Currency: "GBP",
		Now: time.Now, NewID: uuid.New, Random: rand.Reader, Log: log,
	})
	httpapi.Register(router, carts, state.Collection, time.Now)
	delivery.Register(router, log, func(context.Context, delivery.Refusal) error { return nil }, subscriber.Handlers(carts, state.Worklist, time.Now))
	return api{t, router, p, "Bearer customer:" + uuid.NewString()}
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
}

// call makes a request; headers are "name: value".
func (a api) call(method, path, body string, headers ...string) answer {
	a.t.Helper()
	r := httptest.NewRequestWithContext(a.t.Context(), method, path, bytes.NewBufferString(body))
	r.Header.Set("dapr-api-token", appToken)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	a.handler.ServeHTTP(rec, r)
	out := answer{status: rec.Code, header: rec.Header()}
	if rec.Body.Len() > 0 {
		if err := json.Unmarshal(rec.Body.Bytes(), &out.body); err != nil {
			a.t.Fatalf("%s %s: answer %q: %v", method, path, rec.Body, err)
		}
	}
	return out
}

func (a api) want(got answer, status int, code string) answer {
	a.t.Helper()
	if got.status != status || (code != "" && got.body["code"] != code) {
		a.t.Fatalf("got %d %v, want %d %s", got.status, got.body, status, code)
	}
	return got
}

func (a api) signedIn() string { return "Authorization: " + a.user }

func line(product uuid.UUID, quantity int) string {
	return fmt.Sprintf(`{"product_id":%q,"quantity":%d}`, product, quantity)
}

func TestShopping(t *testing.T) {
	a := newAPI(t)
	p := a.products.known[0]
	me := a.signedIn()

	empty := a.want(a.call("GET", "/v1/cart", "", me), 200, "")
	if empty.header.Get("Etag") != `"0"` || empty.body["expires_at"] != nil {
		t.Errorf("a new user's cart: %v %v", empty.header, empty.body)
	}
	added := a.want(a.call("POST", "/v1/cart/items", line(p, 2), me, `If-Match: "0"`), 200, "")
	a.want(a.call("POST", "/v1/cart/items", line(p, 2), me, `If-Match: "0"`), 412, "precondition_failed")
	tag := added.header.Get("Etag")

	shown := a.want(a.call("GET", "/v1/cart", "", me, "If-None-Match: "+tag), 200, "")
	item := shown.body["items"].([]any)[0].(map[string]any)
	if item["name"] != "Heart" || item["quantity"] != 2.0 || item["available"] != 7.0 {
		t.Errorf("item: %v", item)
	}
	totals := shown.body["totals"].(map[string]any)["subtotal"].(map[string]any)
	if totals["amount"] != 500.0 || totals["currency"] != "GBP" || shown.header.Get("Etag") != tag {
		t.Errorf("totals %v, tag %s, want %s", totals, shown.header.Get("Etag"), tag)
	}

	over := a.want(a.call("PUT", "/v1/cart/items/"+p.String(), `{"quantity":9}`, me), 200, "")
	if over.body["unit_count"] != 9.0 {
		t.Errorf("after PUT: %v", over.body)
	}
	changes := a.call("GET", "/v1/cart", "", me).body["changes"].([]any)
	if len(changes) != 1 || changes[0].(map[string]any)["kind"] != "insufficient_stock" {
		t.Errorf("changes: %v", changes)
	}

	a.products.away.Store(true)
	blind := a.want(a.call("GET", "/v1/cart", "", me), 200, "")
	if blind.body["degraded"] != true || len(blind.body["items"].([]any)) != 1 {
		t.Errorf("without Product: %v", blind.body)
	}
	a.want(a.call("POST", "/v1/cart/items", line(p, 1), me), 503, "neighbour_unavailable")
	a.products.away.Store(false)

	a.want(a.call("DELETE", "/v1/cart/items/"+p.String(), "", me), 204, "")
	a.want(a.call("DELETE", "/v1/cart/items/"+p.String(), "", me), 204, "")
	a.want(a.call("DELETE", "/v1/cart", "", me), 204, "")
}

func TestRefusals(t *testing.T) {
	a := newAPI(t)
	p, archived := a.products.known[0], a.products.known[1]
	me := a.signedIn()
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     string
	}{
		{"nobody", "GET", "/v1/cart", "", nil, 401, "token_missing"},
		{"bad access token", "GET", "/v1/cart", "", []string{"Authorization: Bearer x"}, 401, "token_invalid"},
		{"unknown cart token", "GET", "/v1/cart", "", []string{"X-Cart-Token: x"}, 401, "cart_token_invalid"},
		{"unknown cart token before a bad body", "POST", "/v1/cart/items", "{", []string{"X-Cart-Token: x"}, 401, "cart_token_invalid"},
		{"merge as a guest", "POST", "/v1/cart/merge", `{"cart_token":"x"}`, nil, 401, "token_missing"},
		{"merge without a token", "POST", "/v1/cart/merge", `{}`, []string{me}, 422, "validation_failed"},
		{"unknown product", "POST", "/v1/cart/items", line(uuid.New(), 1), []string{me}, 422, "product_unknown"},
		{"archived product", "POST", "/v1/cart/items", line(archived, 1), []string{me}, 422, "product_not_available"},
		{"no quantity", "POST", "/v1/cart/items", line(p, 0), []string{me}, 422, "quantity_out_of_range"},
		{"too many", "PUT", "/v1/cart/items/" + p.String(), `{"quantity":10000}`, []string{me}, 422, "quantity_out_of_range"},
		{"unknown field", "POST", "/v1/cart/items", `{"product":"x"}`, []string{me}, 400, "unknown_field"},
		{"fraction", "PUT", "/v1/cart/items/" + p.String(), `{"quantity":1.5}`, []string{me}, 400, "malformed_body"},
		{"malformed id", "PUT", "/v1/cart/items/x", `{"quantity":1}`, []string{me}, 400, "malformed_parameter"},
		{"other media type", "POST", "/v1/cart/items", line(p, 1), []string{me, "Content-Type: text/plain"}, 415, "unsupported_media_type"},
		{"stale tag before a bad body", "POST", "/v1/cart/items", "{", []string{me, `If-Match: "7"`}, 412, "precondition_failed"},
		{"list for staff", "GET", "/v1/carts/expiring", "", []string{me}, 403, "role_required"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := a
			a.t = t
			a.want(a.call(c.method, c.path, c.body, c.headers...), c.status, c.code)
		})
	}
}

func TestGuestAndMerge(t *testing.T) {
	a := newAPI(t)
	p := a.products.known[0]
	opened := a.want(a.call("POST", "/v1/guest-carts", ""), 201, "")
	token := opened.body["cart_token"].(string)
	guest := "X-Cart-Token: " + token
	a.want(a.call("POST", "/v1/cart/items", line(p, 3), guest), 200, "")
	if got := a.call("GET", "/v1/cart", "", guest); got.body["user_id"] != nil || got.body["unit_count"] != 3.0 {
		t.Errorf("guest cart: %v", got.body)
	}
	merge := fmt.Sprintf(`{"cart_token":%q}`, token)
	for range 2 {
		got := a.want(a.call("POST", "/v1/cart/merge", merge, a.signedIn()), 200, "")
		if got.body["unit_count"] != 3.0 {
			t.Errorf("merged cart: %v", got.body)
		}
	}
	a.want(a.call("GET", "/v1/cart", "", guest), 401, "cart_token_invalid")
}

func TestReplay(t *testing.T) {
	a := newAPI(t)
	p := a.products.known[0]
	me, key := a.signedIn(), "Idempotency-Key: one"
	a.want(a.call("POST", "/v1/cart/items", line(p, 2), me, key), 200, "")
	again := a.want(a.call("POST", "/v1/cart/items", line(p, 2), me, key, `If-Match: "1"`), 200, "")
	if again.header.Get("Idempotency-Replayed") != "true" || again.body["unit_count"] != 2.0 {
		t.Errorf("replay: %v %v", again.header, again.body)
	}
	a.want(a.call("POST", "/v1/cart/items", line(p, 3), me, key), 422, "idempotency_key_reused")
	a.want(a.call("POST", "/v1/cart/items", line(p, 3), me, "Idempotency-Key: \u00e9"), 400, "idempotency_key_malformed")
}

func TestOrdering(t *testing.T) {
	a := newAPI(t)
	p := a.products.known[0]
	me, user := a.signedIn(), strings.TrimPrefix(a.user, "Bearer customer:")
	ref := fmt.Sprintf(`{"user_id":%q}`, user)
	if got := a.want(a.call("POST", "/internal/carts/read", ref), 200, ""); got.body["result"] != "empty" || len(got.body) != 1 {
		t.Errorf("read of no cart: %v", got.body)
	}
	a.want(a.call("POST", "/v1/cart/items", line(p, 2), me), 200, "")
	read := a.want(a.call("POST", "/internal/carts/read", ref), 200, "")
	first := read.body["items"].([]any)[0].(map[string]any)
	if read.body["result"] != "ok" || first["unit_price_amount"] != 250.0 || first["quantity"] != 2.0 {
		t.Errorf("read: %v", read.body)
	}
	order := uuid.NewString()
	take := func(version float64) any {
		body := fmt.Sprintf(`{"user_id":%q,"order_id":%q,"version":%d}`, user, order, int64(version))
		return a.want(a.call("POST", "/internal/carts/take", body), 200, "").body["result"]
	}
	version := read.body["version"].(float64)
	if got := []any{take(version - 1), take(version), take(version)}; got[0] != "changed" || got[1] != "taken" || got[2] != "taken" {
		t.Errorf("takes: %v", got)
	}
	restore := fmt.Sprintf(`{"user_id":%q,"order_id":%q}`, user, order)
	for range 2 {
		if got := a.want(a.call("POST", "/internal/carts/restore", restore), 200, ""); got.body["result"] != "restored" {
			t.Errorf("restore: %v", got.body)
		}
	}
	if got := take(version); got != "undone" {
		t.Errorf("late take: %v", got)
	}
	export := a.want(a.call("POST", "/internal/export", ref), 200, "")
	if export.body["service"] != "cart" || export.body["data"].(map[string]any)["cart"].(map[string]any)["unit_count"] != 2.0 {
		t.Errorf("export: %v", export.body)
	}
}

func TestEvents(t *testing.T) {
	a := newAPI(t)
	me, user := a.signedIn(), strings.TrimPrefix(a.user, "Bearer customer:")
	a.want(a.call("POST", "/v1/cart/items", line(a.products.known[0], 2), me), 200, "")
	event := func(topic, data string) any {
		body := fmt.Sprintf(`{"id":%q,"type":%q,"source":"x","specversion":"1.0","data":%s}`, uuid.NewString(), topic, data)
		return a.want(a.call("POST", "/events/"+topic, body), 200, "").body["status"]
	}
	stamp := `"occurred_at":"2026-01-02T03:04:05Z","sequence":1`
	if got := event("product.updated", fmt.Sprintf(`{%s,"product_id":%q,"sku":"x","version":2,"changed":["price"]}`, stamp, a.products.known[0])); got != "SUCCESS" {
		t.Errorf("product.updated: %v", got)
	}
	for range 2 {
		if got := event("user.deleted", fmt.Sprintf(`{%s,"user_id":%q}`, stamp, user)); got != "SUCCESS" {
			t.Errorf("user.deleted: %v", got)
		}
	}
	if got := event("user.deleted", fmt.Sprintf(`{%s}`, stamp)); got != "DROP" {
		t.Errorf("user.deleted without a user: %v", got)
	}
	a.want(a.call("GET", "/v1/cart", "", me), 401, "account_erased")
}

func TestExpiringList(t *testing.T) {
	a := newAPI(t)
	a.want(a.call("POST", "/v1/cart/items", line(a.products.known[0], 2), a.signedIn()), 200, "")
	a.want(a.call("POST", "/v1/guest-carts", ""), 201, "") // has no lines
	staff := "Authorization: Bearer staff:" + uuid.NewString()
	got := a.want(a.call("GET", "/v1/carts/expiring?within_hours=2", "", staff), 200, "")
	if items := got.body["items"].([]any); len(items) != 1 || got.body["next_cursor"] != nil {
		t.Errorf("list: %v", got.body)
	}
	a.want(a.call("GET", "/v1/carts/expiring?within_hours=0", "", staff), 400, "malformed_parameter")
	a.want(a.call("GET", "/v1/carts/expiring?cursor=!", "", staff), 400, "bad_cursor")
}
