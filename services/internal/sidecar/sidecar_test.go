package sidecar_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/internal/sidecar"
)

// daprd stands for the sidecar: it gives every request the same answer.
func daprd(t *testing.T, answer http.HandlerFunc) *sidecar.Client {
	t.Helper()
	srv := httptest.NewServer(answer)
	t.Cleanup(srv.Close)
	host, port, err := net.SplitHostPort(strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return sidecar.New(service.Config{DaprHost: host, DaprHTTPPort: n, DaprToken: "api"})
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestWhatACallThatFailsMeans(t *testing.T) {
	for _, c := range []struct {
		name string
		code int
		body string
		away bool
	}{
		{"neighbour is down", 500, `{"errorCode":"ERR_DIRECT_INVOKE"}`, true},
		{"neighbour's store is down", 503, `{"code":"store_unavailable"}`, true},
		{"neighbour is busy", 429, ``, true},
		{"we may not call it", 403, `{"errorCode":"ERR_DIRECT_INVOKE"}`, false},
		{"route is gone", 404, `{"code":"route_unknown"}`, false},
		{"body is wrong", 400, `{"code":"unknown_field"}`, false},
		{"answer is none", 200, `oops`, false},
		{"neighbour died before it answered", 200, ``, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out struct{}
			err := daprd(t, status(c.code, c.body)).Invoke(t.Context(), "product", "/internal/x", struct{}{}, &out)
			if err == nil || errors.Is(err, sidecar.ErrAway) != c.away {
				t.Errorf("got %v, want neighbour away: %v", err, c.away)
			}
			if kind, _ := fault.KindOf(err); c.away && kind != fault.Unavailable {
				t.Errorf("kind: got %v, want unavailable", kind)
			}
		})
	}
}

func TestCallReachesTheNeighbourWithTheToken(t *testing.T) {
	c := daprd(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("dapr-api-token") != "api" || r.Method != http.MethodPost || string(body) != `{"a":1}` {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, `{"path":"`+r.URL.Path+`"}`)
	})
	var out struct{ Path string }
	err := c.Invoke(t.Context(), "product", "/internal/x", map[string]int{"a": 1}, &out)
	if want := "/v1.0/invoke/product/method/internal/x"; err != nil || out.Path != want {
		t.Errorf("got %q (%v), want %q", out.Path, err, want)
	}
}

func TestSidecarThatIsAwayOrSlow(t *testing.T) {
	gone := sidecar.New(service.Config{DaprHost: "127.0.0.1", DaprHTTPPort: 1})
	if err := gone.Get(t.Context(), "user", "/x", nil); !errors.Is(err, sidecar.ErrAway) {
		t.Errorf("away: got %v, want %v", err, sidecar.ErrAway)
	}
	hold := make(chan struct{})
	slow := daprd(t, func(http.ResponseWriter, *http.Request) { <-hold })
	t.Cleanup(func() { close(hold) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := slow.Get(ctx, "user", "/x", nil); !errors.Is(err, sidecar.ErrAway) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: got %v, want away by the caller's deadline", err)
	}
	if err := slow.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait: got %v, want deadline exceeded", err)
	}
}

func TestPublishTellsWhichFailed(t *testing.T) {
	entries := []outbox.Entry{
		{ID: "1", Key: "k1", Traceparent: "00-a-b-01", Data: json.RawMessage(`{"n":1}`)},
		{ID: "2", Key: "k2", Data: json.RawMessage(`{"n":2}`)},
	}
	var sent []struct {
		EntryID  string            `json:"entryId"`
		Event    json.RawMessage   `json:"event"`
		Metadata map[string]string `json:"metadata"`
	}
	c := daprd(t, func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || r.URL.Path != "/v1.0/publish/bulk/pubsub/order.created" {
			t.Errorf("got %s (%v)", r.URL.Path, err)
		}
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"failedEntries":[{"entryId":"2","error":"too large"}],"errorCode":"ERR_PUBSUB_PUBLISH_MESSAGE"}`)
	})
	failed, err := c.PublishBulk(t.Context(), "order.created", entries)
	if err != nil || len(failed) != 1 || failed["2"] == nil {
		t.Errorf("got %v (%v), want entry 2 alone", failed, err)
	}
	if len(sent) != 2 || sent[0].Metadata["partitionKey"] != "k1" || sent[0].Metadata["cloudevent.id"] != "1" ||
		sent[0].Metadata["cloudevent.traceparent"] == "" || string(sent[1].Event) != `{"n":2}` {
		t.Errorf("sent: %+v", sent)
	}
	for _, answer := range []http.HandlerFunc{status(500, `{"errorCode":"ERR_PUBSUB_NOT_FOUND"}`), status(403, `x`), status(500, `{"failedEntries":[]}`)} {
		if failed, err := daprd(t, answer).PublishBulk(t.Context(), "t", entries); err == nil {
			t.Errorf("got %v without an error, want the fate of all unknown", failed)
		}
	}
	if failed, err := daprd(t, status(204, "")).PublishBulk(t.Context(), "t", entries); err != nil || len(failed) != 0 {
		t.Errorf("got %v (%v), want all acknowledged", failed, err)
	}
}

func TestSecrets(t *testing.T) {
	c := daprd(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/known") {
			_, _ = io.WriteString(w, `{"known":"value"}`)
			return
		}
		status(http.StatusForbidden, `{"errorCode":"ERR_PERMISSION_DENIED"}`)(w, r)
	})
	if got, err := c.Secret(t.Context(), "known"); err != nil || got != "value" {
		t.Errorf("got %q (%v), want value", got, err)
	}
	if _, err := c.Secret(t.Context(), "other"); err == nil {
		t.Error("a secret that is not ours came without an error")
	}
	empty := daprd(t, status(http.StatusOK, `{}`))
	if got, err := empty.Secret(t.Context(), "known"); err == nil {
		t.Errorf("a secret that is not in the answer: got %q without an error", got)
	}
}
