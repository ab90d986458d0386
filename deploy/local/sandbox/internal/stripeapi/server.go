// Package stripeapi speaks Stripe's HTTP API over a ledger: the routes of payment
// intents, refunds, payment methods and customers that a shop needs, with Stripe's
// parameters, objects, errors and idempotency keys. It decides nothing about
// money; the ledger does.
package stripeapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
)

// maxBody bounds a request; Stripe's parameters are small.
const maxBody = 1 << 20

// Options are what the API needs beside the ledger.
type Options struct {
	APIKey string
	// BaseURL is this server's own address, for the page of 3-D Secure.
	BaseURL string
	// Name is what callers beside loopback call this server, in a network of containers; "" for none.
	Name string
}

// Server answers requests. It is safe for concurrent use.
type Server struct {
	ledger *ledger.Ledger
	opts   Options
	random ledger.Random
	log    *slog.Logger

	mu      sync.Mutex
	running map[string]bool // idempotency keys whose first request is under way
}

// New returns a server over a ledger.
func New(l *ledger.Ledger, opts Options, random ledger.Random, log *slog.Logger) *Server {
	return &Server{ledger: l, opts: opts, random: random, log: log, running: map[string]bool{}}
}

// Handler returns every route, in one place.
func (s *Server) Handler() http.Handler {
	api := http.NewServeMux()
	api.Handle("POST /v1/payment_intents", s.write(createIntent))
	api.Handle("GET /v1/payment_intents", s.read(listIntents))
	api.Handle("GET /v1/payment_intents/search", s.read(searchIntents))
	api.Handle("GET /v1/payment_intents/{id}", s.read(getIntent))
	api.Handle("POST /v1/payment_intents/{id}", s.write(updateIntent))
	api.Handle("POST /v1/payment_intents/{id}/confirm", s.write(confirmIntent))
	api.Handle("POST /v1/payment_intents/{id}/capture", s.write(captureIntent))
	api.Handle("POST /v1/payment_intents/{id}/cancel", s.write(cancelIntent))
	api.Handle("GET /v1/charges/{id}", s.read(getCharge))
	api.Handle("POST /v1/refunds", s.write(createRefund))
	api.Handle("GET /v1/refunds", s.read(listRefunds))
	api.Handle("GET /v1/refunds/{id}", s.read(getRefund))
	api.Handle("POST /v1/payment_methods", s.write(createMethod))
	api.Handle("GET /v1/payment_methods", s.read(listMethods))
	// A test token makes a payment method the moment it is looked at.
	api.Handle("GET /v1/payment_methods/{id}", s.write(getMethod))
	api.Handle("POST /v1/payment_methods/{id}/attach", s.write(attachMethod))
	api.Handle("POST /v1/payment_methods/{id}/detach", s.write(detachMethod))
	api.Handle("POST /v1/customers", s.write(createCustomer))
	api.Handle("GET /v1/customers/{id}", s.read(getCustomer))
	api.Handle("DELETE /v1/customers/{id}", s.write(deleteCustomer))
	api.Handle("GET /v1/customers/{id}/payment_methods", s.read(listMethods))
	api.HandleFunc("/", s.unknownRoute)

	root := http.NewServeMux()
	root.Handle("/v1/", s.authenticated(api))
	root.HandleFunc("GET /3ds/{id}", s.challengePage)
	root.HandleFunc("POST /3ds/{id}", s.challengeDone)
	root.HandleFunc("GET /ledger", s.showLedger)
	root.HandleFunc("GET /healthz", s.health)
	return s.calledRight(root)
}

// calledRight refuses requests made under another host name than loopback or ours, which a web page could point at this
// machine.
func (s *Server) calledRight(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		named := s.opts.Name != "" && host == s.opts.Name
		if host != "localhost" && !named && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "ask for localhost", http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// authenticated demands the secret key, as a bearer token or a Basic user name.
func (s *Server) authenticated(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(s.opts.APIKey))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			key, _, _ = r.BasicAuth()
		}
		// Hashed first, so that neither content nor length shows in the time.
		got := sha256.Sum256([]byte(key))
		if subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
			next.ServeHTTP(w, r)
			return
		}
		message := "Invalid API Key provided."
		if key == "" {
			message = "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth."
		}
		s.fail(w, &ledger.Error{Status: http.StatusUnauthorized, Type: "invalid_request_error", Message: message})
	})
}

func (s *Server) unknownRoute(w http.ResponseWriter, r *http.Request) {
	s.fail(w, &ledger.Error{
		Status: http.StatusNotFound, Type: "invalid_request_error",
		Message: "Unrecognized request URL (" + r.Method + ": " + r.URL.Path + "). The sandbox does not have this route.",
	})
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if err := s.ledger.Err(); err != nil {
		http.Error(w, "the ledger cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"status":"ok"}` + "\n"))
}

// Settle gives refunds that were pending their outcome when it is due, until ctx
// ends. It returns an error only when the ledger fails.
func (s *Server) Settle(ctx context.Context) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		var due []ledger.Refund
		if err := s.ledger.View(func(tx *ledger.Tx) error { due = tx.Unsettled(tx.Now()); return nil }); err != nil {
			return err
		}
		for _, r := range due {
			if err := s.ledger.Update(func(tx *ledger.Tx) error { settleRefund(tx, r.ID); return nil }); err != nil {
				return err
			}
		}
	}
}
