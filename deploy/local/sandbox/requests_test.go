package main

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v86"
)

func TestBadRequests(t *testing.T) {
	s := start(t)
	for form, want := range map[string]string{
		"currency=gbp":                             "parameter_missing",
		"amount=100":                               "parameter_missing",
		"amount=x&currency=gbp":                    "parameter_invalid_integer",
		"amount=0&currency=gbp":                    "parameter_invalid_integer",
		"amount=29&currency=gbp":                   "amount_too_small",
		"amount=49&currency=usd":                   "amount_too_small",
		"amount=100000000&currency=gbp":            "amount_too_large",
		"amount=100&currency=pound":                "",
		"amount=100&currency=gbp&customer=cus_no":  "resource_missing",
		"amount=100&currency=gbp&payment_method=x": "resource_missing",
		"amount=100&currency=gbp&confirm=true":     "parameter_missing",
	} {
		res, body := s.post("/v1/payment_intents", form, "")
		var got struct{ Error stripe.Error }
		if err := json.Unmarshal([]byte(body), &got); err != nil || res.StatusCode != 400 || string(got.Error.Code) != want || got.Error.Type != "invalid_request_error" {
			t.Errorf("%s: got %d %s, want %s", form, res.StatusCode, body, want)
		}
	}
	if n := len(s.books()["payment_intents"].([]any)); n != 0 {
		t.Errorf("intents after refusals: got %d, want 0", n)
	}
	for _, key := range []string{"", "sk_test_other"} {
		_, err := client(s.url, key).V1PaymentIntents.Retrieve(t.Context(), "pi_x", nil)
		if key != "" {
			wantError(t, err, 401, stripe.ErrorTypeInvalidRequest, "")
		} else if err == nil {
			t.Error("no key: got an answer")
		}
	}
	req, _ := http.NewRequest("GET", s.url+"/v1/payment_intents", nil)
	req.SetBasicAuth(testKey, "")
	if res, err := http.DefaultClient.Do(req); err != nil || res.StatusCode != 200 {
		t.Errorf("Basic: got %v, %v", res, err)
	}
	if res, _ := s.post("/v1/coupons", "", ""); res.StatusCode != 404 {
		t.Errorf("unknown route: got %d", res.StatusCode)
	}
}

func TestListAndSearch(t *testing.T) {
	s := start(t)
	ids := []string{}
	for i := range 25 {
		p := intentOf("", 100+int64(i))
		p.Metadata["transaction_id"] = "t-" + string(rune('a'+i))
		pi, err := s.sc.V1PaymentIntents.Create(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		ids = append([]string{pi.ID}, ids...)
	}
	var listed []string
	params := &stripe.PaymentIntentListParams{}
	params.Limit = stripe.Int64(7)
	for pi, err := range s.sc.V1PaymentIntents.List(t.Context(), params).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, pi.ID)
	}
	if diff := cmp.Diff(ids, listed); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	search := &stripe.PaymentIntentSearchParams{}
	search.Query = "metadata['transaction_id']:'t-c' AND status:'requires_payment_method'"
	found := []string{}
	for pi, err := range s.sc.V1PaymentIntents.Search(t.Context(), search).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, pi.ID)
	}
	if diff := cmp.Diff([]string{ids[22]}, found); diff != "" {
		t.Errorf("search (-want +got):\n%s", diff)
	}
}
