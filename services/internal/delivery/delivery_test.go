package delivery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/caravan-shop/caravan/services/internal/delivery"
)

type order struct {
	ID    string `json:"order_id"`
	Total int64  `json:"total"`
}

func TestWhatTheSidecarIsTold(t *testing.T) {
	var log bytes.Buffer
	var bounded bool
	var kept grave
	r := mux.NewRouter()
	delivery.Register(r, slog.New(slog.NewTextHandler(&log, nil)), kept.keep, map[string]delivery.Handler{
		"order.created": func(ctx context.Context, e delivery.Event) error {
			deadline, set := ctx.Deadline()
			bounded = set && time.Until(deadline) < 15*time.Second
			in, err := delivery.Decode[order](e)
			switch {
			case err != nil:
				return fmt.Errorf("handle: %w", err)
			case in.ID == "later":
				return errors.New("store is away")
			case in.ID == "never":
				return delivery.Poison("order %s is impossible", in.ID)
			}
			return nil
		},
	})
	event := func(data string) string {
		return `{"specversion":"1.0","id":"e1","type":"order.created","source":"order","datacontenttype":"application/json","data":` + data + `}`
	}
	for _, c := range []struct{ name, body, want string }{
		{"taken", event(`{"order_id":"a","total":1}`), "SUCCESS"},
		{"a field that came later", event(`{"order_id":"a","total":1,"new":{}}`), "SUCCESS"},
		{"tried again", event(`{"order_id":"later"}`), "RETRY"},
		{"impossible", event(`{"order_id":"never"}`), "DROP"},
		{"data of another shape", event(`{"order_id":7}`), "DROP"},
		{"fraction of a penny", event(`{"order_id":"a","total":1.5}`), "DROP"},
		{"no data", `{"id":"e1","type":"order.created"}`, "DROP"},
		{"null for data", event(`null`), "DROP"},
		{"text that can't be stored", event(`{"order_id":"a\u0000"}`), "DROP"},
		{"another type", `{"id":"e1","type":"order.shipped","data":{}}`, "DROP"},
		{"no id", `{"type":"order.created","data":{}}`, "DROP"},
		{"no JSON", `x`, "DROP"},
		{"nothing", ``, "DROP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			r.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/events/order.created", strings.NewReader(c.body)))
			if got := kept.take(); (c.want == "DROP") != (got != "") {
				t.Errorf("kept the reason %q", got)
			}
			if got, want := rec.Body.String(), `{"status":"`+c.want+`"}`; rec.Code != http.StatusOK || got != want {
				t.Errorf("got %d %s, want 200 %s", rec.Code, got, want)
			}
		})
	}
	if !bounded {
		t.Error("a handler must give up before the sidecar calls again")
	}
	if !strings.Contains(log.String(), "event_id=e1") {
		t.Errorf("the log does not name the event: %s", log.String())
	}
}

// broken is a body that ends before its time.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection lost") }

func TestBodyThatBreaksOffIsDeliveredAgain(t *testing.T) {
	r := mux.NewRouter()
	delivery.Register(r, slog.New(slog.DiscardHandler), (&grave{}).keep, map[string]delivery.Handler{
		"t": func(context.Context, delivery.Event) error { return nil },
	})
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/events/t", broken{}))
	if got, want := rec.Body.String(), `{"status":"RETRY"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
