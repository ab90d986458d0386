package subscriber_test

import (
	"context"
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
	"github.com/caravan-shop/caravan/services/notification/internal/notification"
	"github.com/caravan-shop/caravan/services/notification/internal/subscriber"
)

type recorder struct {
	got []notification.Occasion
	err error
}

func (r *recorder) Notify(_ context.Context, o notification.Occasion) error {
	r.got = append(r.got, o)
	return r.err
}

// post delivers as the sidecar does, and gives the status of the answer.
func post(t *testing.T, n subscriber.Notifier, topic, data string) string {
	t.Helper()
	router := mux.NewRouter()
	delivery.Register(router, slog.New(slog.DiscardHandler), func(context.Context, delivery.Refusal) error { return nil }, subscriber.Table(n))
	body := `{"specversion":"1.0","id":"0195942a-3c48-7000-8000-000000000001","type":"` + topic + `","source":"test","data":` + data + `}`
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/events/"+topic, strings.NewReader(body))
	rec := httptest.NewRecorder()
	router.ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		t.Fatalf("%s: status %d, want 200", topic, rec.Code)
	}
	return strings.TrimSuffix(strings.TrimPrefix(rec.Body.String(), `{"status":"`), `"}`)
}

const (
	meta    = `"occurred_at":"2026-03-14T09:26:53Z","sequence":1,"user_id":"0195942a-3c48-7000-8000-000000000002"`
	order   = `{` + meta + `,"order_id":"0195942a-3c48-7000-8000-000000000004","number":"CV-1","items":[],"totals":{}}`
	payment = `{` + meta + `,"order_id":"0195942a-3c48-7000-8000-000000000004","number":"CV-1","amount":{"amount":100,"currency":"GBP"}}`
)

func TestTableCoversEveryTrigger(t *testing.T) {
	table := subscriber.Table(&recorder{})
	for _, trigger := range notification.Triggers() {
		if table[trigger.Topic] == nil {
			t.Errorf("%s has no handler", trigger.Topic)
		}
	}
	if got, want := len(table), len(notification.Triggers()); got != want {
		t.Errorf("got %d topics, want %d", got, want)
	}
}

func TestEventsBecomeOccasions(t *testing.T) {
	data := map[string]string{
		"user.registered": `{` + meta + `}`,
		"password.reset":  `{` + meta + `,"reset_id":"0195942a-3c48-7000-8000-000000000003"}`,
	}
	for _, trigger := range notification.Triggers() {
		body := data[trigger.Topic]
		if body == "" {
			body = order
			if strings.HasPrefix(trigger.Topic, "payment.") {
				body = payment
			}
		}
		rec := &recorder{}
		if got := post(t, rec, trigger.Topic, body); got != "SUCCESS" {
			t.Errorf("%s: got %s, want SUCCESS", trigger.Topic, got)
		}
		o := rec.got[0]
		o.Order, o.Payment, o.Product, o.ResetID = nil, nil, nil, uuid.Nil
		want := notification.Occasion{
			EventID: "0195942a-3c48-7000-8000-000000000001", Kind: trigger.Kind,
			UserID: uuid.MustParse("0195942a-3c48-7000-8000-000000000002"), At: time.Date(2026, time.March, 14, 9, 26, 53, 0, time.UTC),
		}
		if diff := cmp.Diff(want, o); diff != "" {
			t.Errorf("%s (-want +got):\n%s", trigger.Topic, diff)
		}
	}
}

func TestAnswers(t *testing.T) {
	cases := map[string]struct {
		err  error
		data string
		want string
	}{
		"done":          {nil, order, "SUCCESS"},
		"claimed":       {notification.ErrClaimed, order, "RETRY"},
		"neighbour":     {errors.New("neighbour_unavailable"), order, "RETRY"},
		"undeliverable": {&notification.Undeliverable{Reason: "code 550 %d"}, order, "DROP"},
		"wrong shape":   {nil, `{"order_id":7}`, "DROP"},
		"nobody":        {nil, `{"occurred_at":"2026-03-14T09:26:53Z"}`, "DROP"},
	}
	for name, c := range cases {
		if got := post(t, &recorder{err: c.err}, "order.created", c.data); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
