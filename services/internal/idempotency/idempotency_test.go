package idempotency_test

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
)

//go:embed schema.sql
var schema string

// world is a keeper whose clock a test moves.
type world struct {
	t    *testing.T
	db   *pg.DB
	keys *idempotency.Keeper
	past atomic.Int64
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, db: pgtest.WithSchemas(t, schema)}
	w.keys = idempotency.New(w.db, func() time.Time { return time.Now().Add(time.Duration(w.past.Load())) })
	return w
}

func (w *world) pass(d time.Duration) { w.past.Add(int64(d)) }

func (w *world) tx(fn func(ctx context.Context) error) error { return w.db.InTx(w.t.Context(), fn) }

func (w *world) begin(k idempotency.Key) error {
	return w.tx(func(ctx context.Context) error { return w.keys.Begin(ctx, k, 10*time.Second) })
}

func (w *world) finish(k idempotency.Key, body string) error {
	return w.tx(func(ctx context.Context) error {
		return w.keys.Finish(ctx, k, idempotency.Answer{Status: 201, Headers: map[string]string{"Location": "/x"}, Body: []byte(body)})
	})
}

func (w *world) wantLookup(k idempotency.Key, want error, found bool, body string) {
	w.t.Helper()
	a, ok, err := w.keys.Lookup(w.t.Context(), k)
	if !errors.Is(err, want) || ok != found || string(a.Body) != body {
		w.t.Errorf("lookup: got %q, %v, %v; want %q, %v, %v", a.Body, ok, err, body, found, want)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func key(name, body string) idempotency.Key {
	user := uuid.MustParse("01900000-0000-7000-8000-000000000001")
	return idempotency.NewKey(user, "POST /v1/orders", name, "/v1/orders", "", []byte(body))
}

func TestLeaseFromBeginToReplay(t *testing.T) {
	w := open(t)
	k := key("a", "body")
	w.wantLookup(k, nil, false, "")
	w.must(w.begin(k))
	w.wantLookup(k, idempotency.ErrInProgress, false, "")
	w.wantLookup(key("a", "other"), idempotency.ErrReused, false, "")
	if err := w.begin(k); !errors.Is(err, idempotency.ErrInProgress) {
		t.Errorf("second begin: got %v, want in progress", err)
	}
	w.must(w.finish(k, "answer"))
	w.wantLookup(k, nil, true, "answer")
	w.wantLookup(key("a", "other"), idempotency.ErrReused, false, "")
	if err := w.begin(k); !errors.Is(err, idempotency.ErrInProgress) {
		t.Errorf("begin after the answer: got %v, want in progress", err)
	}
	w.pass(idempotency.Kept + time.Second)
	w.wantLookup(k, nil, false, "")
	w.must(w.begin(k))
}

func TestDeadHoldersKeyGoesToTheNext(t *testing.T) {
	w := open(t)
	k := key("a", "body")
	w.must(w.begin(k))
	w.pass(11 * time.Second)
	w.wantLookup(k, nil, false, "")
	w.must(w.begin(k))
	w.must(w.finish(k, "second"))
	// The first one was only slow: its last step must not stand beside the other's.
	if err := w.finish(k, "first"); !errors.Is(err, idempotency.ErrInProgress) {
		t.Errorf("late finish: got %v, want in progress", err)
	}
	w.wantLookup(k, nil, true, "second")
}

func TestForgetGivesTheKeyBackButNoAnswer(t *testing.T) {
	w := open(t)
	k := key("a", "body")
	w.must(w.begin(k))
	w.must(w.keys.Forget(t.Context(), k))
	w.must(w.begin(key("a", "other")))
	w.must(w.keys.Forget(t.Context(), k)) // another request's row is not ours to give back
	w.wantLookup(key("a", "other"), idempotency.ErrInProgress, false, "")
	w.must(w.finish(key("a", "other"), "answer"))
	w.must(w.keys.Forget(t.Context(), key("a", "other")))
	w.wantLookup(key("a", "other"), nil, true, "answer")
}

func TestOneOfManyBegins(t *testing.T) {
	w := open(t)
	var begun atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			switch err := w.begin(key("a", "body")); {
			case err == nil:
				begun.Add(1)
			case !errors.Is(err, idempotency.ErrInProgress):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if begun.Load() != 1 {
		t.Errorf("begun: got %d, want 1", begun.Load())
	}
}

func TestAnswerThatIsLostWithItsTransactionIsNotKept(t *testing.T) {
	w := open(t)
	k, boom := key("a", "body"), errors.New("boom")
	_, _, err := w.keys.Once(t.Context(), k, func(context.Context) (idempotency.Answer, error) { return idempotency.Answer{}, boom })
	if !errors.Is(err, boom) {
		t.Errorf("got %v, want %v", err, boom)
	}
	ctx, giveUp := context.WithCancel(t.Context())
	_, _, err = w.keys.Once(ctx, k, func(context.Context) (idempotency.Answer, error) {
		giveUp()
		return idempotency.Answer{Status: 201}, nil
	})
	if err == nil {
		t.Error("a request that was given up was answered")
	}
	w.wantLookup(k, nil, false, "")
}

func TestSweepLeavesTheYoung(t *testing.T) {
	w := open(t)
	w.must(w.begin(key("old", "")))
	w.pass(idempotency.Kept)
	w.must(w.begin(key("young", "")))
	w.must(w.keys.Sweep(t.Context()))
	var n int
	w.must(w.db.Conn(t.Context()).QueryRow(t.Context(), `SELECT count(*) FROM idempotency_keys`).Scan(&n))
	if n != 1 {
		t.Errorf("rows: got %d, want 1", n)
	}
}

func TestKeysThatAreValid(t *testing.T) {
	for text, want := range map[string]bool{
		"a": true, " ": true, strings.Repeat("x", 255): true,
		"": false, strings.Repeat("x", 256): false, "a\x00": false, "é": false, "a\n": false,
	} {
		if got := idempotency.Valid(text); got != want {
			t.Errorf("Valid(%q): got %v, want %v", text, got, want)
		}
	}
	a, b := key("secret-name", "x"), idempotency.NewKey(uuid.Nil, "r", "secret-name", "/v1/ordersx", "", nil)
	if strings.Contains(a.Key, "secret") || string(a.Hash) == string(b.Hash) {
		t.Error("a key must hide the client's, and a hash must keep its parts apart")
	}
}
