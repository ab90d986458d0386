package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/product/internal/postgres"
	"github.com/caravan-shop/caravan/services/product/internal/search"
)

// daprd stands in for the sidecar: it hands published events straight back to
// the app's own subscriptions, and answers for User and Order.
type daprd struct {
	app    string // URL of the app
	key    *ecdsa.PrivateKey
	status atomic.Value // what Order says of every order
}

func (d *daprd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1.0/publish/bulk/pubsub/"):
		d.deliver(strings.TrimPrefix(r.URL.Path, "/v1.0/publish/bulk/pubsub/"), body)
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "/.well-known/jwks.json"):
		coordinate := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, 32))) }
		_, _ = fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"k1","x":%q,"y":%q}]}`, coordinate(d.key.X), coordinate(d.key.Y))
	case strings.HasSuffix(r.URL.Path, "/internal/sessions/revoked"):
		_, _ = io.WriteString(w, `{"session_ids":[]}`)
	case strings.HasSuffix(r.URL.Path, "/internal/orders/states"):
		var in struct {
			OrderIDs []string `json:"order_ids"`
		}
		_ = json.Unmarshal(body, &in)
		var orders []map[string]any
		for _, id := range in.OrderIDs {
			orders = append(orders, map[string]any{"order_id": id, "status": d.status.Load()})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"orders": orders})
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// deliver calls the app as the sidecar does, twice: deliveries repeat.
func (d *daprd) deliver(topic string, body []byte) {
	var entries []struct {
		EntryID string          `json:"entryId"`
		Event   json.RawMessage `json:"event"`
	}
	_ = json.Unmarshal(body, &entries)
	for _, e := range entries {
		event, _ := json.Marshal(map[string]any{"id": e.EntryID, "type": topic, "source": "product", "data": e.Event})
		for range 2 {
			req, _ := http.NewRequest(http.MethodPost, d.app+"/events/"+topic, strings.NewReader(string(event)))
			req.Header.Set("dapr-api-token", "app-token")
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}
	}
}

func (d *daprd) token(t *testing.T, role string) string {
	t.Helper()
	tok := jwt.NewWithClaims(jwt.SigningMethodES256, auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: auth.Issuer, Audience: jwt.ClaimStrings{auth.Audience}, Subject: uuid.NewString(),
			ID: uuid.NewString(), IssuedAt: jwt.NewNumericDate(time.Now()), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))},
		SessionID: uuid.New(), Roles: []string{role},
	})
	tok.Header["kid"], tok.Header["typ"] = "k1", auth.TokenType
	signed, err := tok.SignedString(d.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func env(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run the tests by `make test`", name)
	}
	return v
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

type running struct {
	t     *testing.T
	url   string
	daprd *daprd
	staff string
}

// start runs the whole service on real stores of its own.
func start(t *testing.T) running {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	d := &daprd{app: "http://127.0.0.1:" + strconv.Itoa(port), key: key}
	d.status.Store("created")
	side := httptest.NewServer(d)
	t.Cleanup(side.Close)
	u, _ := url.Parse(side.URL)
	sidePort, _ := strconv.Atoi(u.Port())

	db := pgtest.Open(t, postgres.Migrations())
	alias := "test_main_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	cfg := Config{
		Config: service.Config{Host: "127.0.0.1", Port: port, DaprHost: "127.0.0.1", DaprHTTPPort: sidePort, AppToken: "app-token", DaprToken: "api-token",
			Shutdown: time.Second, RevokedPoll: time.Second, Currency: "GBP"},
		DatabaseURL: db.Pool().Config().ConnString(), RedisURL: env(t, "CARAVAN_TEST_REDIS"), ElasticsearchURL: env(t, "CARAVAN_TEST_ELASTICSEARCH"),
		HoldTTL: 300 * time.Millisecond, ExpiryPoll: 100 * time.Millisecond, IndexAlias: alias,
	}
	ctx, stop := context.WithCancel(context.Background())
	app, err := wire(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- app.serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		app.close()
		ix, err := search.Open(cfg.ElasticsearchURL, alias, time.Now)
		if err == nil {
			err = ix.DropAll(context.Background())
		}
		if err != nil {
			t.Error(err)
		}
	})
	r := running{t: t, url: d.app, daprd: d, staff: "Bearer " + d.token(t, "staff")}
	r.eventually(10*time.Second, "the service answers", func() bool { return r.get("/healthz").status == http.StatusNoContent })
	return r
}

type answer struct {
	status int
	raw    string
	etag   string
}

func (r running) do(method, path, media, body string, headers ...string) answer {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("dapr-api-token", "app-token")
	if media != "" {
		req.Header.Set("Content-Type", media)
		req.Header.Set("Authorization", r.staff)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}
	}
	defer func() { _ = resp.Body.Close() }()
	raw, _ := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(raw), resp.Header.Get("ETag")}
}

func (r running) get(path string) answer { return r.do(http.MethodGet, path, "", "") }

func (r running) eventually(within time.Duration, what string, ok func() bool) time.Duration {
	r.t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > within {
			r.t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(began)
}

// From a change of the catalogue or the stock to every copy of it, through the
// outbox, the topic, the subscription and the queue.
func TestCopiesFollowTheCatalogue(t *testing.T) {
	r := start(t)
	line := `{"sku":"A","name":"Blue mug","category":"Kitchen","price":{"amount":250,"currency":"GBP"},"quantity":2}`
	r.eventually(5*time.Second, "staff may import", func() bool {
		return strings.Contains(r.do(http.MethodPost, "/v1/products/import", "application/x-ndjson", line).raw, `"failed":0`)
	})
	found := func(text, want string) func() bool {
		return func() bool {
			a := r.get("/v1/search?q=" + url.QueryEscape(text))
			return strings.Contains(a.raw, want) && strings.Contains(a.raw, `"degraded":false`)
		}
	}
	r.eventually(10*time.Second, "the import is found", found("mug", `"sku":"A"`))
	var p struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(r.get("/v1/products/by-sku/A").raw), &p); err != nil {
		t.Fatal(err)
	}
	path := "/v1/products/" + p.ID
	before := r.get(path)
	if a := r.do(http.MethodPatch, path, "application/json", `{"name":"Green mug"}`, "If-Match", before.etag); a.status != http.StatusOK {
		t.Fatalf("patch: %d %s", a.status, a.raw)
	}
	r.eventually(2*time.Second, "the cache has the new name", func() bool { return strings.Contains(r.get(path).raw, "Green mug") })
	r.eventually(5*time.Second, "the index has the new name", found("green", `"sku":"A"`))

	order := uuid.NewString()
	hold := fmt.Sprintf(`{"order_id":%q,"user_id":%q,"lines":[{"product_id":%q,"quantity":2}]}`, order, uuid.NewString(), p.ID)
	if a := r.do(http.MethodPost, "/internal/holds/place", "application/json", hold); !strings.Contains(a.raw, `"result":"held"`) {
		t.Fatalf("hold: %s", a.raw)
	}
	took := r.eventually(5*time.Second, "the index shows that it is sold out", found("green", `"in_stock":false`))
	t.Logf("sold out in the index after %v", took)
	r.eventually(2*time.Second, "the cache shows that it is sold out", func() bool { return strings.Contains(r.get(path).raw, `"in_stock":false`) })

	time.Sleep(time.Second) // the hold is past due, its order stands
	if a := r.get(path + "/inventory"); !strings.Contains(a.raw, `{"available":0}`) {
		t.Fatalf("a hold whose order stands was let go: %s", a.raw)
	}
	r.daprd.status.Store("unknown")
	r.eventually(20*time.Second, "the hold ends", func() bool { return strings.Contains(r.get(path+"/inventory").raw, `{"available":2}`) })
	r.eventually(5*time.Second, "the index shows it in stock again", found("green", `"in_stock":true`))
}
