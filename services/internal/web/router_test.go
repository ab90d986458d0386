package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/internal/web"
)

const spec = `
openapi: 3.1.0
info: {title: test, version: "1"}
paths:
  /v1/public: {get: {x-access: public, responses: {"200": {description: ok}}}}
  /v1/mine: {post: {x-access: user, x-max-body: 64, responses: {"201": {description: ok}}}}
  /v1/must: {post: {x-access: user, x-idempotency: required, responses: {"201": {description: ok}}}}
  /v1/staff: {get: {x-access: staff, responses: {"200": {description: ok}}}}
  /v1/admin: {get: {x-access: admin, responses: {"200": {description: ok}}}}
  /internal/x: {post: {x-access: internal, responses: {"200": {description: ok}}}}
`

// tokens maps a token to who it belongs to.
type tokens map[string]auth.Principal

func (ts tokens) Verify(_ context.Context, token string) (auth.Principal, error) {
	if p, ok := ts[token]; ok {
		return p, nil
	}
	return auth.Principal{}, auth.ErrInvalid
}

var alice, bob = uuid.MustParse("01900000-0000-7000-8000-000000000001"), uuid.MustParse("01900000-0000-7000-8000-000000000002")

type fixture struct {
	http.Handler
	db      *pg.DB
	effects atomic.Int64
	hold    chan struct{}
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	schema, err := os.ReadFile("../idempotency/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{db: pgtest.WithSchemas(t, string(schema), `CREATE TABLE effects (note text NOT NULL);`)}
	r, err := web.NewRouter(web.Setup{
		App: "test", Spec: []byte(spec), AppToken: "app", Log: slog.New(slog.DiscardHandler),
		Verifier: tokens{"alice": {UserID: alice, Roles: []string{auth.Customer}}, "bob": {UserID: bob}, "staff": {UserID: bob, Roles: []string{auth.Staff}}, "admin": {UserID: bob, Roles: []string{auth.Admin}}},
		Keys:     idempotency.New(f.db, time.Now),
	})
	if err != nil {
		t.Fatal(err)
	}
	ok := func(w http.ResponseWriter, r *http.Request) {
		web.Handle(w, r, func(context.Context) (web.Response, error) { return web.OK(map[string]string{"a": "b"}), nil })
	}
	for _, p := range []string{"/v1/public", "/v1/staff", "/v1/admin", "/v1/undeclared"} {
		r.HandleFunc(p, ok).Methods(http.MethodGet)
	}
	r.HandleFunc("/internal/x", ok).Methods(http.MethodPost)
	r.HandleFunc("/v1/mine", f.write).Methods(http.MethodPost)
	r.HandleFunc("/v1/must", f.write).Methods(http.MethodPost)
	f.Handler = r
	return f
}

func (f *fixture) write(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[struct {
			Note string `json:"note"`
		}](r)
		if err != nil {
			return web.Response{}, err
		}
		if _, err := f.db.Conn(ctx).Exec(ctx, `INSERT INTO effects (note) VALUES ($1)`, in.Note); err != nil {
			return web.Response{}, err
		}
		if in.Note == "refuse" {
			return web.Response{}, fault.New(fault.Conflict, "refused", "No.")
		}
		if f.hold != nil {
			<-f.hold
		}
		return web.Created("/v1/mine/1", map[string]int64{"n": f.effects.Add(1)}), nil
	})
}

func (f *fixture) do(method, path, token, key, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("dapr-api-token", "app")
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	rec := httptest.NewRecorder()
	f.ServeHTTP(rec, req)
	return rec
}

func code(rec *httptest.ResponseRecorder) string {
	var doc struct{ Code string }
	_ = json.NewDecoder(strings.NewReader(rec.Body.String())).Decode(&doc)
	return fmt.Sprint(rec.Code, " ", doc.Code)
}

func TestChecksComeInOrder(t *testing.T) {
	f := newFixture(t)
	long := `{"note":"` + strings.Repeat("x", 100) + `"}`
	for _, c := range []struct{ name, method, path, token, key, body, want string }{
		{"public", "GET", "/v1/public", "", "", "", "200 "},
		{"too large before token", "POST", "/v1/mine", "", "", long, "413 body_too_large"},
		{"no token", "POST", "/v1/mine", "", "", "{}", "401 token_missing"},
		{"bad token", "POST", "/v1/mine", "eve", "", "{}", "401 token_invalid"},
		{"customer at staff's", "GET", "/v1/staff", "alice", "", "", "403 role_required"},
		{"staff", "GET", "/v1/staff", "staff", "", "", "200 "},
		{"admin is staff", "GET", "/v1/staff", "admin", "", "", "200 "},
		{"staff at admin's", "GET", "/v1/admin", "staff", "", "", "403 role_required"},
		{"internal", "POST", "/internal/x", "", "", "{}", "200 "},
		{"route that the document does not know", "GET", "/v1/undeclared", "admin", "", "", "404 route_unknown"},
		{"no route", "GET", "/v1/nothing", "", "", "", "404 route_unknown"},
		{"method", "PUT", "/v1/public", "", "", "", "405 method_not_allowed"},
		{"unknown field", "POST", "/v1/mine", "alice", "", `{"x":1}`, "400 unknown_field"},
		{"two values", "POST", "/v1/mine", "alice", "", `{} {}`, "400 malformed_body"},
		{"NUL", "POST", "/v1/mine", "alice", "", `{"note":"\u0000"}`, "400 malformed_body"},
		{"key required", "POST", "/v1/must", "alice", "", `{"x":1}`, "428 idempotency_key_required"},
		{"bad key", "POST", "/v1/must", "alice", "é", `{}`, "400 idempotency_key_malformed"},
		{"NUL in query", "GET", "/v1/public?a=%00", "", "", "", "400 malformed_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := code(f.do(c.method, c.path, c.token, c.key, c.body)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestOnlyTheSidecarMayCall(t *testing.T) {
	f := newFixture(t)
	req := httptest.NewRequest("GET", "/v1/public", nil)
	req.Header.Set("dapr-api-token", "guess")
	rec := httptest.NewRecorder()
	f.ServeHTTP(rec, req)
	if got, want := code(rec), "401 sidecar_token_invalid"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRepeatedKeyGivesTheSameBytes(t *testing.T) {
	f := newFixture(t)
	first := f.do("POST", "/v1/mine", "alice", "k1", `{"note":"a"}`)
	again := f.do("POST", "/v1/mine", "alice", "k1", `{"note":"a"}`)
	if first.Code != 201 || again.Code != 201 || first.Body.String() != again.Body.String() || again.Header().Get("Location") != "/v1/mine/1" {
		t.Errorf("got %d %q then %d %q", first.Code, first.Body, again.Code, again.Body)
	}
	if again.Header().Get("Idempotency-Replayed") != "true" || first.Header().Get("Idempotency-Replayed") != "" {
		t.Error("the replay alone must say that it is one")
	}
	if got, want := code(f.do("POST", "/v1/mine", "alice", "k1", `{"note":"b"}`)), "422 idempotency_key_reused"; got != want {
		t.Errorf("other body: got %s, want %s", got, want)
	}
	if rec := f.do("POST", "/v1/mine", "bob", "k1", `{"note":"a"}`); rec.Code != 201 || f.effects.Load() != 2 {
		t.Errorf("another user's key: got %d with %d effects, want 201 with 2", rec.Code, f.effects.Load())
	}
}

func TestRefusalIsNotKeptAndLeavesNothing(t *testing.T) {
	f := newFixture(t)
	for range 2 {
		if got, want := code(f.do("POST", "/v1/mine", "alice", "k2", `{"note":"refuse"}`)), "409 refused"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	var n int
	if err := f.db.Conn(context.Background()).QueryRow(context.Background(), `SELECT count(*) FROM effects`).Scan(&n); err != nil || n != 0 {
		t.Errorf("effects of a refusal: got %d (%v), want 0", n, err)
	}
}

func TestFiftyAtOnceTakeEffectOnce(t *testing.T) {
	f := newFixture(t)
	f.hold = make(chan struct{})
	var wg sync.WaitGroup
	var busy, made atomic.Int64
	for range 50 {
		wg.Go(func() {
			rec := f.do("POST", "/v1/must", "alice", "k3", `{"note":"a"}`)
			switch {
			case rec.Code == 201:
				made.Add(1)
			case code(rec) == "409 idempotency_in_progress":
				if busy.Add(1) == 49 {
					close(f.hold)
				}
			default:
				body, _ := io.ReadAll(rec.Body)
				t.Errorf("got %d %s", rec.Code, body)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || f.effects.Load() != 1 {
		t.Errorf("got %d answers and %d effects, want 1 and 1", made.Load(), f.effects.Load())
	}
}

func TestKeyedRequestNeedsOneConnection(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	for i := range 60 { // five times the pool
		wg.Go(func() {
			if rec := f.do("POST", "/v1/must", "alice", fmt.Sprint("many-", i), `{"note":"a"}`); rec.Code != 201 {
				t.Errorf("got %s, want 201", code(rec))
			}
		})
	}
	wg.Wait()
	if got := f.effects.Load(); got != 60 {
		t.Errorf("effects: got %d, want 60", got)
	}
}
