package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/product/internal/httpapi"
	"github.com/caravan-shop/caravan/services/product/internal/postgres"
	"github.com/caravan-shop/caravan/services/product/internal/product"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

// tokens are known users by their token: "staff" or "customer:<id>".
type tokens struct{}

func (tokens) Verify(_ context.Context, token string) (auth.Principal, error) {
	role, id, _ := strings.Cut(token, ":")
	user, err := uuid.Parse(id)
	if err != nil {
		return auth.Principal{}, auth.ErrInvalid
	}
	return auth.Principal{UserID: user, Roles: []string{role}}, nil
}

// orders says of every order and purchase that it is known.
type orders struct{}

func (orders) States(context.Context, []uuid.UUID) (map[uuid.UUID]stock.OrderState, error) {
	return nil, nil
}
func (orders) Purchased(context.Context, uuid.UUID, uuid.UUID) (bool, error) { return true, nil }

type client struct {
	t   *testing.T
	url string
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func serve(t *testing.T) client {
	t.Helper()
	spec, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	db, log := pgtest.Open(t, postgres.Migrations()), slog.New(slog.DiscardHandler)
	box := outbox.New(db, newID, time.Now)
	store := postgres.NewCatalogue(db, box, newID, time.Now, nil)
	search := postgres.NewSearch(store)
	h, err := httpapi.New(web.Setup{App: "product", Spec: spec, AppToken: "secret", Verifier: tokens{}, Keys: idempotency.New(db, time.Now), Log: log},
		&httpapi.Server{
			Categories: product.NewCategories(store, newID, time.Now),
			Catalogue:  product.NewCatalogue(store, store, "GBP", newID, time.Now),
			Importer:   product.NewImporter(store, "GBP", newID, time.Now, log),
			Reviews:    product.NewReviews(store, store, orders{}, newID, time.Now, log),
			Alerts:     product.NewAlerts(store, store),
			Stock:      stock.New(postgres.NewStock(db, box, nil), orders{}, time.Hour, log),
			Searcher:   product.Fallback{Index: search, Database: search},
			Records:    store,
		})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return client{t: t, url: srv.URL}
}

type reply struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// do sends a request; headers come in pairs.
func (c client) do(method, path, body string, headers ...string) reply {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("dapr-api-token", "secret")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	_ = json.NewDecoder(bytes.NewReader(raw)).Decode(&r.body)
	return r
}

func (c client) want(r reply, status int, code string) reply {
	c.t.Helper()
	if got, _ := r.body["code"].(string); r.status != status || got != code {
		c.t.Fatalf("got %d %s, want %d %s", r.status, r.raw, status, code)
	}
	return r
}

var staff = []string{"Authorization", "Bearer staff:" + newID().String()}

func bearer(more ...string) []string { return append(more, staff...) }

func (c client) category(name string) string {
	c.t.Helper()
	r := c.want(c.do("POST", "/v1/categories", fmt.Sprintf(`{"name":%q}`, name), staff...), 201, "")
	return r.body["id"].(string)
}

func (c client) product(sku, category string) reply {
	c.t.Helper()
	body := fmt.Sprintf(`{"sku":%q,"name":"Mug","category_id":%q,"price":{"amount":250,"currency":"GBP"},"images":["https://x.example/a.png"]}`, sku, category)
	return c.want(c.do("POST", "/v1/products", body, staff...), 201, "")
}

func TestProductsOverHTTP(t *testing.T) {
	c := serve(t)
	category := c.category("Kitchen")
	made := c.product("A/1 b", category)
	path := "/v1/products/" + made.body["id"].(string)
	if got := made.header.Get("Location"); got != path || made.header.Get("ETag") != `"1.1"` {
		t.Errorf("location %s, etag %s", got, made.header.Get("ETag"))
	}
	c.want(c.do("PATCH", path, `{"name":"Cup"}`, staff...), 428, "if_match_required")
	c.want(c.do("PATCH", path, `nonsense`, bearer("If-Match", `"7"`)...), 412, "precondition_failed")
	c.want(c.do("PATCH", path, `{"naem":"Cup"}`, bearer("If-Match", `"1"`)...), 400, "unknown_field")
	c.want(c.do("PATCH", path, `{"name":""}`, bearer("If-Match", `"1"`)...), 422, "validation_failed")
	if r := c.want(c.do("PATCH", path, `{"name":"Cup"}`, bearer("If-Match", `"1"`)...), 200, ""); r.header.Get("ETag") != `"2.2"` || r.body["name"] != "Cup" {
		t.Errorf("patched: %s", r.raw)
	}
	c.want(c.do("PATCH", "/v1/products/"+newID().String(), `{}`, staff...), 404, "product_not_found")
	c.want(c.do("PATCH", path, `{}`, "Authorization", "Bearer customer:"+newID().String()), 403, "role_required")
	c.want(c.do("PATCH", path, `{}`), 401, "token_missing")
	if r := c.want(c.do("GET", "/v1/products/by-sku/A%2F1%20b", ""), 200, ""); r.body["sku"] != "A/1 b" {
		t.Errorf("by sku: %s", r.raw)
	}
	c.want(c.do("GET", "/v1/products/by-sku/a%2F1%20b", ""), 404, "product_not_found")
	c.want(c.do("GET", "/v1/products?status=draft", ""), 403, "role_required")
	c.want(c.do("GET", "/v1/products?limit=0", ""), 400, "bad_limit")
	c.want(c.do("DELETE", "/v1/categories/"+category, "", staff...), 409, "category_in_use")
	c.want(c.do("DELETE", path, "", staff...), 204, "")
	if r := c.want(c.do("GET", "/v1/products", ""), 200, ""); len(r.body["items"].([]any)) != 0 {
		t.Errorf("an archived product is listed: %s", r.raw)
	}
	if r := c.want(c.do("GET", path, ""), 200, ""); r.body["status"] != "archived" {
		t.Errorf("by id: %s", r.raw)
	}
}

func TestIdempotencyKeyOfAProduct(t *testing.T) {
	c := serve(t)
	body := fmt.Sprintf(`{"sku":"A","name":"Mug","category_id":%q,"price":{"amount":250,"currency":"GBP"}}`, c.category("Kitchen"))
	first := c.want(c.do("POST", "/v1/products", body, bearer("Idempotency-Key", "k1")...), 201, "")
	again := c.want(c.do("POST", "/v1/products", body, bearer("Idempotency-Key", "k1")...), 201, "")
	if first.raw != again.raw || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay %q, want %q", again.raw, first.raw)
	}
	c.want(c.do("POST", "/v1/products", body, bearer("Idempotency-Key", "k2")...), 409, "sku_taken")
}

func TestCategoriesOverHTTP(t *testing.T) {
	c := serve(t)
	root := c.category("Kitchen")
	child := c.want(c.do("POST", "/v1/categories", fmt.Sprintf(`{"name":"Mugs","parent_id":%q}`, root), staff...), 201, "").body["id"].(string)
	c.want(c.do("PATCH", "/v1/categories/"+root, fmt.Sprintf(`{"parent_id":%q}`, child), staff...), 409, "category_cycle")
	r := c.want(c.do("GET", "/v1/categories", ""), 200, "")
	top := r.body["items"].([]any)
	if len(top) != 1 || len(top[0].(map[string]any)["children"].([]any)) != 1 {
		t.Errorf("tree: %s", r.raw)
	}
	c.want(c.do("PATCH", "/v1/categories/"+child, `{"parent_id":null}`, bearer("If-Match", `"1"`)...), 200, "")
	c.want(c.do("PATCH", "/v1/categories/"+child, `{"name":"x"}`, bearer("If-Match", `"1"`)...), 412, "precondition_failed")
	c.want(c.do("DELETE", "/v1/categories/"+child, "", staff...), 204, "")
	c.want(c.do("GET", "/v1/categories/"+child, ""), 404, "category_not_found")
}

func TestImportAndExportOverHTTP(t *testing.T) {
	c := serve(t)
	lines := `{"sku":"A","name":"Mug","category":"Kitchen","price":{"amount":250,"currency":"GBP"},"quantity":4}` + "\n" + `{"sku":"B"}` + "\n"
	c.want(c.do("POST", "/v1/products/import", lines, staff...), 415, "unsupported_media_type")
	r := c.want(c.do("POST", "/v1/products/import", lines, bearer("Content-Type", "application/x-ndjson")...), 200, "")
	if r.body["created"] != 1.0 || r.body["failed"] != 1.0 || len(r.body["errors"].([]any)) != 1 {
		t.Errorf("import: %s", r.raw)
	}
	out := c.do("GET", "/v1/products/export", "", staff...)
	back := c.want(c.do("POST", "/v1/products/import", out.raw, bearer("Content-Type", "application/x-ndjson")...), 200, "")
	if back.body["unchanged"] != 1.0 || back.body["failed"] != 0.0 {
		t.Errorf("the export as an import: %s of %s", back.raw, out.raw)
	}
}

func TestStockOverHTTP(t *testing.T) {
	c := serve(t)
	id := c.product("A", c.category("Kitchen")).body["id"].(string)
	path := "/v1/products/" + id + "/inventory"
	c.want(c.do("POST", path+"/adjustments", `{"delta":5,"reason":"delivery"}`, staff...), 201, "")
	c.want(c.do("POST", path+"/adjustments", `{"delta":-6,"reason":"lost"}`, staff...), 409, "below_committed")
	order := newID().String()
	hold := fmt.Sprintf(`{"order_id":%q,"user_id":%q,"lines":[{"product_id":%q,"quantity":2}]}`, order, newID(), id)
	r := c.want(c.do("POST", "/internal/holds/place", hold), 200, "")
	line := r.body["lines"].([]any)[0].(map[string]any)
	if r.body["result"] != "held" || line["quantity"] != 2.0 || line["unit_price"].(map[string]any)["amount"] != 250.0 || r.body["expires_at"] == nil {
		t.Errorf("hold: %s", r.raw)
	}
	short := strings.Replace(strings.Replace(hold, order, newID().String(), 1), `"quantity":2`, `"quantity":9`, 1)
	if r := c.want(c.do("POST", "/internal/holds/place", short), 200, ""); !strings.Contains(r.raw, `"available":3`) || r.body["result"] != "out_of_stock" {
		t.Errorf("short hold: %s", r.raw)
	}
	if r := c.do("GET", path, ""); strings.TrimSpace(r.raw) != `{"available":3}` {
		t.Errorf("for shoppers: %s", r.raw)
	}
	if r := c.do("GET", path, "", staff...); r.body["held"] != 2.0 || r.body["on_hand"] != 5.0 {
		t.Errorf("for staff: %s", r.raw)
	}
	if r := c.do("POST", "/internal/products/lookup", fmt.Sprintf(`{"product_ids":[%q,%q]}`, id, newID())); len(r.body["products"].([]any)) != 1 || !strings.Contains(r.raw, `"available":3`) {
		t.Errorf("lookup: %s", r.raw)
	}
	for _, want := range []string{"released", "released"} {
		if r := c.do("POST", "/internal/holds/release", fmt.Sprintf(`{"order_id":%q}`, order)); r.body["result"] != want {
			t.Errorf("release: %s", r.raw)
		}
	}
	if r := c.do("POST", "/internal/holds/place", hold); strings.TrimSpace(r.raw) != `{"result":"undone"}` {
		t.Errorf("late hold: %s", r.raw)
	}
}

func TestReviewsOverHTTP(t *testing.T) {
	c := serve(t)
	id := c.product("A", c.category("Kitchen")).body["id"].(string)
	ann := "Bearer customer:" + newID().String()
	path := "/v1/products/" + id + "/reviews"
	c.want(c.do("POST", path, `{"rating":6}`, "Authorization", ann), 422, "validation_failed")
	r := c.want(c.do("POST", path, `{"rating":5,"title":"Lovely"}`, "Authorization", ann), 201, "")
	if r.body["verified_purchase"] != true {
		t.Errorf("review: %s", r.raw)
	}
	review := "/v1/reviews/" + r.body["id"].(string)
	c.want(c.do("PATCH", review, `{"rating":1}`, "Authorization", "Bearer customer:"+newID().String()), 404, "review_not_found")
	c.want(c.do("PATCH", review, `{"rating":4}`, "Authorization", ann, "If-Match", `"1"`), 200, "")
	if r := c.do("GET", "/v1/products/"+id, ""); r.body["rating"].(map[string]any)["average"] != 4.0 {
		t.Errorf("rating: %s", r.raw)
	}
	c.want(c.do("POST", review+"/moderate", `{"status":"rejected"}`, staff...), 200, "")
	if r := c.do("GET", path, ""); len(r.body["items"].([]any)) != 0 {
		t.Errorf("a rejected review is shown: %s", r.raw)
	}
	c.want(c.do("DELETE", review, "", "Authorization", ann), 204, "")
}

func TestSearchOverHTTP(t *testing.T) {
	c := serve(t)
	c.product("A", c.category("Kitchen"))
	r := c.want(c.do("GET", "/v1/search?q=mugs&price_max=300&attr.colour=&brand=", ""), 200, "")
	if _, has := r.body["facets"].(map[string]any)["brand"]; !has || r.body["degraded"] != false {
		t.Errorf("search: %s", r.raw)
	}
	c.want(c.do("GET", "/v1/search?sort=best", ""), 400, "malformed_parameter")
	c.want(c.do("GET", "/v1/search?price_min=x", ""), 400, "malformed_parameter")
	c.want(c.do("GET", "/v1/search?cursor=x", ""), 400, "bad_cursor")
	if r := c.want(c.do("GET", "/v1/suggest?q=mu", ""), 200, ""); len(r.body["products"].([]any)) != 1 {
		t.Errorf("suggest: %s", r.raw)
	}
}
