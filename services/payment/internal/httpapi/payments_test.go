package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v86/webhook"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/service"
)

func TestChargedAndRefundedOnCancellation(t *testing.T) {
	s := open(t)
	buyer, other := customer(), customer()
	order := s.order(buyer, card("pm_card_visa"))
	tx := s.await(order, buyer, "captured")
	path := "/v1/transactions/" + tx["id"].(string)
	r := s.want(200, "", "GET", path, buyer, nil)
	if r.header.Get("ETag") == "" || strings.Contains(r.raw, "pi_") {
		t.Errorf("transaction: got %v %s", r.header, r.raw)
	}
	if r := s.want(200, "", "GET", path, staff(), nil); !strings.Contains(r.raw, "pi_") {
		t.Errorf("transaction for staff: got %s, want the provider's id", r.raw)
	}
	s.want(404, "transaction_not_found", "GET", path, other, nil)
	if got := s.transactions(order, other); len(got) != 0 {
		t.Errorf("somebody else's list: got %v", got)
	}
	s.cancel(order, buyer)
	s.cancel(order, buyer)
	s.await(order, buyer, "refunded")
	s.agree()
	if got := s.ledger().Refunds; len(got) != 1 || got[0].Amount != 2500 {
		t.Errorf("refunds at the provider: got %v, want one of 2500", got)
	}
}

func TestDeclineAndSecondAttempt(t *testing.T) {
	s := open(t)
	buyer := customer()
	order := s.order(buyer, card("pm_card_chargeDeclinedInsufficientFunds"))
	if tx := s.await(order, buyer, "failed"); tx["failure_code"] != "insufficient_funds" {
		t.Errorf("failure_code: got %v", tx["failure_code"])
	}
	path := "/v1/orders/" + order.String() + "/payment-attempts"
	body := map[string]any{"payment": card("pm_card_visa")}
	s.want(401, "token_missing", "POST", path, who{}, body)
	s.want(404, "order_not_found", "POST", path, customer(), body)
	s.want(404, "order_not_found", "POST", "/v1/orders/"+uuid.NewString()+"/payment-attempts", buyer, body)
	s.want(428, "idempotency_key_required", "POST", path, buyer, `not json`)
	s.want(400, "malformed_body", "POST", path, buyer, `not json`, "Idempotency-Key: k0")
	s.want(422, "payment_method_unknown", "POST", path, buyer, map[string]any{"payment": map[string]any{"method": "card"}}, "Idempotency-Key: k0")
	s.want(422, "card_number_refused", "POST", path, buyer, map[string]any{"payment": card("4242 4242 4242 4242")}, "Idempotency-Key: k0")
	first := s.want(201, "", "POST", path, buyer, body, "Idempotency-Key: k1")
	if first.str("status") != "initiated" || first.body["attempt"] != float64(2) || first.header.Get("Location") == "" {
		t.Errorf("attempt: got %s", first.raw)
	}
	again := s.want(201, "", "POST", path, buyer, body, "Idempotency-Key: k1")
	if again.raw != first.raw || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay: got %s, want %s", again.raw, first.raw)
	}
	s.await(order, buyer, "captured")
	s.want(409, "order_already_paid", "POST", path, buyer, body, "Idempotency-Key: k2")
	s.agree()
	for _, i := range s.ledger().PaymentIntents {
		if i.Status != "succeeded" && i.Status != "canceled" {
			t.Errorf("intent %s is left %s", i.ID, i.Status)
		}
	}
}

func TestThreeDSecure(t *testing.T) {
	s := open(t)
	for outcome, want := range map[string]string{"complete": "captured", "fail": "failed"} {
		buyer := customer()
		order := s.order(buyer, card("pm_card_authenticationRequired"))
		tx := s.await(order, buyer, "requires_action")
		path := "/v1/orders/" + order.String() + "/payment-attempts"
		s.want(409, "payment_in_progress", "POST", path, buyer, map[string]any{"payment": card("pm_card_visa")}, "Idempotency-Key: k1")
		for _, stranger := range s.transactions(order, staff()) {
			if stranger["next_action"] != nil {
				t.Errorf("next_action is shown to staff")
			}
		}
		redirect := tx["next_action"].(map[string]any)["redirect_to_url"].(map[string]any)["url"].(string)
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.PostForm(redirect, url.Values{"outcome": {outcome}})
		s.must(err)
		_ = resp.Body.Close()
		tx = s.await(order, buyer, want)
		if want == "failed" && tx["failure_code"] != "authentication_failed" {
			t.Errorf("failure_code: got %v, want authentication_failed", tx["failure_code"])
		}
		if tx["next_action"] != nil {
			t.Errorf("next_action is left: %v", tx["next_action"])
		}
	}
	s.agree()
}

func TestCancelWhileThePayerIsAway(t *testing.T) {
	s := open(t)
	buyer := customer()
	order := s.order(buyer, card("pm_card_authenticationRequired"))
	s.await(order, buyer, "requires_action")
	s.cancel(order, buyer)
	s.await(order, buyer, "voided")
	s.want(409, "order_not_payable", "POST", "/v1/orders/"+order.String()+"/payment-attempts", buyer,
		map[string]any{"payment": card("pm_card_visa")}, "Idempotency-Key: k1")
	s.agree()
}

// The provider takes the money and its answer is lost: the truth is read.
func TestUnknownOutcomeIsRead(t *testing.T) {
	s := open(t)
	for _, token := range []string{"pm_sandbox_timeoutAfterCharge", "pm_sandbox_errorAfterCharge"} {
		buyer := customer()
		s.await(s.order(buyer, card(token)), buyer, "captured")
	}
	s.agree()
	if strings.Contains(s.log.text(), "pm_sandbox") {
		t.Error("the log holds a payment method's id")
	}
}

func TestUnusableMethod(t *testing.T) {
	s := open(t)
	buyer := customer()
	order := s.order(buyer, card("pm_doesNotExist"))
	if tx := s.await(order, buyer, "failed"); tx["failure_code"] != "payment_method_unusable" {
		t.Errorf("failure_code: got %v", tx["failure_code"])
	}
	s.agree()
}

func TestEventsTwiceAndReplayed(t *testing.T) {
	s := open(t)
	buyer := customer()
	order := service.NewID()
	s.want(200, "", "POST", "/internal/payments/prepare", who{}, map[string]any{"order_id": order, "user_id": buyer.ID, "payment": card("pm_card_visa")})
	created, id := &events.OrderCreated{OrderData: orderData(order, buyer, 2500)}, service.NewID().String()
	for range 3 {
		s.deliver(created, id)
	}
	s.await(order, buyer, "captured")
	s.deliver(created, id)
	s.deliver(created, service.NewID().String()) // even under another id
	s.agree()
	if got := len(s.transactions(order, buyer)); got != 1 {
		t.Errorf("attempts: got %d, want 1", got)
	}
	r := s.want(200, "", "POST", "/events/order.created", who{}, `{"id":"x","type":"order.created","data":{"order_id":"nonsense"}}`)
	if r.str("status") != "DROP" {
		t.Errorf("poison: got %s, want DROP", r.raw)
	}
}

func TestWebhookIsChecked(t *testing.T) {
	s := open(t)
	body := []byte(`{"id":"evt_1","object":"event","type":"payment_intent.succeeded","data":{"object":{"id":"pi_x","object":"payment_intent","metadata":{}}}}`)
	ours := []byte(`{"id":"evt_2","object":"event","type":"payment_intent.succeeded","data":{"object":{"id":"pi_x","metadata":{"transaction_id":"` + uuid.NewString() + `"}}}}`)
	signed := func(body []byte, secret string, at time.Time) string {
		return "Stripe-Signature: " + webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: secret, Timestamp: at}).Header
	}
	const path = "/v1/webhooks/stripe"
	s.want(400, "webhook_signature_invalid", "POST", path, who{}, string(body))
	s.want(400, "webhook_signature_invalid", "POST", path, who{}, string(body), signed(body, "whsec_other", time.Now()))
	s.want(400, "webhook_signature_invalid", "POST", path, who{}, string(body)+" ", signed(body, webhookSecret, time.Now()))
	s.want(400, "webhook_signature_invalid", "POST", path, who{}, string(body), signed(body, webhookSecret, time.Now().Add(-6*time.Minute)))
	s.want(200, "", "POST", path, who{}, string(body), signed(body, webhookSecret, time.Now()))
	s.want(500, "", "POST", path, who{}, string(ours), signed(ours, webhookSecret, time.Now()))
}

func TestCloseOfAnUnpaidOrder(t *testing.T) {
	s := open(t)
	buyer := customer()
	order := s.order(buyer, card("pm_card_chargeDeclined"))
	s.await(order, buyer, "failed")
	ask := map[string]any{"order_id": order, "reason": "unpaid"}
	if r := s.want(200, "", "POST", "/internal/payments/close", who{}, ask); r.str("result") != "closed" {
		t.Errorf("close: got %s", r.raw)
	}
	paid := s.order(buyer, card("pm_card_visa"))
	tx := s.await(paid, buyer, "captured")
	r := s.want(200, "", "POST", "/internal/payments/close", who{}, map[string]any{"order_id": paid})
	if r.str("result") != "captured" || r.str("transaction_id") != tx["id"] {
		t.Errorf("close of a paid order: got %s", r.raw)
	}
	s.agree()
}
