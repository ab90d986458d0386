package httpapi_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

func refundOf(order uuid.UUID, amount int64) map[string]any {
	return map[string]any{"order_id": order, "reason": "one item arrived broken", "amount": map[string]any{"amount": amount, "currency": "GBP"}}
}

func TestRefunds(t *testing.T) {
	s := open(t)
	buyer, clerk := customer(), staff()
	order := s.order(buyer, card("pm_card_visa"))
	s.await(order, buyer, "captured")
	s.want(403, "role_required", "POST", "/v1/refunds", buyer, refundOf(order, 100), "Idempotency-Key: k")
	s.want(428, "idempotency_key_required", "POST", "/v1/refunds", clerk, refundOf(order, 100))
	s.want(404, "order_not_found", "POST", "/v1/refunds", clerk, refundOf(uuid.New(), 100), "Idempotency-Key: k")
	s.want(422, "amount_invalid", "POST", "/v1/refunds", clerk, refundOf(order, 0), "Idempotency-Key: k")
	s.want(422, "reason_invalid", "POST", "/v1/refunds", clerk, map[string]any{"order_id": order, "reason": ""}, "Idempotency-Key: k")
	r := s.want(409, "refund_exceeds_captured", "POST", "/v1/refunds", clerk, refundOf(order, 2501), "Idempotency-Key: k")
	if left := r.body["refundable"].(map[string]any)["amount"]; left != float64(2500) {
		t.Errorf("refundable: got %v, want 2500", left)
	}
	first := s.want(201, "", "POST", "/v1/refunds", clerk, refundOf(order, 1000), "Idempotency-Key: k1")
	again := s.want(201, "", "POST", "/v1/refunds", clerk, refundOf(order, 1000), "Idempotency-Key: k1")
	if again.raw != first.raw || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay: got %s, want %s", again.raw, first.raw)
	}
	s.want(422, "idempotency_key_reused", "POST", "/v1/refunds", clerk, refundOf(order, 999), "Idempotency-Key: k1")
	s.await(order, buyer, "partially_refunded")
	rest := s.want(201, "", "POST", "/v1/refunds", clerk, map[string]any{"order_id": order, "reason": "the rest"}, "Idempotency-Key: k2")
	if got := rest.body["amount"].(map[string]any)["amount"]; got != float64(1500) {
		t.Errorf("the rest: got %v, want 1500", got)
	}
	s.await(order, buyer, "refunded")
	s.agree()
	list := s.want(200, "", "GET", "/v1/refunds?limit=1&order_id="+order.String(), clerk, nil)
	next := s.want(200, "", "GET", fmt.Sprintf("/v1/refunds?limit=1&order_id=%s&cursor=%s", order, list.str("next_cursor")), clerk, nil)
	if len(next.body["items"].([]any)) != 1 || next.body["next_cursor"] != nil {
		t.Errorf("second page: got %s", next.raw)
	}
	s.want(200, "", "GET", first.header.Get("Location"), clerk, nil)
	s.want(404, "refund_not_found", "GET", "/v1/refunds/"+uuid.NewString(), clerk, nil)
}

func TestRefundThatTheProviderRefuses(t *testing.T) {
	s := open(t)
	buyer := customer()
	order := s.order(buyer, card("pm_sandbox_refundRefused"))
	s.await(order, buyer, "captured")
	s.cancel(order, buyer)
	s.until("the refund waits for staff", func() bool {
		r := s.want(200, "", "GET", "/v1/refunds?status=failed", staff(), nil)
		return len(r.body["items"].([]any)) == 1
	})
	s.agree()
}

func TestRefundsThatTakeTime(t *testing.T) {
	s := open(t)
	buyer := customer()
	order := s.order(buyer, card("pm_card_pendingRefund"))
	s.await(order, buyer, "captured")
	s.cancel(order, buyer)
	s.await(order, buyer, "refunded") // by a webhook: it is polled once a minute only
}

// The refund succeeds, and the bank sends it back later.
func TestRefundThatBounces(t *testing.T) {
	s := open(t)
	buyer := customer()
	order := s.order(buyer, card("pm_card_refundFail"))
	s.await(order, buyer, "captured")
	s.cancel(order, buyer)
	s.until("the refund waits for staff", func() bool {
		r := s.want(200, "", "GET", "/v1/refunds?status=failed", staff(), nil)
		return len(r.body["items"].([]any)) == 1
	})
	s.agree()
}

func TestFiftyRefundsAtOnce(t *testing.T) {
	s := open(t)
	buyer, clerk := customer(), staff()
	order := s.order(buyer, card("pm_card_visa"))
	s.await(order, buyer, "captured")
	var wg sync.WaitGroup
	got := make(chan int, 50)
	for i := range 50 {
		wg.Go(func() {
			got <- s.call("POST", "/v1/refunds", clerk, refundOf(order, 250), fmt.Sprintf("Idempotency-Key: storm-%d", i)).status
		})
	}
	wg.Wait()
	close(got)
	counts := map[int]int{}
	for status := range got {
		counts[status]++
	}
	if counts[201] != 10 || counts[409] != 40 {
		t.Errorf("answers: got %v, want 10 times 201 and 40 times 409", counts)
	}
	s.await(order, buyer, "refunded")
	s.agree()
}

func TestSavedMethods(t *testing.T) {
	s := open(t)
	buyer, other := customer(), customer()
	const path = "/v1/saved-payment-methods"
	save := map[string]any{"token": "pm_card_visa"}
	first := s.want(201, "", "POST", path, buyer, save, "Idempotency-Key: k1")
	if first.str("last4") != "4242" || first.str("brand") != "visa" || first.body["is_default"] != true || strings.Contains(first.raw, "pm_") {
		t.Errorf("saved: got %s", first.raw)
	}
	again := s.want(201, "", "POST", path, buyer, save, "Idempotency-Key: k1")
	if again.raw != first.raw || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay: got %s, want %s", again.raw, first.raw)
	}
	second := s.want(201, "", "POST", path, buyer, map[string]any{"token": "pm_card_mastercard"})
	s.want(200, "", "PUT", path+"/"+second.str("id")+"/default", buyer, nil)
	s.want(404, "saved_payment_method_not_found", "PUT", path+"/"+second.str("id")+"/default", other, nil)
	s.want(404, "saved_payment_method_not_found", "DELETE", path+"/"+second.str("id"), other, nil)
	s.want(422, "payment_method_unknown", "POST", path, buyer, map[string]any{"token": "hello"})
	s.want(422, "payment_method_refused", "POST", path, buyer, map[string]any{"token": "pm_doesNotExist"})
	for _, secret := range []any{
		map[string]any{"token": "4242424242424242"}, map[string]any{"token": "pm_card_visa", "number": 4000056655665556},
		`{"card":{"number":"5555 5555 5555 4444"`,
	} {
		s.want(422, "card_number_refused", "POST", path, buyer, secret)
	}
	// A saved method pays twice, a stranger's not once.
	saved := map[string]any{"saved_payment_method_id": first.str("id")}
	s.await(s.order(buyer, saved), buyer, "captured")
	order := s.order(buyer, saved)
	tx := s.await(order, buyer, "captured")
	if tx["saved_payment_method_id"] != first.str("id") {
		t.Errorf("transaction: got %v, want the saved method's id", tx)
	}
	r := s.want(200, "", "POST", "/internal/payments/prepare", who{}, map[string]any{"order_id": uuid.New(), "user_id": other.ID, "payment": saved})
	if r.str("result") != "payment_method_unknown" {
		t.Errorf("somebody else's method: got %s", r.raw)
	}
	s.want(204, "", "DELETE", path+"/"+second.str("id"), buyer, nil)
	list := s.want(200, "", "GET", path, buyer, nil)
	if items := list.body["items"].([]any); len(items) != 1 || items[0].(map[string]any)["is_default"] != true {
		t.Errorf("left: got %s, want the first as the default", list.raw)
	}
	s.deliver(&events.UserDeleted{UserData: events.UserData{UserID: buyer.ID}}, uuid.NewString())
	s.until("every method is detached", func() bool { return s.count(`SELECT count(*) FROM method_detachments`) == 0 })
	s.want(409, "account_erased", "POST", path, buyer, save)
	export := s.want(200, "", "POST", "/internal/export", who{}, map[string]any{"user_id": buyer.ID})
	if len(export.body["data"].(map[string]any)["transactions"].([]any)) != 2 {
		t.Errorf("export: got %s, want the figures of two transactions", export.raw)
	}
	for _, leak := range []string{"4242424242424242", "4000056655665556", "5555 5555", "pm_card"} {
		if strings.Contains(s.log.text(), leak) {
			t.Errorf("the log holds %q", leak)
		}
	}
	s.agree()
}

func TestPaymentMethods(t *testing.T) {
	s := open(t)
	r := s.want(200, "", "GET", "/v1/payment-methods", who{}, nil)
	if items := r.body["items"].([]any); len(items) != 1 || items[0].(map[string]any)["code"] != "card" {
		t.Errorf("got %s", r.raw)
	}
}
