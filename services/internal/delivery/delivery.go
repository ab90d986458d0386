// Package delivery takes events in: it turns what the sidecar delivers into a
// call of a handler, and the handler's error into SUCCESS, RETRY or DROP. It
// never goes through the HTTP error mapper: to Dapr a 404 means drop.
package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"
)

// handleTimeout is below the inbound timeout of dapr/resiliency.yaml, so that a
// handler has given up before the sidecar calls again.
const handleTimeout = 12 * time.Second

// Event is a CloudEvent as delivered.
type Event struct {
	ID     string          `json:"id"`
	Type   string          `json:"type"`
	Source string          `json:"source"`
	Data   json.RawMessage `json:"data"`
}

// Handler takes one event. nil acknowledges it; an error of Poison sends it to
// the dead-letter topic; any other error has it delivered again. Handlers run
// concurrently and may see an event twice: the inbox decides.
type Handler func(ctx context.Context, e Event) error

type poison struct{ reason string }

func (p poison) Error() string { return "event can never succeed: " + p.reason }

// Poison tells that an event can never succeed. The reason is logged and kept
// beside the dead letter: it must hold no personal data.
func Poison(format string, args ...any) error { return poison{fmt.Sprintf(format, args...)} }

// Decode reads the data of an event strictly enough to trust it: a wrong shape
// is Poison, a field that came later is not.
func Decode[T any](e Event) (T, error) {
	var v T
	if bytes.Equal(e.Data, []byte("null")) {
		return v, Poison("no data of %s", e.Type)
	}
	if err := json.Unmarshal(e.Data, &v); err != nil {
		return v, Poison("data of %s: %v", e.Type, err)
	}
	return v, nil
}

// Register adds POST /events/<topic> for each handler. What is given up is
// explained to keep first.
func Register(r *mux.Router, log *slog.Logger, keep Keep, table map[string]Handler) {
	for topic, h := range table {
		d := door{log: log, keep: keep, topic: topic, handle: h}
		r.HandleFunc("/events/"+topic, d.receive).Methods(http.MethodPost)
	}
}

// door is where the events of one topic come in.
type door struct {
	log    *slog.Logger
	keep   Keep
	topic  string
	handle Handler
}

func (d door) receive(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), handleTimeout)
	defer cancel()
	e, err := read(r, d.topic)
	if err == nil {
		err = d.handle(ctx, e)
	}
	var dead poison
	if errors.As(err, &dead) {
		// Without its reason kept it is not given up: it comes again.
		if err = d.bury(ctx, r, e, dead.reason); err == nil {
			answer(w, "DROP")
			return
		}
	}
	if err != nil {
		d.log.Warn("event is retried", "topic", d.topic, "event_id", e.ID, "error", err)
		answer(w, "RETRY")
		return
	}
	answer(w, "SUCCESS")
}

func (d door) bury(ctx context.Context, r *http.Request, e Event, reason string) error {
	d.log.Error("event goes to the dead letters", "topic", d.topic, "event_id", e.ID, "reason", reason)
	return d.keep(ctx, Refusal{
		EventID: e.ID, Topic: d.topic, Reason: reason,
		Partition: position(r, "__partition"), Offset: position(r, "__offset"),
	})
}

func answer(w http.ResponseWriter, status string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"`+status+`"}`)
}

func read(r *http.Request, topic string) (Event, error) {
	var e Event
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return e, fmt.Errorf("read event: %w", err)
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&e); err != nil {
		return e, Poison("envelope can't be read")
	}
	// PostgreSQL can store no NUL, however often it is tried.
	if bytes.Contains(body, []byte(`\u0000`)) {
		return e, Poison("envelope holds a NUL")
	}
	if e.ID == "" || e.Type != topic {
		return e, Poison("envelope has id %q and type %q", e.ID, e.Type)
	}
	return e, nil
}
