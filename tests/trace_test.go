package tests

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/tests/shop"
)

// TestATraceRunsThroughHTTPAndKafka sends a trace with POST /v1/orders and finds
// it in every event that follows from it, three services and four topics on.
func TestATraceRunsThroughHTTPAndKafka(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p, s := product(t, ctx, 1250, 10), shopper(t, ctx)
	if err := s.AddToCart(ctx, p.ID, 1); err != nil {
		t.Fatal(err)
	}
	totals, err := s.Quote(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	var o shop.Order
	if _, err := s.Want(ctx, http.StatusCreated, &o, "POST", "order", "/v1/orders", s.OrderBody(visa, totals.Total), s.Token(),
		shop.IdempotencyKey("traced"), shop.Header{Name: "traceparent", Value: "00-" + trace + "-00f067aa0ba902b7-01"}); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{events.TopicOrderCreated, events.TopicPaymentInitiated, events.TopicPaymentSuccess,
		events.TopicOrderConfirmed, events.TopicInventoryReserved} {
		r, err := w.watch.Find(ctx, topic, o.ID)
		if err != nil {
			t.Fatal(err)
		}
		var envelope struct {
			TraceParent string `json:"traceparent"`
		}
		if err := json.Unmarshal(r.Raw, &envelope); err != nil || !strings.Contains(envelope.TraceParent, trace) {
			t.Errorf("%s: got traceparent %q (%v), want trace %s", topic, envelope.TraceParent, err, trace)
		}
	}
}
