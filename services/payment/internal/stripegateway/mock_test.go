package stripegateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/payment/internal/audit"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// judge is stripe-mock behind a recorder: it holds each request to Stripe's own
// OpenAPI document and answers 4xx to what Stripe's API does not have. That
// document is a later release of the API version which stripe-go asks for; within
// one version Stripe only adds.
type judge struct {
	url string

	mu       sync.Mutex
	requests []string
	refusals []string
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	program := os.Getenv("CARAVAN_TEST_STRIPE_MOCK")
	if program == "" {
		t.Fatal("CARAVAN_TEST_STRIPE_MOCK (the path of stripe-mock) must be set; `make test-units` and `caravan testdb --with all` do")
	}
	socket := filepath.Join(t.TempDir(), "mock")
	cmd := exec.Command(program, "-http-unix", socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := dial(context.Background(), "", "")
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("stripe-mock does not listen: %v", err)
		}
	}
	j := &judge{}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "stripe-mock"})
	proxy.Transport = &http.Transport{DialContext: dial}
	proxy.ModifyResponse = j.note
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	j.url = front.URL
	return j
}

func (j *judge) note(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	j.mu.Lock()
	defer j.mu.Unlock()
	request := r.Request.Method + " " + r.Request.URL.Path
	// stripe-go makes a key where it is given none; those have an underscore.
	if key := r.Request.Header.Get("Idempotency-Key"); key != "" && !strings.Contains(key, "_") {
		request += " " + key
	}
	j.requests = append(j.requests, request)
	if r.StatusCode >= 300 {
		j.refusals = append(j.refusals, fmt.Sprintf("%s: %d %s", request, r.StatusCode, body))
	}
	return nil
}

// made is one call of the adapter, and the requests that it should make, with
// the keys of our own: one which is lost shows too.
type made struct {
	call func(ctx context.Context, g *Gateway) error
	want []string
}

// calls are all that the adapter can make.
func calls() map[string]made {
	var (
		order   = payment.Order{ID: uuid.MustParse("01900000-0000-7000-8000-000000000001"), Number: "7KQX-M2VT-9R6"}
		attempt = payment.Attempt{
			ID: uuid.MustParse("01900000-0000-7000-8000-000000000002"), Amount: 1999, Currency: "GBP", ProviderID: "pi_1",
			Means: payment.Means{Token: "pm_card_visa"},
		}
		saved  = attempt
		refund = payment.Refund{ID: uuid.MustParse("01900000-0000-7000-8000-000000000003"), Amount: 500}
		user   = uuid.MustParse("01900000-0000-7000-8000-000000000004")
	)
	saved.Means.Customer = "cus_1"
	surplus := refund
	surplus.Kind = payment.RefundSurplus
	return map[string]made{
		"create": {func(ctx context.Context, g *Gateway) error {
			_, err := g.CreateIntent(ctx, order, attempt)
			return err
		}, []string{"POST /v1/payment_intents " + attempt.ID.String()}},
		"create for a saved method": {func(ctx context.Context, g *Gateway) error {
			_, err := g.CreateIntent(ctx, order, saved)
			return err
		}, []string{"POST /v1/payment_intents " + attempt.ID.String()}},
		"read": {func(ctx context.Context, g *Gateway) error {
			_, err := g.ReadIntent(ctx, "pi_1")
			return err
		}, []string{"GET /v1/payment_intents/pi_1"}},
		"confirm": {func(ctx context.Context, g *Gateway) error {
			_, err := g.ConfirmIntent(ctx, order, attempt)
			return err
		}, []string{"POST /v1/payment_intents/pi_1/confirm"}},
		"capture": {func(ctx context.Context, g *Gateway) error {
			_, err := g.CaptureIntent(ctx, "pi_1")
			return err
		}, []string{"POST /v1/payment_intents/pi_1/capture"}},
		"cancel": {func(ctx context.Context, g *Gateway) error {
			_, err := g.CancelIntent(ctx, "pi_1")
			return err
		}, []string{"POST /v1/payment_intents/pi_1/cancel"}},
		"refund": {func(ctx context.Context, g *Gateway) error {
			_, err := g.CreateRefund(ctx, order, attempt, refund)
			return err
		}, []string{"POST /v1/refunds " + refund.ID.String()}},
		"refund of a second capture": {func(ctx context.Context, g *Gateway) error {
			_, err := g.CreateRefund(ctx, order, attempt, surplus)
			return err
		}, []string{"POST /v1/refunds " + refund.ID.String()}},
		"read a refund": {func(ctx context.Context, g *Gateway) error {
			_, err := g.ReadRefund(ctx, "re_1")
			return err
		}, []string{"GET /v1/refunds/re_1"}},
		"keep a card": {func(ctx context.Context, g *Gateway) error {
			_, err := g.Keep(ctx, user, "", "pm_card_visa")
			return err
		}, []string{"POST /v1/customers customer-" + user.String(), "POST /v1/payment_methods/pm_card_visa/attach"}},
		"keep another card": {func(ctx context.Context, g *Gateway) error {
			_, err := g.Keep(ctx, user, "cus_1", "pm_card_visa")
			return err
		}, []string{"POST /v1/payment_methods/pm_card_visa/attach"}},
		"detach": {func(ctx context.Context, g *Gateway) error {
			return g.Detach(ctx, "pm_1")
		}, []string{"POST /v1/payment_methods/pm_1/detach"}},
		"list": {func(ctx context.Context, g *Gateway) error {
			return g.Each(ctx, func(audit.Held) error { return nil })
		}, []string{"GET /v1/payment_intents"}},
	}
}

// TestRequestsAreStripes has every call of the adapter judged.
func TestRequestsAreStripes(t *testing.T) {
	judge := newJudge(t)
	for _, manual := range []bool{false, true} {
		g := New(Config{APIKey: "sk_test_1", APIBase: judge.url, ReturnURL: "http://localhost:3000/orders", ManualCapture: manual, CallTimeout: 10 * time.Second})
		for name, tt := range calls() {
			t.Run(fmt.Sprintf("%s, manual capture %t", name, manual), func(t *testing.T) {
				judge.requests, judge.refusals = nil, nil
				if err := tt.call(context.Background(), g); err != nil {
					t.Error(err)
				}
				if len(judge.refusals) > 0 {
					t.Errorf("refused:\n%s", strings.Join(judge.refusals, "\n"))
				}
				if diff := cmp.Diff(tt.want, judge.requests); diff != "" {
					t.Errorf("requests (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestTheJudgeRefuses shows that the judgement above means something.
func TestTheJudgeRefuses(t *testing.T) {
	judge := newJudge(t)
	for name, form := range map[string]url.Values{
		"sound":               {"amount": {"1999"}, "currency": {"gbp"}},
		"amount is no number": {"amount": {"much"}, "currency": {"gbp"}},
		"amount is missing":   {"currency": {"gbp"}},
		"no such parameter":   {"amount": {"1999"}, "currency": {"gbp"}, "colour": {"red"}},
		"no such capture":     {"amount": {"1999"}, "currency": {"gbp"}, "capture_method": {"later"}},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodPost, judge.url+"/v1/payment_intents", strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer sk_test_1")
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			want := http.StatusBadRequest
			if name == "sound" {
				want = http.StatusOK
			}
			if resp.StatusCode != want {
				t.Errorf("got %d, want %d", resp.StatusCode, want)
			}
		})
	}
}
