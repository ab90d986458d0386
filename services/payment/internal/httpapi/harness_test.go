package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/payment/internal/collector"
	"github.com/caravan-shop/caravan/services/payment/internal/httpapi"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
	"github.com/caravan-shop/caravan/services/payment/internal/postgres"
	"github.com/caravan-shop/caravan/services/payment/internal/stripegateway"
	"github.com/caravan-shop/caravan/services/payment/internal/subscriber"
)

const (
	appToken      = "app-token-of-the-test"
	apiKey        = "sk_test_of_the_test"
	webhookSecret = "whsec_of_the_test"
)

// sandboxProgram is built once for the package, as the real process it is.
var sandboxProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "payment-sandbox")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "sandbox")
	out, err := exec.Command("go", "build", "-o", path, "github.com/caravan-shop/caravan/deploy/local/sandbox").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the sandbox: %w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := sandboxProgram(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// shop is the whole service on a real database behind its real router, charging
// at a sandbox that runs as a process of its own.
type shop struct {
	*testing.T
	handler http.Handler
	db      *pg.DB
	store   *postgres.Store
	sandbox string
	log     *lockedBuffer
}

// who is a caller; the verifier takes the JSON of it for a token.
type who struct {
	ID    uuid.UUID
	Roles []string
}

func customer() who { return who{ID: service.NewID(), Roles: []string{auth.Customer}} }

func staff() who { return who{ID: service.NewID(), Roles: []string{auth.Staff}} }

type verifier struct{}

func (verifier) Verify(_ context.Context, token string) (auth.Principal, error) {
	var w who
	if json.Unmarshal([]byte(token), &w) != nil {
		return auth.Principal{}, auth.ErrInvalid
	}
	return auth.Principal{UserID: w.ID, SessionID: w.ID, Roles: w.Roles}, nil
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

func open(t *testing.T) *shop {
	t.Helper()
	s := &shop{T: t, db: pgtest.Open(t, postgres.Migrations()), log: &lockedBuffer{}}
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	s.store = postgres.New(s.db, outbox.New(s.db, service.NewID, time.Now), time.Now, service.NewID)
	// The sandbox posts here; the sidecar would add the app's token.
	edge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("dapr-api-token", appToken)
		s.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(edge.Close)
	s.startSandbox(edge.URL + "/v1/webhooks/stripe")
	stripe := stripegateway.New(stripegateway.Config{
		APIKey: apiKey, APIBase: s.sandbox, ReturnURL: "http://shop.test/orders", CallTimeout: 2 * time.Second,
	})
	s.wire(stripe, log)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = collector.New(s.store, stripe, stripe, log, 4, 50*time.Millisecond).Run(ctx) })
	wg.Go(func() {
		_ = service.Every(ctx, 50*time.Millisecond, log, "detach", func(ctx context.Context) error {
			return collector.DetachAll(ctx, s.store, stripe)
		})
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	return s
}

func (s *shop) wire(stripe *stripegateway.Gateway, log *slog.Logger) {
	s.Helper()
	spec, err := os.ReadFile("../../openapi.yaml")
	s.must(err)
	keys := idempotency.New(s.db, time.Now)
	router, err := web.NewRouter(web.Setup{App: "payment", Spec: spec, AppToken: appToken, Verifier: verifier{}, Keys: keys, Log: log})
	s.must(err)
	checkout := payment.NewCheckout(s.store, s.store, s.store, s.store, time.Now, time.Hour)
	httpapi.Register(router, httpapi.Deps{
		Tx: s.store, Log: s.store, Wallet: s.store, Checkout: checkout, Keys: keys,
		Refunds: payment.NewRefunds(s.store, service.NewID),
		Saving:  payment.NewSaving(s.store, s.store, s.store, stripe, time.Now, service.NewID),
		Notices: payment.NewListening(s.store, s.store, s.store), Reader: stripegateway.NewHearing(webhookSecret),
	})
	delivery.Register(router, log, func(context.Context, delivery.Refusal) error { return nil }, subscriber.Handlers(checkout, s.store))
	s.handler = router
}

func (s *shop) startSandbox(webhooks string) {
	s.Helper()
	program, err := sandboxProgram()
	s.must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	port := l.Addr().(*net.TCPAddr).Port
	s.must(l.Close())
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "SANDBOX_PORT="+strconv.Itoa(port), "SANDBOX_DIR="+s.TempDir(), "SANDBOX_API_KEY="+apiKey,
		"SANDBOX_WEBHOOK_SECRET="+webhookSecret, "SANDBOX_WEBHOOK_URL="+webhooks, "SANDBOX_WEBHOOK_COPIES=2")
	s.must(cmd.Start())
	s.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s.sandbox = "http://127.0.0.1:" + strconv.Itoa(port)
	s.until("the sandbox answers", func() bool {
		resp, err := http.Get(s.sandbox + "/healthz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode < 300
	})
}

func (s *shop) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shop) until(what string, ok func() bool) {
	s.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("within 30 s not: %s\n%s", what, s.log.text())
		}
	}
}

type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (r reply) str(name string) string { v, _ := r.body[name].(string); return v }

// call sends a request; by's zero value is an anonymous caller, headers are "Name: value".
func (s *shop) call(method, path string, by who, body any, headers ...string) reply {
	s.Helper()
	var rd io.Reader = http.NoBody
	switch b := body.(type) {
	case nil:
	case string:
		rd = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		s.must(err)
		rd = bytes.NewReader(raw)
	}
	r := httptest.NewRequest(method, path, rd)
	r.Header.Set("dapr-api-token", appToken)
	r.Header.Set("Content-Type", "application/json")
	if by.ID != uuid.Nil {
		token, err := json.Marshal(by)
		s.must(err)
		r.Header.Set("Authorization", "Bearer "+string(token))
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

// want is call with the status and the problem's code that it must answer.
func (s *shop) want(status int, code, method, path string, by who, body any, headers ...string) reply {
	s.Helper()
	r := s.call(method, path, by, body, headers...)
	if r.status != status || r.str("code") != code && code != "" {
		s.Fatalf("%s %s: got %d %s, want %d %s", method, path, r.status, r.raw, status, code)
	}
	return r
}

// deliver sends an event as the sidecar would and wants SUCCESS.
func (s *shop) deliver(e events.Event, id string) {
	s.Helper()
	e.Stamp(time.Now())
	r := s.want(200, "", "POST", "/events/"+e.Topic(), who{}, map[string]any{"id": id, "type": e.Topic(), "source": "test", "data": e})
	if r.str("status") != "SUCCESS" {
		s.Fatalf("%s: got %s", e.Topic(), r.raw)
	}
}

func orderData(order uuid.UUID, buyer who, amount int64) events.OrderData {
	return events.OrderData{OrderID: order, Number: "C4T9", UserID: buyer.ID, Status: "created",
		Totals: events.Totals{Total: events.Money{Amount: amount, Currency: "GBP"}}}
}

// order prepares and places one; payment is the choice as a client sends it.
func (s *shop) order(buyer who, pay map[string]any) uuid.UUID {
	s.Helper()
	id := service.NewID()
	r := s.want(200, "", "POST", "/internal/payments/prepare", who{}, map[string]any{"order_id": id, "user_id": buyer.ID, "payment": pay})
	if r.str("result") != "prepared" {
		s.Fatalf("prepare: got %s", r.raw)
	}
	s.deliver(&events.OrderCreated{OrderData: orderData(id, buyer, 2500)}, service.NewID().String())
	return id
}

func card(token string) map[string]any { return map[string]any{"method": "card", "token": token} }

func (s *shop) cancel(order uuid.UUID, buyer who) {
	s.Helper()
	s.deliver(&events.OrderCancelled{OrderData: orderData(order, buyer, 2500)}, service.NewID().String())
}

// transactions are an order's, oldest first, as its owner sees them.
func (s *shop) transactions(order uuid.UUID, reader who) []map[string]any {
	s.Helper()
	r := s.want(200, "", "GET", "/v1/transactions?order_id="+order.String(), reader, nil)
	var out []map[string]any
	for _, item := range r.body["items"].([]any) {
		out = append([]map[string]any{item.(map[string]any)}, out...)
	}
	return out
}

// await waits until the last attempt of an order has a status.
func (s *shop) await(order uuid.UUID, reader who, status string) map[string]any {
	s.Helper()
	var last map[string]any
	s.until("the last attempt is "+status, func() bool {
		all := s.transactions(order, reader)
		if len(all) == 0 {
			return false
		}
		last = all[len(all)-1]
		return last["status"] == status
	})
	return last
}

type ledger struct {
	PaymentIntents []struct {
		ID             string `json:"id"`
		Amount         int64  `json:"amount"`
		AmountRefunded int64  `json:"amount_refunded"`
		Status         string `json:"status"`
		OrderID        string `json:"order_id"`
		TransactionID  string `json:"transaction_id"`
		IdempotencyKey string `json:"idempotency_key"`
	} `json:"payment_intents"`
	Refunds []struct {
		PaymentIntent string `json:"payment_intent"`
		Amount        int64  `json:"amount"`
	} `json:"refunds"`
}

func (s *shop) ledger() ledger {
	s.Helper()
	resp, err := http.Get(s.sandbox + "/ledger")
	s.must(err)
	defer func() { _ = resp.Body.Close() }()
	var l ledger
	s.must(json.NewDecoder(resp.Body).Decode(&l))
	return l
}

// agree waits for rest and compares the sandbox's ledger with transactions.
func (s *shop) agree() {
	s.Helper()
	s.until("nothing is left to do", func() bool {
		return s.count(`SELECT count(*) FROM payment_orders WHERE due_at <= now() + interval '20 seconds' OR leased_until > now()`) == 0
	})
	ours := map[string]string{}
	rows, err := s.db.Conn(s.Context()).Query(s.Context(), `
SELECT provider_payment_id, concat_ws(' ', id, order_id, idempotency_key, amount, refunded_amount,
    status IN ('captured', 'partially_refunded', 'refunded')) FROM transactions WHERE provider_payment_id IS NOT NULL`)
	s.must(err)
	var id, line string
	_, err = pgx.ForEachRow(rows, []any{&id, &line}, func() error { ours[id] = line; return nil })
	s.must(err)
	for _, i := range s.ledger().PaymentIntents {
		taken := map[bool]string{true: "t", false: "f"}[i.Status == "succeeded"]
		want := fmt.Sprintf("%s %s %s %d %d %s", i.TransactionID, i.OrderID, i.IdempotencyKey, i.Amount, i.AmountRefunded, taken)
		if ours[i.ID] != want {
			s.Errorf("intent %s: provider has %q, we have %q", i.ID, want, ours[i.ID])
		}
		delete(ours, i.ID)
	}
	if len(ours) > 0 {
		s.Errorf("the provider does not have %v", ours)
	}
}

func (s *shop) count(sql string) (n int) {
	s.Helper()
	s.must(s.db.Conn(s.Context()).QueryRow(s.Context(), sql).Scan(&n))
	return n
}
