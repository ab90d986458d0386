package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v86"
)

func TestPayingWithACard(t *testing.T) {
	s := start(t)
	pi := s.create("pm_card_mastercard", 1999)
	if pi.Status != stripe.PaymentIntentStatusRequiresConfirmation || pi.ClientSecret == "" || pi.Metadata["order_id"] != "o-1" {
		t.Fatalf("created: got %+v", pi)
	}
	params := &stripe.PaymentIntentConfirmParams{}
	params.AddExpand("latest_charge")
	params.AddExpand("payment_method")
	pi, err := s.sc.V1PaymentIntents.Confirm(t.Context(), pi.ID, params)
	if err != nil {
		t.Fatal(err)
	}
	if pi.Status != stripe.PaymentIntentStatusSucceeded || pi.AmountReceived != 1999 || !pi.LatestCharge.Captured || pi.LatestCharge.Amount != 1999 {
		t.Errorf("confirmed: got %+v", pi)
	}
	if c := pi.PaymentMethod.Card; c == nil || c.Brand != "mastercard" || c.Last4 != "4444" || c.ExpMonth < 1 || c.ExpYear < 2026 {
		t.Errorf("card: got %+v", c)
	}
	event := s.await("payment_intent.succeeded", 1)
	var got stripe.PaymentIntent
	if err := json.Unmarshal(event.Data.Raw, &got); err != nil || got.ID != pi.ID || got.Status != pi.Status || got.Metadata["transaction_id"] != "t-1" {
		t.Errorf("event: got %s, %v", event.Data.Raw, err)
	}
	want := map[string]any{
		"payment_intents": []any{map[string]any{
			"id": pi.ID, "amount": 1999.0, "amount_refunded": 0.0, "currency": "gbp", "status": "succeeded", "order_id": "o-1", "transaction_id": "t-1",
			"idempotency_key": s.books()["payment_intents"].([]any)[0].(map[string]any)["idempotency_key"],
		}},
		"refunds": []any{},
	}
	if diff := cmp.Diff(want, s.books()); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func TestCreateAndConfirmAtOnce(t *testing.T) {
	s := start(t)
	p := intentOf("pm_card_visa", 500)
	p.Confirm = stripe.Bool(true)
	if pi, err := s.sc.V1PaymentIntents.Create(t.Context(), p); err != nil || pi.Status != stripe.PaymentIntentStatusSucceeded {
		t.Errorf("got %+v, %v", pi, err)
	}
}

func TestDeclinesCarryStripesCodes(t *testing.T) {
	s := start(t)
	for token, want := range map[string][2]string{
		"pm_card_chargeDeclined":                           {"card_declined", "generic_decline"},
		"pm_card_visa_chargeDeclined":                      {"card_declined", "generic_decline"},
		"pm_card_chargeDeclinedInsufficientFunds":          {"card_declined", "insufficient_funds"},
		"pm_card_visa_chargeDeclinedInsufficientFunds":     {"card_declined", "insufficient_funds"},
		"pm_card_chargeDeclinedLostCard":                   {"card_declined", "lost_card"},
		"pm_card_chargeDeclinedStolenCard":                 {"card_declined", "stolen_card"},
		"pm_card_chargeDeclinedExpiredCard":                {"expired_card", "expired_card"},
		"pm_card_chargeDeclinedIncorrectCvc":               {"incorrect_cvc", "incorrect_cvc"},
		"pm_card_chargeDeclinedProcessingError":            {"processing_error", "processing_error"},
		"pm_card_visa_chargeDeclinedVelocityLimitExceeded": {"card_declined", "card_velocity_exceeded"},
	} {
		pi := s.create(token, 700)
		_, err := s.confirm(pi.ID)
		se := wantError(t, err, 402, stripe.ErrorTypeCard, stripe.ErrorCode(want[0]))
		if string(se.DeclineCode) != want[1] || se.PaymentIntent == nil || se.PaymentIntent.ID != pi.ID || se.ChargeID == "" || se.PaymentMethod.Card == nil {
			t.Errorf("%s: got %+v", token, se)
		}
		pi = s.retrieve(pi.ID)
		if pi.Status != stripe.PaymentIntentStatusRequiresPaymentMethod || pi.PaymentMethod != nil || pi.LastPaymentError == nil || string(pi.LastPaymentError.DeclineCode) != want[1] {
			t.Errorf("%s: afterwards got %+v", token, pi)
		}
	}
	s.await("payment_intent.payment_failed", 10)
}

func TestAnotherCardAfterADecline(t *testing.T) {
	s := start(t)
	pi := s.create("pm_card_chargeDeclined", 700)
	_, err := s.confirm(pi.ID)
	wantError(t, err, 402, stripe.ErrorTypeCard, "card_declined")
	_, err = s.confirm(pi.ID)
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentUnexpectedState)
	pi, err = s.sc.V1PaymentIntents.Confirm(t.Context(), pi.ID, &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa")})
	if err != nil || pi.Status != stripe.PaymentIntentStatusSucceeded || pi.LastPaymentError != nil {
		t.Errorf("second card: got %+v, %v", pi, err)
	}
}

func TestThreeDSecure(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		token, outcome string
		want           stripe.PaymentIntentStatus
		code           stripe.ErrorCode
	}{
		{"pm_card_threeDSecure2Required", "complete", "succeeded", ""},
		{"pm_card_authenticationRequired", "fail", "requires_payment_method", "payment_intent_authentication_failure"},
		{"pm_card_threeDSecureRequiredChargeDeclined", "complete", "requires_payment_method", "card_declined"},
	} {
		pi, err := s.sc.V1PaymentIntents.Confirm(t.Context(), s.create(c.token, 800).ID, &stripe.PaymentIntentConfirmParams{ReturnURL: stripe.String("http://shop.example/done?x=1")})
		if err != nil || pi.Status != stripe.PaymentIntentStatusRequiresAction || pi.NextAction == nil || pi.NextAction.Type != "redirect_to_url" {
			t.Fatalf("%s: got %+v, %v", c.token, pi, err)
		}
		page := pi.NextAction.RedirectToURL.URL
		res, err := http.Get(page)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 200 || !strings.Contains(string(body), `value="complete"`) {
			t.Errorf("page: got %d %s", res.StatusCode, body)
		}
		res, _ = s.post(strings.TrimPrefix(page, s.url), "outcome="+c.outcome, "")
		back, err := url.Parse(res.Header.Get("Location"))
		if err != nil || res.StatusCode != 303 || back.Host != "shop.example" || back.Query().Get("payment_intent") != pi.ID || back.Query().Get("x") != "1" {
			t.Errorf("%s: answered %d, redirected to %s", c.token, res.StatusCode, back)
		}
		pi = s.retrieve(pi.ID)
		if pi.Status != c.want || c.code != "" && pi.LastPaymentError.Code != c.code {
			t.Errorf("%s: got %s, %+v", c.token, pi.Status, pi.LastPaymentError)
		}
		if res, _ := s.post(strings.TrimPrefix(page, s.url), "outcome=complete", ""); res.StatusCode != 409 {
			t.Errorf("%s again: got %d, want 409", c.token, res.StatusCode)
		}
	}
	s.await("payment_intent.requires_action", 3)
	s.await("payment_intent.payment_failed", 2)
	s.await("payment_intent.succeeded", 1)
}

func TestOffSessionCannotAuthenticate(t *testing.T) {
	s := start(t)
	_, err := s.sc.V1PaymentIntents.Confirm(t.Context(), s.create("pm_card_authenticationRequired", 800).ID, &stripe.PaymentIntentConfirmParams{OffSession: stripe.Bool(true)})
	wantError(t, err, 402, stripe.ErrorTypeCard, stripe.ErrorCodeAuthenticationRequired)
}

func TestManualCapture(t *testing.T) {
	s := start(t)
	p := intentOf("pm_card_visa", 1000)
	p.CaptureMethod, p.Confirm = stripe.String("manual"), stripe.Bool(true)
	pi, err := s.sc.V1PaymentIntents.Create(t.Context(), p)
	if err != nil || pi.Status != stripe.PaymentIntentStatusRequiresCapture || pi.AmountCapturable != 1000 {
		t.Fatalf("authorized: got %+v, %v", pi, err)
	}
	if _, err := s.refund(pi.ID, 0, ""); err == nil {
		t.Error("an authorization was refunded")
	}
	_, err = s.sc.V1PaymentIntents.Capture(t.Context(), pi.ID, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(1001)})
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeAmountTooLarge)
	pi, err = s.sc.V1PaymentIntents.Capture(t.Context(), pi.ID, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(900)})
	if err != nil || pi.Status != stripe.PaymentIntentStatusSucceeded || pi.AmountReceived != 900 {
		t.Errorf("captured: got %+v, %v", pi, err)
	}
	_, err = s.sc.V1PaymentIntents.Capture(t.Context(), pi.ID, nil)
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentUnexpectedState)
	if _, err := s.refund(pi.ID, 901, ""); err == nil {
		t.Error("more was refunded than captured")
	}
}

func TestCancel(t *testing.T) {
	s := start(t)
	p := intentOf("pm_card_visa", 1000)
	p.CaptureMethod, p.Confirm = stripe.String("manual"), stripe.Bool(true)
	authorized, err := s.sc.V1PaymentIntents.Create(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{s.create("", 500).ID, s.create("pm_card_visa", 500).ID, authorized.ID} {
		pi, err := s.sc.V1PaymentIntents.Cancel(t.Context(), id, &stripe.PaymentIntentCancelParams{CancellationReason: stripe.String("abandoned")})
		if err != nil || pi.Status != stripe.PaymentIntentStatusCanceled || pi.CanceledAt == 0 || pi.CancellationReason != "abandoned" || pi.AmountCapturable != 0 {
			t.Errorf("cancel: got %+v, %v", pi, err)
		}
		_, err = s.sc.V1PaymentIntents.Cancel(t.Context(), id, nil)
		wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentUnexpectedState)
		_, err = s.confirm(id)
		wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentUnexpectedState)
	}
	s.await("payment_intent.canceled", 3)
	paid := s.paid("pm_card_visa", 500)
	_, err = s.sc.V1PaymentIntents.Cancel(t.Context(), paid.ID, nil)
	se := wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentUnexpectedState)
	if se.PaymentIntent == nil || se.PaymentIntent.Status != stripe.PaymentIntentStatusSucceeded {
		t.Errorf("cancel after success: got %+v", se)
	}
}

func TestRefunds(t *testing.T) {
	s := start(t)
	pi := s.paid("pm_card_visa", 1000)
	re, err := s.refund(pi.ID, 400, "")
	if err != nil || re.Status != stripe.RefundStatusSucceeded || re.Amount != 400 || re.PaymentIntent.ID != pi.ID || re.Charge.ID != pi.LatestCharge.ID {
		t.Fatalf("part: got %+v, %v", re, err)
	}
	_, err = s.refund(pi.ID, 601, "")
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, "")
	if re, err = s.refund(pi.ID, 0, ""); err != nil || re.Amount != 600 {
		t.Errorf("rest: got %+v, %v", re, err)
	}
	_, err = s.refund(pi.ID, 1, "")
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeChargeAlreadyRefunded)

	var listed []int64
	for r, err := range s.sc.V1Refunds.List(t.Context(), &stripe.RefundListParams{PaymentIntent: stripe.String(pi.ID)}).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, r.Amount)
	}
	if diff := cmp.Diff([]int64{600, 400}, listed); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	var charge stripe.Charge
	if err := json.Unmarshal(s.await("charge.refunded", 2).Data.Raw, &charge); err != nil || charge.PaymentIntent.ID != pi.ID {
		t.Errorf("charge.refunded: got %+v, %v", charge, err)
	}
	s.await("refund.created", 2)
	_, err = s.sc.V1Refunds.Retrieve(t.Context(), "re_none", nil)
	wantError(t, err, 404, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeResourceMissing)
}

func TestRefundsThatAreNotFinalAtOnce(t *testing.T) {
	s := start(t)
	refused := s.paid("pm_sandbox_refundRefused", 500)
	_, err := s.refund(refused.ID, 0, "")
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, "charge_not_refundable")

	fails, pends := s.paid("pm_card_refundFail", 500), s.paid("pm_card_pendingRefund", 500)
	a, err := s.refund(fails.ID, 0, "")
	if err != nil || a.Status != stripe.RefundStatusSucceeded {
		t.Fatalf("got %+v, %v", a, err)
	}
	b, err := s.refund(pends.ID, 0, "")
	if err != nil || b.Status != stripe.RefundStatusPending {
		t.Fatalf("got %+v, %v", b, err)
	}
	s.await("refund.updated", 2)
	s.await("refund.failed", 1)
	if a, err = s.sc.V1Refunds.Retrieve(t.Context(), a.ID, nil); err != nil || a.Status != stripe.RefundStatusFailed || a.FailureReason == "" {
		t.Errorf("failed: got %+v, %v", a, err)
	}
	if b, err = s.sc.V1Refunds.Retrieve(t.Context(), b.ID, nil); err != nil || b.Status != stripe.RefundStatusSucceeded {
		t.Errorf("pending: got %+v, %v", b, err)
	}
	if got := s.books()["payment_intents"].([]any)[1].(map[string]any)["amount_refunded"]; got != 0.0 {
		t.Errorf("amount_refunded after a failed refund: got %v, want 0", got)
	}
}

func TestSavedCards(t *testing.T) {
	s := start(t)
	ctx := t.Context()
	cus, err := s.sc.V1Customers.Create(ctx, &stripe.CustomerCreateParams{Metadata: map[string]string{"user_id": "u-1"}})
	if err != nil {
		t.Fatal(err)
	}
	pm, err := s.sc.V1PaymentMethods.Attach(ctx, "pm_card_amex", &stripe.PaymentMethodAttachParams{Customer: stripe.String(cus.ID)})
	if err != nil || pm.Customer.ID != cus.ID || pm.Card.Brand != "amex" || pm.Card.Last4 != "0005" {
		t.Fatalf("attach: got %+v, %v", pm, err)
	}
	for range 2 {
		p := intentOf(pm.ID, 900)
		p.Customer, p.Confirm = stripe.String(cus.ID), stripe.Bool(true)
		if pi, err := s.sc.V1PaymentIntents.Create(ctx, p); err != nil || pi.Status != stripe.PaymentIntentStatusSucceeded {
			t.Errorf("saved card: got %+v, %v", pi, err)
		}
	}
	_, err = s.sc.V1PaymentIntents.Create(ctx, intentOf(pm.ID, 900))
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, "")
	_, err = s.sc.V1PaymentMethods.Attach(ctx, "pm_card_chargeDeclined", &stripe.PaymentMethodAttachParams{Customer: stripe.String(cus.ID)})
	wantError(t, err, 402, stripe.ErrorTypeCard, stripe.ErrorCodeCardDeclined)
	if _, err = s.sc.V1PaymentMethods.Attach(ctx, "pm_card_chargeCustomerFail", &stripe.PaymentMethodAttachParams{Customer: stripe.String(cus.ID)}); err != nil {
		t.Error(err)
	}
	count := 0
	for _, err := range s.sc.V1PaymentMethods.List(ctx, &stripe.PaymentMethodListParams{Customer: stripe.String(cus.ID)}).All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != 2 {
		t.Errorf("methods: got %d, want 2", count)
	}
	if pm, err = s.sc.V1PaymentMethods.Detach(ctx, pm.ID, nil); err != nil || pm.Customer != nil {
		t.Errorf("detach: got %+v, %v", pm, err)
	}
	p := intentOf(pm.ID, 900)
	p.Customer = stripe.String(cus.ID)
	_, err = s.sc.V1PaymentIntents.Create(ctx, p)
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, "")
	if gone, err := s.sc.V1Customers.Delete(ctx, cus.ID, nil); err != nil || !gone.Deleted {
		t.Errorf("delete: got %+v, %v", gone, err)
	}

	token, err := s.sc.V1PaymentMethods.Retrieve(ctx, "pm_card_visa", nil)
	if err != nil || token.ID == "pm_card_visa" || token.Card.Last4 != "4242" {
		t.Fatalf("retrieve a token: got %+v, %v", token, err)
	}
	s.paid(token.ID, 500)
	_, err = s.sc.V1PaymentIntents.Create(ctx, intentOf(token.ID, 500))
	if se := wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, ""); !strings.Contains(se.Msg, "may not be used again") {
		t.Errorf("used twice: got %s", se.Msg)
	}
	_, err = s.sc.V1PaymentMethods.Retrieve(ctx, "pm_card_none", nil)
	wantError(t, err, 404, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeResourceMissing)
}
