package stripegateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

func gatewayTo(t *testing.T, answer http.HandlerFunc) *Gateway {
	t.Helper()
	srv := httptest.NewServer(answer)
	t.Cleanup(srv.Close)
	return New(Config{APIKey: "sk_test", APIBase: srv.URL, CallTimeout: 300 * time.Millisecond})
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// A confirmation ends as an intent, as a definite no, or as nobody knows.
func TestOutcomeOfConfirmation(t *testing.T) {
	const declinedIntent = `"payment_intent":{"id":"pi_1","status":"requires_payment_method"}`
	tests := map[string]struct {
		answer  http.HandlerFunc
		state   payment.IntentState
		code    string
		refused bool
		unknown bool
	}{
		"captured":       {answering(200, `{"id":"pi_1","status":"succeeded"}`), payment.IntentCaptured, "", false, false},
		"authorized":     {answering(200, `{"id":"pi_1","status":"requires_capture"}`), payment.IntentCapturable, "", false, false},
		"processing":     {answering(200, `{"id":"pi_1","status":"processing"}`), payment.IntentProcessing, "", false, false},
		"3-D Secure":     {answering(200, `{"id":"pi_1","status":"requires_action","next_action":{"type":"redirect_to_url"}}`), payment.IntentAction, "", false, false},
		"no funds":       {answering(402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds",`+declinedIntent+`}}`), payment.IntentDeclined, payment.FailInsufficientFunds, false, false},
		"stolen":         {answering(402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"stolen_card",`+declinedIntent+`}}`), payment.IntentDeclined, payment.FailDeclined, false, false},
		"expired":        {answering(402, `{"error":{"type":"card_error","code":"expired_card",`+declinedIntent+`}}`), payment.IntentDeclined, payment.FailExpiredCard, false, false},
		"no such method": {answering(400, `{"error":{"type":"invalid_request_error","code":"resource_missing"}}`), "", payment.FailMethodUnusable, true, false},
		"wrong key":      {answering(401, `{"error":{"type":"invalid_request_error"}}`), "", "", false, true},
		"conflict":       {answering(409, `{"error":{"type":"idempotency_error","code":"idempotency_key_in_use"}}`), "", "", false, true},
		"too many":       {answering(429, `{"error":{"type":"invalid_request_error","code":"rate_limit"}}`), "", "", false, true},
		"broken":         {answering(500, `{"error":{"type":"api_error"}}`), "", "", false, true},
		"no JSON":        {answering(502, `<html>`), "", "", false, true},
		"silence":        {func(http.ResponseWriter, *http.Request) { time.Sleep(600 * time.Millisecond) }, "", "", false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := gatewayTo(t, tt.answer)
			attempt := payment.Attempt{ProviderID: "pi_1", Means: payment.Means{Token: "pm_secret"}}
			in, err := g.ConfirmIntent(context.Background(), payment.Order{ID: uuid.New()}, attempt)
			refusal, refused := payment.RefusalOf(err)
			if refused != tt.refused || (err != nil && !refused) != tt.unknown {
				t.Fatalf("error: got %v", err)
			}
			got := in.FailureCode
			if refused {
				got = refusal.Code
			}
			if in.State != tt.state || got != tt.code {
				t.Errorf("got %q %q, want %q %q", in.State, got, tt.state, tt.code)
			}
		})
	}
}

// A call that comes too late for the intent's state answers the intent as it is.
func TestTooLateReadsTheIntent(t *testing.T) {
	g := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			answering(200, `{"id":"pi_1","status":"succeeded"}`)(w, r)
			return
		}
		answering(400, `{"error":{"type":"invalid_request_error","code":"payment_intent_unexpected_state"}}`)(w, r)
	})
	in, err := g.CancelIntent(context.Background(), "pi_1")
	if err != nil || in.State != payment.IntentCaptured {
		t.Errorf("got %+v, %v; want captured", in, err)
	}
}

// Errors are logged and kept: they name no payment method and quote no body.
func TestErrorsHoldNoSecret(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"refused": answering(400, `{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such PaymentMethod: 'pm_secret'"}}`),
		"broken":  answering(500, `{"error":{"type":"api_error","message":"pm_secret 4242424242424242"}}`),
		"no JSON": answering(500, `pm_secret 4242424242424242`),
		"silence": func(http.ResponseWriter, *http.Request) { time.Sleep(600 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gatewayTo(t, answer).Keep(context.Background(), uuid.New(), "cus_1", "pm_secret")
			if err == nil || strings.Contains(err.Error(), "pm_secret") || strings.Contains(err.Error(), "4242") {
				t.Errorf("error: got %v", err)
			}
		})
	}
}
