package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v86"
	"github.com/stripe/stripe-go/v86/webhook"
)

const (
	testKey    = "sk_test_sandbox"
	testSecret = "whsec_sandbox"
)

// sandbox is a running one with the official client and a receiver of webhooks.
type sandbox struct {
	t    *testing.T
	dir  string
	url  string
	sc   *stripe.Client
	stop func()
	shop *receiver
}

// receiver plays the shop's webhook route.
type receiver struct {
	mu     sync.Mutex
	events []stripe.Event
	status func(attempt int) int
	tries  int
	server *httptest.Server
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		event, err := webhook.ConstructEvent(body, req.Header.Get("Stripe-Signature"), testSecret)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tries++
		if err != nil {
			t.Errorf("webhook refused by stripe-go: %v", err)
			w.WriteHeader(400)
			return
		}
		if r.status != nil {
			if code := r.status(r.tries); code > 299 {
				w.WriteHeader(code)
				return
			}
		}
		r.events = append(r.events, event)
	}))
	t.Cleanup(r.server.Close)
	return r
}

// types returns the delivered events' types, in order of delivery.
func (r *receiver) types() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []string{}
	for _, e := range r.events {
		out = append(out, string(e.Type))
	}
	return out
}

// await waits until the receiver has n events of that type and returns the last.
func (s *sandbox) await(kind string, n int) stripe.Event {
	s.t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var last stripe.Event
		count := 0
		s.shop.mu.Lock()
		for _, e := range s.shop.events {
			if string(e.Type) == kind {
				count++
				last = e
			}
		}
		s.shop.mu.Unlock()
		if count >= n {
			return last
		}
	}
	s.t.Fatalf("events: got %v, want %d of %s", s.shop.types(), n, kind)
	return stripe.Event{}
}

func start(t *testing.T) *sandbox {
	t.Helper()
	return startIn(t, t.TempDir(), newReceiver(t), func(*config) {})
}

func startIn(t *testing.T, dir string, shop *receiver, change func(*config)) *sandbox {
	t.Helper()
	cfg := config{Dir: dir, APIKey: testKey, WebhookSecret: testSecret, WebhookURL: shop.server.URL, WebhookCopies: 1}
	change(&cfg)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, cfg, listener, time.Now, slog.New(slog.DiscardHandler)) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: got %v, want a clean end", err)
		}
	})
	t.Cleanup(stop)
	url := "http://" + listener.Addr().String()
	return &sandbox{t: t, dir: dir, url: url, sc: client(url, testKey), stop: stop, shop: shop}
}

// client is stripe-go, pointed here, without retries of its own.
func client(url, key string) *stripe.Client {
	return stripe.NewClient(key, stripe.WithBackends(stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		URL: stripe.String(url), MaxNetworkRetries: stripe.Int64(0), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
		HTTPClient: &http.Client{Timeout: 20 * time.Second},
	})))
}

// intentOf are the parameters of a payment as the shop makes them.
func intentOf(method string, amount int64) *stripe.PaymentIntentCreateParams {
	p := &stripe.PaymentIntentCreateParams{
		Amount: stripe.Int64(amount), Currency: stripe.String("gbp"), PaymentMethodTypes: stripe.StringSlice([]string{"card"}),
		Metadata: map[string]string{"order_id": "o-1", "transaction_id": "t-1"},
	}
	if method != "" {
		p.PaymentMethod = stripe.String(method)
	}
	return p
}

func (s *sandbox) create(method string, amount int64) *stripe.PaymentIntent {
	s.t.Helper()
	pi, err := s.sc.V1PaymentIntents.Create(s.t.Context(), intentOf(method, amount))
	if err != nil {
		s.t.Fatalf("create: %v", err)
	}
	return pi
}

// paid returns an intent that has succeeded.
func (s *sandbox) paid(method string, amount int64) *stripe.PaymentIntent {
	s.t.Helper()
	pi, err := s.confirm(s.create(method, amount).ID)
	if err != nil || pi.Status != stripe.PaymentIntentStatusSucceeded {
		s.t.Fatalf("confirm: got %+v, %v", pi, err)
	}
	return pi
}

func (s *sandbox) confirm(id string) (*stripe.PaymentIntent, error) {
	return s.sc.V1PaymentIntents.Confirm(s.t.Context(), id, &stripe.PaymentIntentConfirmParams{})
}

func (s *sandbox) retrieve(id string) *stripe.PaymentIntent {
	s.t.Helper()
	pi, err := s.sc.V1PaymentIntents.Retrieve(s.t.Context(), id, nil)
	if err != nil {
		s.t.Fatalf("retrieve: %v", err)
	}
	return pi
}

func (s *sandbox) refund(id string, amount int64, key string) (*stripe.Refund, error) {
	p := &stripe.RefundCreateParams{PaymentIntent: stripe.String(id)}
	if amount > 0 {
		p.Amount = stripe.Int64(amount)
	}
	if key != "" {
		p.SetIdempotencyKey(key)
	}
	return s.sc.V1Refunds.Create(s.t.Context(), p)
}

// wantError checks type, code and status of Stripe's error and returns it.
func wantError(t *testing.T, err error, status int, kind stripe.ErrorType, code stripe.ErrorCode) *stripe.Error {
	t.Helper()
	var se *stripe.Error
	if !errors.As(err, &se) || se.HTTPStatusCode != status || se.Type != kind || se.Code != code {
		t.Fatalf("error: got %v, want %d %s %s", err, status, kind, code)
	}
	return se
}

// books is GET /ledger.
func (s *sandbox) books() map[string]any {
	s.t.Helper()
	res, err := http.Get(s.url + "/ledger")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	out := map[string]any{}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// post sends a form without stripe-go.
func (s *sandbox) post(path, form, key string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url+path, strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+testKey)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, string(body)
}

func listenAnywhere(t *testing.T) (net.Listener, error) {
	t.Helper()
	return net.Listen("tcp", "127.0.0.1:0")
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}
