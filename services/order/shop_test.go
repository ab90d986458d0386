package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/order/internal/accounts"
	"github.com/caravan-shop/caravan/services/order/internal/carts"
	"github.com/caravan-shop/caravan/services/order/internal/catalog"
	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/desk"
	"github.com/caravan-shop/caravan/services/order/internal/httpapi"
	"github.com/caravan-shop/caravan/services/order/internal/payments"
	"github.com/caravan-shop/caravan/services/order/internal/postgres"
)

const appToken = "token-of-the-sidecar"

// shop is the order service with its real router and a real database, and the
// neighbours of world.
type shop struct {
	t     *testing.T
	world *world
	db    *pg.DB
	saga  *checkout.Service
	desk  *desk.Desk
	http  http.Handler
}

// tokens are "<user id> <role>…".
type tokens struct{}

func (tokens) Verify(_ context.Context, token string) (auth.Principal, error) {
	words := strings.Fields(token)
	id, err := uuid.Parse(words[0])
	if err != nil {
		return auth.Principal{}, auth.ErrInvalid
	}
	return auth.Principal{UserID: id, Roles: words[1:]}, nil
}

// open gives a test a shop of its own, beside which other tests run.
func open(t *testing.T) *shop {
	t.Helper()
	t.Parallel()
	db := pgtest.Open(t, postgres.Migrations())
	w, log := newWorld(), slog.New(slog.DiscardHandler)
	tariffs, err := loadTariffs("", "GBP")
	if err != nil {
		t.Fatal(err)
	}
	box, keys := outbox.New(db, service.NewID, time.Now), idempotency.New(db, time.Now)
	store, pay := postgres.New(db, box, keys), payments.New(w)
	d := &desk.Desk{Reader: store, Writer: store, Payments: pay, Now: time.Now, Log: log}
	saga := &checkout.Service{
		Store: store, Carts: carts.New(w), Accounts: accounts.New(w), Payments: pay, Catalog: catalog.New(w, "GBP"),
		Tariffs: tariffs, NewID: service.NewID, Now: time.Now, Random: rand.Reader, Log: log,
		Lease: 10 * time.Second, PayBy: 15 * time.Minute, Quoted: checkout.NewQuoted(),
	}
	cfg := Config{}
	cfg.AppToken, cfg.Currency = appToken, "GBP"
	keep := func(context.Context, delivery.Refusal) error { return nil }
	h, err := router(cfg, log, keys, tokens{}, box.Relay(nil, log).Collector(), saga, d, keep)
	if err != nil {
		t.Fatal(err)
	}
	return &shop{t: t, world: w, db: db, saga: saga, desk: d, http: h}
}

// call is one request; body nil sends none.
func (s *shop) call(method, path, token, key string, body any) *httptest.ResponseRecorder {
	var buf bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&buf).Encode(body); err != nil {
			s.t.Error(err)
		}
	}
	r := httptest.NewRequest(method, path, &buf)
	r.Header.Set("dapr-api-token", appToken)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	rec := httptest.NewRecorder()
	s.http.ServeHTTP(rec, r)
	return rec
}

// buyer is a new customer with a cart of some units.
func (s *shop) buyer(product uuid.UUID, quantity int64) uuid.UUID {
	user := service.NewID()
	s.world.fill(user, product, quantity)
	return user
}

// total is what quantity units of standard tax at a price cost, shipped at home.
func total(price, quantity int64) int64 {
	subtotal := price * quantity
	shipping := int64(395)
	if subtotal >= 5000 {
		shipping = 0
	}
	return subtotal + shipping + ((subtotal+shipping)*20+50)/100
}

func (s *shop) body(expected int64) object {
	return object{
		"shipping_address_id": s.world.address, "billing_address_id": s.world.address,
		"payment":        object{"method": "card", "token": "pm_card_visa"},
		"expected_total": object{"amount": expected, "currency": "GBP"},
	}
}

func (s *shop) place(user uuid.UUID, key string, expected int64) *httptest.ResponseRecorder {
	return s.call("POST", "/v1/orders", user.String(), key, s.body(expected))
}

// placed is an order of two units at 10.00 by a new customer.
func (s *shop) placed() (user uuid.UUID, o httpapi.Order) {
	s.t.Helper()
	user = s.buyer(s.world.product(1000, 100), 2)
	rec := s.place(user, uuid.NewString(), total(1000, 2))
	if rec.Code != http.StatusCreated {
		s.t.Fatalf("place: got %d %s", rec.Code, rec.Body)
	}
	return user, decode[httpapi.Order](s.t, rec)
}

func decode[T any](t *testing.T, rec *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatalf("answer %d %s: %v", rec.Code, rec.Body, err)
	}
	return v
}

func codeOf(rec *httptest.ResponseRecorder) string {
	var p struct{ Code string }
	_ = json.Unmarshal(rec.Body.Bytes(), &p)
	return fmt.Sprintf("%d %s", rec.Code, p.Code)
}

func (s *shop) get(id uuid.UUID) httpapi.Order {
	s.t.Helper()
	return decode[httpapi.Order](s.t, s.call("GET", "/v1/orders/"+id.String(), uuid.NewString()+" staff", "", nil))
}

// deliver delivers an event the way a sidecar does, and gives the status.
func (s *shop) deliver(id, source string, e events.Event) string {
	s.t.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		s.t.Fatal(err)
	}
	rec := s.call("POST", "/events/"+e.Topic(), "", "", object{
		"id": id, "type": e.Topic(), "source": source, "specversion": "1.0", "data": json.RawMessage(data)})
	return decode[struct{ Status string }](s.t, rec).Status
}

// twice delivers an event two times and wants both acknowledged.
func (s *shop) twice(source string, e events.Event) {
	s.t.Helper()
	id := uuid.NewString()
	for range 2 {
		if got := s.deliver(id, source, e); got != "SUCCESS" {
			s.t.Fatalf("%s: got %s, want SUCCESS", e.Topic(), got)
		}
	}
}

func money(amount int64) events.Money { return events.Money{Amount: amount, Currency: "GBP"} }

func payment(o httpapi.Order, tx uuid.UUID, attempt int) events.PaymentData {
	return events.PaymentData{OrderID: o.Id, TransactionID: tx, Number: o.Number, UserID: o.UserId, Attempt: attempt,
		Amount: money(o.Totals.Total.Amount)}
}

// column reads one column of the database as texts.
func (s *shop) column(sql string, args ...any) []string {
	s.t.Helper()
	rows, err := s.db.Conn(context.Background()).Query(context.Background(), sql, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *shop) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Conn(context.Background()).Exec(context.Background(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) topics(id uuid.UUID) string {
	s.t.Helper()
	return strings.Join(s.column(`SELECT topic FROM outbox WHERE key = $1 ORDER BY position`, id.String()), " ")
}

func (s *shop) history(id uuid.UUID) string {
	s.t.Helper()
	return strings.Join(s.column(
		`SELECT sequence || ':' || coalesce(from_status, '') || '>' || to_status || coalesce('(' || reason || ')', '')
		 FROM order_status_history WHERE order_id = $1 ORDER BY sequence`, id), " ")
}
