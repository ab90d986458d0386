package delivery_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/internal/outbox"
)

// grave remembers the last reason.
type grave struct{ reason string }

func (g *grave) keep(_ context.Context, r delivery.Refusal) error {
	g.reason = r.Reason
	return nil
}

func (g *grave) take() string {
	reason := g.reason
	g.reason = ""
	return reason
}

// topic is a publisher that remembers what it was given, or fails.
type topic struct {
	name    string
	entries []outbox.Entry
	err     error
}

func (p *topic) PublishBulk(_ context.Context, name string, entries []outbox.Entry) (map[string]error, error) {
	p.name, p.entries = name, append(p.entries, entries...)
	return nil, p.err
}

func deliverPoison(t *testing.T, pub outbox.Publisher) string {
	t.Helper()
	now := func() time.Time { return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) }
	r := mux.NewRouter()
	delivery.Register(r, slog.New(slog.DiscardHandler), delivery.KeepBeside("order", pub, uuid.New, now), map[string]delivery.Handler{
		"payment.success": func(context.Context, delivery.Event) error { return delivery.Poison("unknown order") },
	})
	req := httptest.NewRequest(http.MethodPost, "/events/payment.success", strings.NewReader(`{"id":"e1","type":"payment.success","data":{}}`))
	req.Header.Set("__partition", "3")
	req.Header.Set("__offset", "17")
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, req)
	return rec.Body.String()
}

func TestReasonIsKeptBesideTheDeadLetter(t *testing.T) {
	var pub topic
	if got, want := deliverPoison(t, &pub), `{"status":"DROP"}`; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	if pub.name != "dead-letter.order" || len(pub.entries) != 1 {
		t.Fatalf("got %d entries on %q, want 1 on dead-letter.order", len(pub.entries), pub.name)
	}
	var got delivery.Refusal
	if err := json.Unmarshal(pub.entries[0].Data, &got); err != nil {
		t.Fatal(err)
	}
	partition, offset := int64(3), int64(17)
	want := delivery.Refusal{Kind: "refused", EventID: "e1", Topic: "payment.success", Partition: &partition, Offset: &offset,
		Reason: "unknown order", At: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refusal (-want +got): %s", diff)
	}
}

func TestEventWhoseReasonCannotBeKeptComesAgain(t *testing.T) {
	pub := &topic{err: errors.New("kafka is away")}
	if got, want := deliverPoison(t, pub), `{"status":"RETRY"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
