package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v86"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/stripeapi"
)

func TestIdempotencyKeys(t *testing.T) {
	s := start(t)
	form := "amount=500&currency=gbp&metadata[order_id]=o-9&payment_method=pm_card_visa"
	first, body := s.post("/v1/payment_intents", form, "k-1")
	if first.StatusCode != 200 || first.Header.Get("Idempotent-Replayed") != "" || first.Header.Get("Idempotency-Key") != "k-1" {
		t.Fatalf("first: got %d %v", first.StatusCode, first.Header)
	}
	// The order of the parameters does not make another request.
	again, replay := s.post("/v1/payment_intents", "payment_method=pm_card_visa&currency=gbp&metadata[order_id]=o-9&amount=500", "k-1")
	if again.StatusCode != 200 || replay != body || again.Header.Get("Idempotent-Replayed") != "true" || again.Header.Get("Original-Request") != first.Header.Get("Request-Id") {
		t.Errorf("replay: got %d %v\n%s", again.StatusCode, again.Header, replay)
	}
	for path, other := range map[string]string{"/v1/payment_intents": "amount=501&currency=gbp", "/v1/refunds": form} {
		res, got := s.post(path, other, "k-1")
		if res.StatusCode != 400 || !strings.Contains(got, `"idempotency_error"`) {
			t.Errorf("other request %s: got %d %s", path, res.StatusCode, got)
		}
	}
	if n := len(s.books()["payment_intents"].([]any)); n != 1 {
		t.Errorf("intents: got %d, want 1", n)
	}
}

func TestIdempotencyKeysKeepDeclinesButNotBadRequests(t *testing.T) {
	s := start(t)
	pi := s.create("pm_card_chargeDeclined", 500)
	_, first := s.post("/v1/payment_intents/"+pi.ID+"/confirm", "", "k-2")
	res, replay := s.post("/v1/payment_intents/"+pi.ID+"/confirm", "", "k-2")
	if res.StatusCode != 402 || replay != first {
		t.Errorf("decline: got %d\n%s\nwant\n%s", res.StatusCode, replay, first)
	}
	if res, _ = s.post("/v1/payment_intents", "amount=1&currency=gbp", "k-3"); res.StatusCode != 400 {
		t.Errorf("too small: got %d", res.StatusCode)
	}
	if res, body := s.post("/v1/payment_intents", "amount=100&currency=gbp", "k-3"); res.StatusCode != 200 {
		t.Errorf("corrected: got %d %s", res.StatusCode, body)
	}
}

func TestOneKeyManyAtOnce(t *testing.T) {
	s := start(t)
	var made, busy atomic.Int32
	ids := sync.Map{}
	var group sync.WaitGroup
	for range 30 {
		group.Go(func() {
			p := intentOf("pm_card_visa", 500)
			p.SetIdempotencyKey("same")
			pi, err := s.sc.V1PaymentIntents.Create(t.Context(), p)
			var se *stripe.Error
			switch {
			case err == nil:
				made.Add(1)
				ids.Store(pi.ID, true)
			case errors.As(err, &se) && se.HTTPStatusCode == 409 && se.Code == stripe.ErrorCodeIdempotencyKeyInUse:
				busy.Add(1)
			default:
				t.Errorf("got %v", err)
			}
		})
	}
	group.Wait()
	different := 0
	ids.Range(func(any, any) bool { different++; return true })
	if different != 1 || made.Load() < 1 || made.Load()+busy.Load() != 30 {
		t.Errorf("got %d intents, %d answers, %d conflicts", different, made.Load(), busy.Load())
	}
}

func TestOneIntentConfirmedAndCanceledAtOnce(t *testing.T) {
	s := start(t)
	for range 20 {
		pi := s.create("pm_card_visa", 500)
		var confirmed, canceled atomic.Int32
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if _, err := s.confirm(pi.ID); err == nil {
					confirmed.Add(1)
				}
			})
			group.Go(func() {
				if _, err := s.sc.V1PaymentIntents.Cancel(t.Context(), pi.ID, nil); err == nil {
					canceled.Add(1)
				}
			})
		}
		group.Wait()
		if confirmed.Load()+canceled.Load() != 1 {
			t.Errorf("got %d confirmations and %d cancellations, want one in all", confirmed.Load(), canceled.Load())
		}
	}
}

func TestNeverMoreRefundedThanCaptured(t *testing.T) {
	s := start(t)
	pi := s.paid("pm_card_visa", 1000)
	var sum atomic.Int64
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if re, err := s.refund(pi.ID, 300, ""); err == nil {
				sum.Add(re.Amount)
			}
		})
	}
	group.Wait()
	if sum.Load() != 900 {
		t.Errorf("refunded: got %d, want 900", sum.Load())
	}
}

func TestEverythingIsThereAfterAKill(t *testing.T) {
	dir, shop := t.TempDir(), newReceiver(t)
	s := startIn(t, dir, shop, func(*config) {})
	pi := s.paid("pm_card_visa", 1000)
	if _, err := s.refund(pi.ID, 250, "r-1"); err != nil {
		t.Fatal(err)
	}
	challenged, err := s.confirm(s.create("pm_card_threeDSecure2Required", 600).ID)
	if err != nil {
		t.Fatal(err)
	}
	_, kept := s.post("/v1/payment_intents", "amount=500&currency=gbp", "k-1")
	before := s.books()
	s.await("payment_intent.requires_action", 1)
	s.stop()

	// What a kill in the middle of a write leaves.
	file, err := os.OpenFile(filepath.Join(dir, "journal.jsonl"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"intents":[{"id":"pi_torn","amo`); err != nil {
		t.Fatal(err)
	}
	file.Close()

	for range 2 {
		again := startIn(t, dir, shop, func(*config) {})
		if diff := cmp.Diff(before, again.books()); diff != "" {
			t.Errorf("ledger (-before +after):\n%s", diff)
		}
		if res, replay := again.post("/v1/payment_intents", "amount=500&currency=gbp", "k-1"); replay != kept || res.Header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("kept answer: got %s, want %s", replay, kept)
		}
		again.stop()
	}
	last := startIn(t, dir, shop, func(*config) {})
	if res, _ := last.post("/3ds/"+challenged.ID, "outcome=complete", ""); res.StatusCode != 200 {
		t.Errorf("3-D Secure after a restart: got %d", res.StatusCode)
	}
	if _, err := last.refund(pi.ID, 751, ""); err == nil {
		t.Error("more was refunded than captured, across a restart")
	}
}

func TestADamagedJournalIsNotGuessedAt(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal.jsonl"), []byte("{\"intents\":[}\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := listenAnywhere(t)
	if err != nil {
		t.Fatal(err)
	}
	if err := serve(t.Context(), config{Dir: dir}, l, time.Now, discard()); err == nil {
		t.Error("started on a journal that is damaged in its middle")
	}
}

func TestWebhooksComeUntilTheyAreTaken(t *testing.T) {
	dir, shop := t.TempDir(), newReceiver(t)
	shop.status = func(attempt int) int {
		if attempt <= 4 {
			return []int{500, 503, 400, 302}[attempt-1]
		}
		return 200
	}
	s := startIn(t, dir, shop, func(*config) {})
	s.paid("pm_card_visa", 500)
	s.await("payment_intent.succeeded", 1)
	if shop.tries < 5 {
		t.Errorf("attempts: got %d, want 5", shop.tries)
	}
}

func TestWebhooksOutliveARestartAndAreNotRepeatedAfterOne(t *testing.T) {
	dir, shop := t.TempDir(), newReceiver(t)
	shop.status = func(int) int { return 503 }
	s := startIn(t, dir, shop, func(*config) {})
	const payments = 20
	for range payments {
		s.paid("pm_card_visa", 500)
	}
	s.stop()
	shop.mu.Lock()
	shop.status = nil
	shop.mu.Unlock()
	again := startIn(t, dir, shop, func(*config) {})
	again.await("payment_intent.succeeded", payments)
	again.stop()
	third := startIn(t, dir, shop, func(*config) {})
	third.paid("pm_card_visa", 500)
	third.await("payment_intent.succeeded", payments+1)
	if got := len(shop.types()); got != payments+1 {
		t.Errorf("deliveries: got %d, want %d", got, payments+1)
	}
}

func TestCopiesForTestsOfTheReceiver(t *testing.T) {
	shop := newReceiver(t)
	s := startIn(t, t.TempDir(), shop, func(c *config) { c.WebhookCopies, c.WebhookDelay = 3, 50*time.Millisecond })
	s.paid("pm_card_visa", 500)
	s.await("payment_intent.succeeded", 3)
	if shop.events[0].ID != shop.events[2].ID {
		t.Errorf("copies: got ids %s and %s", shop.events[0].ID, shop.events[2].ID)
	}
}

func TestFaultsLeaveTheOutcomeToBeAsked(t *testing.T) {
	s := start(t)
	short := client(s.url, testKey)
	for token, want := range map[string]stripe.PaymentIntentStatus{
		"pm_sandbox_timeoutAfterCharge": "succeeded", "pm_sandbox_errorAfterCharge": "succeeded", "pm_sandbox_unavailable": "requires_confirmation",
	} {
		pi := s.create(token, 500)
		p := &stripe.PaymentIntentConfirmParams{}
		p.SetIdempotencyKey("confirm-" + pi.ID)
		ctx, cancel := contextFor(t, 300*time.Millisecond)
		if got, err := short.V1PaymentIntents.Confirm(ctx, pi.ID, p); err == nil {
			t.Errorf("%s: got %+v, want no answer", token, got)
		}
		cancel()
		if got := s.retrieve(pi.ID).Status; got != want {
			t.Errorf("%s: got %s, want %s", token, got, want)
		}
		if want != "succeeded" {
			continue
		}
		// The key tells what happened, once the first request has ended.
		for range 100 {
			got, err := s.sc.V1PaymentIntents.Confirm(t.Context(), pi.ID, p)
			if err == nil && got.Status == want {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func TestThroughput(t *testing.T) {
	s := start(t)
	const clients, each = 8, 25
	began := time.Now()
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for i := range each {
				p := intentOf("pm_card_visa", 500)
				p.SetIdempotencyKey(fmt.Sprintf("k-%d-%d", c, i))
				pi, err := s.sc.V1PaymentIntents.Create(t.Context(), p)
				if err == nil {
					_, err = s.confirm(pi.ID)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	rate := float64(2*clients*each) / time.Since(began).Seconds()
	t.Logf("%.0f writes/s", rate)
	s.await("payment_intent.succeeded", clients*each)
	if n := len(s.books()["payment_intents"].([]any)); n != clients*each {
		t.Errorf("intents: got %d, want %d", n, clients*each)
	}
}

func TestOtherHostNamesAreRefused(t *testing.T) {
	s := start(t)
	books, err := ledger.Open(t.TempDir(), time.Now, randomText)
	if err != nil {
		t.Fatal(err)
	}
	defer books.Close()
	inNetwork := httptest.NewServer(stripeapi.New(books, stripeapi.Options{Name: "sandbox"}, randomText, slog.Default()).Handler())
	defer inNetwork.Close()
	for _, c := range []struct {
		url, host string
		want      int
	}{
		{s.url, "evil.example", http.StatusMisdirectedRequest},
		{s.url, "sandbox:12111", http.StatusMisdirectedRequest},
		{inNetwork.URL, "sandbox:12111", http.StatusOK},
		{inNetwork.URL, "localhost", http.StatusOK},
		{inNetwork.URL, "evil.example", http.StatusMisdirectedRequest},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", c.url+"/ledger", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("asked as %q: got %d, want %d", c.host, res.StatusCode, c.want)
		}
	}
}
