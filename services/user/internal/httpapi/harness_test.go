package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
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
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/user/internal/access"
	"github.com/caravan-shop/caravan/services/user/internal/addressing"
	"github.com/caravan-shop/caravan/services/user/internal/breached"
	"github.com/caravan-shop/caravan/services/user/internal/hashing"
	"github.com/caravan-shop/caravan/services/user/internal/httpapi"
	"github.com/caravan-shop/caravan/services/user/internal/keyring"
	"github.com/caravan-shop/caravan/services/user/internal/outage"
	"github.com/caravan-shop/caravan/services/user/internal/postgres"
	"github.com/caravan-shop/caravan/services/user/internal/sessioncache"
	"github.com/caravan-shop/caravan/services/user/internal/throttle"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

const (
	appToken = "app-token-of-the-test"
	password = "a long enough passphrase"
)

// exports stands for the neighbours.
type exports map[string]json.RawMessage

func (e exports) Export(_ context.Context, app string, _ uuid.UUID) (json.RawMessage, error) {
	data, ok := e[app]
	if !ok {
		return nil, fault.New(fault.Unavailable, "neighbour_unavailable", "away")
	}
	return data, nil
}

// shop is the whole service on a real database behind its real router.
type shop struct {
	t       *testing.T
	handler http.Handler
	db      *pg.DB
	rdb     *redis.Client
	users   *user.Service
	ring    *keyring.Ring
	exports exports
	log     *bytes.Buffer
	ip      string
	ahead   time.Duration // of the domain's clock
}

func realRedis(t *testing.T) *redis.Client {
	t.Helper()
	address := os.Getenv("CARAVAN_TEST_REDIS")
	if address == "" {
		t.Fatal("CARAVAN_TEST_REDIS is not set: run the tests by `make test`")
	}
	opt, err := redis.ParseURL(address)
	if err != nil {
		t.Fatalf("CARAVAN_TEST_REDIS: %v", err)
	}
	return closing(t, redis.NewClient(opt))
}

// noRedis is a client of a server that is not there.
func noRedis(t *testing.T) *redis.Client {
	return closing(t, redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", DialTimeout: 100 * time.Millisecond, DialerRetries: 1, MaxRetries: -1}))
}

func closing(t *testing.T, rdb *redis.Client) *redis.Client {
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func open(t *testing.T) *shop { return openWith(t, realRedis(t)) }

func openWith(t *testing.T, rdb *redis.Client) *shop {
	t.Helper()
	migrations, err := postgres.Migrations()
	must(t, err)
	s := &shop{t: t, db: pgtest.Open(t, migrations), rdb: rdb, log: &bytes.Buffer{}, exports: exports{}}
	s.ip = fmt.Sprintf("2001:db8::%x:%x", time.Now().UnixNano()&0xffff, os.Getpid()&0xffff)
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	guard := outage.New("redis", time.Now, log)
	cache := sessioncache.New(rdb, guard, time.Now)
	store := postgres.New(s.db, outbox.New(s.db, service.NewID, time.Now), func(ids []uuid.UUID) { cache.Drop(context.Background(), ids) })
	seal, err := keyring.NewSeal(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	s.ring = keyring.New(store, seal, keyring.Options{
		Lead: time.Minute, MaxAge: time.Hour, Grace: time.Hour, Now: time.Now, Random: rand.Reader,
	})
	s.users = user.New(parts(t, store, seal, guard, cache, s))
	spec, err := os.ReadFile("../../openapi.yaml")
	must(t, err)
	s.handler, err = httpapi.New(web.Setup{
		App: "user", Spec: spec, AppToken: appToken, Keys: idempotency.New(s.db, time.Now), Log: log,
		Verifier: access.New(s.ring, store, cache, time.Now),
	}, s.users, s.ring)
	must(t, err)
	return s
}

func parts(t *testing.T, store *postgres.Store, seal *keyring.Seal, guard *outage.Guard, cache *sessioncache.Cache, s *shop) user.Parts {
	hasher, err := hashing.New(hashing.Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}, 2, 100)
	must(t, err)
	formats, err := addressing.Load()
	must(t, err)
	list, err := breached.Load()
	must(t, err)
	secret := bytes.Repeat([]byte{9}, 32)
	return user.Parts{
		Tx: store, Accounts: store, Administration: store, Sessions: store, Resets: store, Verifications: store,
		Addresses: store, Factors: store, Sealer: seal, Records: store, Hasher: hasher, Breached: list.Has, Formats: formats,
		Limiter: throttle.New(s.rdb, guard, secret, time.Now), Issuer: s.ring, Neighbours: s.exports, Copies: cache,
		Secret: secret, Now: func() time.Time { return time.Now().Add(s.ahead) }, NewID: service.NewID, Random: rand.Reader,
		Policy: user.Policy{
			AccessTTL: 10 * time.Minute, RefreshTTL: time.Hour, SessionMax: 24 * time.Hour, RefreshWindow: 10 * time.Second,
			ResetTTL: 30 * time.Minute, VerificationTTL: time.Hour,
			PairFailures:         user.Quota{Name: "pair", Burst: 3, Per: 15 * time.Minute},
			AccountFailures:      user.Quota{Name: "account", Burst: 30, Per: time.Hour},
			FactorFailures:       user.Quota{Name: "factor", Burst: 20, Per: time.Hour},
			ResetRequests:        user.Quota{Name: "reset", Burst: 3, Per: time.Hour},
			ResetsByAddress:      user.Quota{Name: "resets", Burst: 100, Per: time.Hour},
			VerificationRequests: user.Quota{Name: "verifications", Burst: 4, Per: time.Hour},
		},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reply is an answer with its JSON body read.
type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (r reply) str(name string) string {
	v, _ := r.body[name].(string)
	return v
}

func (r reply) items() []map[string]any {
	var out []map[string]any
	list, _ := r.body["items"].([]any)
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

// call sends a request as the service's sidecar would; headers are "Name: value".
func (s *shop) call(method, path, token string, body any, headers ...string) reply {
	s.t.Helper()
	var in io.Reader
	if text, ok := body.(string); ok {
		in = strings.NewReader(text)
	} else if body != nil {
		raw, err := json.Marshal(body)
		must(s.t, err)
		in = bytes.NewReader(raw)
	}
	r := httptest.NewRequest(method, path, in)
	r.Header.Set("dapr-api-token", appToken)
	r.Header.Set("X-Forwarded-For", s.ip)
	r.Header.Set("User-Agent", "test-browser/1.0")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	out := reply{status: w.Code, header: w.Header(), raw: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &out.body)
	return out
}

// want calls and checks status and, for a refusal, the code.
func (s *shop) want(status int, code, method, path, token string, body any, headers ...string) reply {
	s.t.Helper()
	r := s.call(method, path, token, body, headers...)
	if r.status != status || (code != "" && r.str("code") != code) {
		s.t.Fatalf("%s %s: got %d %s, want %d %s", method, path, r.status, r.raw, status, code)
	}
	if status >= 400 && r.header.Get("Content-Type") != "application/problem+json" {
		s.t.Fatalf("%s %s: got media type %q, want application/problem+json", method, path, r.header.Get("Content-Type"))
	}
	return r
}

// person is a registered and signed-in account.
type person struct{ id, email, access, refresh, session string }

func (s *shop) newPerson(roles ...string) person {
	s.t.Helper()
	email := fmt.Sprintf("person-%s@example.com", uuid.NewString()[:8])
	r := s.want(201, "", "POST", "/v1/users", "", map[string]any{
		"email": email, "password": password, "first_name": "Zebediah", "last_name": "Quillfeather"})
	p := person{id: r.str("id"), email: email}
	if len(roles) > 0 {
		_, err := s.users.SetRoles(s.t.Context(), uuid.MustParse(p.id), roles, func(int64) bool { return true })
		must(s.t, err)
	}
	return s.signIn(p, password)
}

func (s *shop) signIn(p person, secret string) person {
	s.t.Helper()
	r := s.want(201, "", "POST", "/v1/sessions", "", map[string]any{"email": p.email, "password": secret})
	p.access, p.refresh, p.session = r.str("access_token"), r.str("refresh_token"), r.str("session_id")
	return p
}

// exec changes the database behind the service's back.
func (s *shop) exec(sql string, args ...any) {
	s.t.Helper()
	_, err := s.db.Conn(s.t.Context()).Exec(s.t.Context(), sql, args...)
	must(s.t, err)
}

func query[T any](s *shop, sql string, args ...any) T {
	s.t.Helper()
	var v T
	must(s.t, s.db.Conn(s.t.Context()).QueryRow(s.t.Context(), sql, args...).Scan(&v))
	return v
}

// answerResets lets the worker run until the given number of tokens is there.
func (s *shop) answerResets(tokens int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.users.AnswerResets(ctx, func(error) {})
	}()
	for ctx.Err() == nil {
		if query[int](s, `SELECT count(*) FROM password_reset_tokens`) == tokens && query[int](s, `SELECT count(*) FROM password_reset_requests`) == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if ctx.Err() != nil {
		s.t.Errorf("reset requests were not answered")
	}
	cancel()
	<-done
}
