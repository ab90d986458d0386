package main

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/services/order/internal/httpapi"

	"github.com/google/uuid"
)

// steps are the calls of a checkout, in order.
var steps = []string{"/internal/carts/read", "/internal/addresses/lookup", "/internal/payments/prepare",
	"/internal/holds/place", "/internal/carts/take"}

// A neighbour that is away at any step, before its effect or after it: 503,
// nothing is left behind, and the same key orders once it is back.
func TestNeighbourAwayAtAnyStep(t *testing.T) {
	s := open(t)
	for _, path := range steps {
		for _, late := range []bool{false, true} {
			t.Run(path, func(t *testing.T) {
				product := s.world.product(1000, 9)
				user := s.buyer(product, 2)
				if late {
					s.world.fault(path, nil, away)
				} else {
					s.world.fault(path, away, nil)
				}
				if got := codeOf(s.place(user, "k", total(1000, 2))); got != "503 neighbour_unavailable" {
					t.Fatalf("got %s", got)
				}
				s.world.fault(path, nil, nil)
				s.world.untouched(t, user, product, 2, 9)
				if got := codeOf(s.place(user, "k", total(1000, 2))); got != "201 " {
					t.Errorf("same key once it is back: got %s", got)
				}
				clear(s.world.prepared)
			})
		}
	}
}

// stall holds a call up, as the death of a process does, until resume; arrived
// tells that it has come.
func stall() (hook func(context.Context) error, arrived, resume chan struct{}) {
	arrived, resume = make(chan struct{}), make(chan struct{})
	return func(context.Context) error {
		close(arrived)
		<-resume
		return nil
	}, arrived, resume
}

// A process that dies between any two steps: another replica undoes its
// checkout past the lease. What the dead one sent may even arrive after that,
// and the process may wake up again: neither changes anything.
func TestCrashBetweenAnyTwoSteps(t *testing.T) {
	for _, path := range steps {
		for _, late := range []bool{false, true} {
			name := map[bool]string{false: "before ", true: "after "}[late] + path
			t.Run(name, func(t *testing.T) {
				s := open(t)
				product := s.world.product(1000, 9)
				user := s.buyer(product, 2)
				hook, arrived, resume := stall()
				if late {
					s.world.fault(path, nil, hook)
				} else {
					s.world.fault(path, hook, nil)
				}
				answer := make(chan *httptest.ResponseRecorder, 1)
				go func() { answer <- s.place(user, "k", total(1000, 2)) }()
				<-arrived
				s.world.fault(path, nil, nil)
				if got := codeOf(s.place(user, "other", total(1000, 2))); got != "409 checkout_in_progress" {
					t.Errorf("second checkout of the user: got %s", got)
				}
				s.exec(`UPDATE checkouts SET lease_until = now() - interval '1 second' WHERE state = 'running'`)
				if err := s.saga.Recover(context.Background()); err != nil {
					t.Fatalf("recover: %v", err)
				}
				s.world.untouched(t, user, product, 2, 9)
				close(resume)
				if got := (<-answer).Code; got == 201 {
					t.Errorf("an undone checkout answered 201")
				}
				s.world.untouched(t, user, product, 2, 9)
				if got := s.column(`SELECT id::text FROM orders`); len(got) != 0 {
					t.Errorf("orders: got %v, want none", got)
				}
				s.exec(`UPDATE idempotency_keys SET lease_until = now() - interval '1 second'`)
				if got := codeOf(s.place(user, "k", total(1000, 2))); got != "201 " {
					t.Errorf("same key afterwards: got %s", got)
				}
			})
		}
	}
}

// The customer need not wait for the poller: the next checkout undoes the dead
// one first, cart included.
func TestNextCheckoutClearsTheDeadOne(t *testing.T) {
	for name, before := range map[string]func(s *shop, user uuid.UUID){
		"plain": func(*shop, uuid.UUID) {},
		// Then the cart is read before the dead one is known of.
		"something is scarce": func(s *shop, _ uuid.UUID) { s.short(s.world.product(1000, 1), 2) },
		"after a quote": func(s *shop, user uuid.UUID) {
			s.call("POST", "/v1/quotes", user.String(), "", object{"shipping_address_id": s.world.address}) // refused where the cart is taken
		},
	} {
		t.Run(name, func(t *testing.T) { clearsTheDeadOne(t, before, "/internal/carts/take") })
		t.Run(name+", nothing taken", func(t *testing.T) { clearsTheDeadOne(t, before, "/internal/holds/place") })
	}
}

func clearsTheDeadOne(t *testing.T, before func(s *shop, user uuid.UUID), dies string) {
	s := open(t)
	product := s.world.product(1000, 2)
	user := s.buyer(product, 2)
	hook, arrived, resume := stall()
	s.world.fault(dies, nil, hook)
	done := make(chan struct{})
	go func() { s.place(user, "k", total(1000, 2)); close(done) }()
	<-arrived
	s.world.fault(dies, nil, nil)
	s.exec(`UPDATE checkouts SET lease_until = now() - interval '1 second'`)
	s.exec(`UPDATE idempotency_keys SET lease_until = now() - interval '1 second'`)
	before(s, user)
	rec := s.place(user, "k", total(1000, 2))
	if codeOf(rec) != "201 " {
		t.Errorf("got %s %s", codeOf(rec), rec.Body)
	}
	close(resume)
	<-done
	if got := s.column(`SELECT state FROM checkouts WHERE user_id = $1 ORDER BY created_at`, user); len(got) != 2 || got[0] != "undone" || got[1] != "placed" {
		t.Errorf("checkouts: got %v, want undone and placed", got)
	}
	again := s.place(user, "k", total(1000, 2))
	if again.Header().Get("Idempotency-Replayed") != "true" || again.Body.String() != rec.Body.String() {
		t.Errorf("replay: got %s, want %s", again.Body, rec.Body)
	}
}

// An undo that fails waits in its row until the neighbour is back.
func TestUndoIsFinishedLater(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 9)
	user := s.buyer(product, 2)
	s.world.fault("/internal/holds/release", away, nil)
	if got := codeOf(s.place(user, "k", 1)); got != "409 price_changed" {
		t.Fatalf("got %s", got)
	}
	if got := s.column(`SELECT state FROM checkouts`); got[0] != "undoing" || s.world.available(product) != 7 {
		t.Fatalf("got %v with %d units, want undoing with 7", got, s.world.available(product))
	}
	s.exec(`UPDATE checkouts SET undo_due_at = now()`)
	if err := s.saga.Recover(context.Background()); err == nil {
		t.Error("recovered although Product is away")
	}
	s.world.fault("/internal/holds/release", nil, nil)
	s.exec(`UPDATE checkouts SET undo_due_at = now()`)
	for range 2 {
		if err := s.saga.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	s.world.untouched(t, user, product, 2, 9)
	if got := s.column(`SELECT state FROM checkouts`); got[0] != "undone" {
		t.Errorf("checkout: got %v, want undone", got)
	}
}

// What a replica left behind is undone at one turn, however much it is.
func TestRecoveryTakesAllThatIsDue(t *testing.T) {
	s := open(t)
	s.exec(`INSERT INTO checkouts (order_id, user_id, key, hash, state, lease_until)
		SELECT gen_random_uuid(), gen_random_uuid(), '', '', 'running', now() FROM generate_series(1, 50)`)
	if err := s.saga.Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
	if left := s.column(`SELECT state FROM checkouts WHERE state <> 'undone'`); len(left) != 0 {
		t.Errorf("%d checkouts wait for another turn", len(left))
	}
}

func TestStatesOfACheckoutThatRuns(t *testing.T) {
	s := open(t)
	user := s.buyer(s.world.product(1000, 9), 2)
	hook, arrived, resume := stall()
	s.world.fault("/internal/holds/place", hook, nil)
	answer := make(chan *httptest.ResponseRecorder, 1)
	go func() { answer <- s.place(user, "k", total(1000, 2)) }()
	<-arrived
	id := s.column(`SELECT order_id::text FROM checkouts`)[0]
	state := func() string {
		rec := s.call("POST", "/internal/orders/states", "", "", object{"order_ids": []string{id}})
		return string(decode[httpapi.States](t, rec).Orders[0].Status)
	}
	if got := state(); got != "placing" {
		t.Errorf("while it runs: got %s, want placing", got)
	}
	close(resume)
	if rec := <-answer; rec.Code != 201 {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	if got := state(); got != "created" {
		t.Errorf("once placed: got %s, want created", got)
	}
	id = "01990000-0000-7000-8000-000000000001"
	if got := state(); got != "unknown" {
		t.Errorf("no order: got %s, want unknown", got)
	}
}

func TestLeaseIsKept(t *testing.T) {
	s := open(t)
	s.saga.Lease = 50 * time.Millisecond
	product := s.world.product(1000, 9)
	user := s.buyer(product, 2)
	s.world.fault("/internal/holds/place", nil, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if got := s.place(user, "k", total(1000, 2)).Code; got != 503 {
		t.Errorf("a neighbour slower than the lease: got %d, want 503", got)
	}
	s.world.untouched(t, user, product, 2, 9)
}
