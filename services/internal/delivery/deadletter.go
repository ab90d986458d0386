package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/outbox"
)

// Refusal says why an event was given up. It goes to the topic of the dead
// letters beside the event, which Dapr puts there without a word of why.
type Refusal struct {
	Kind      string    `json:"kind"` // refused: the operator's tool writes others
	EventID   string    `json:"event_id"`
	Topic     string    `json:"topic"`
	Partition *int64    `json:"partition,omitempty"` // where the event lay; absent if the sidecar did not say
	Offset    *int64    `json:"offset,omitempty"`
	Reason    string    `json:"reason"`
	At        time.Time `json:"occurred_at"`
}

// Keep stores a refusal for as long as the dead letters live. An event whose
// refusal cannot be kept is not given up yet.
type Keep func(ctx context.Context, r Refusal) error

// KeepBeside stores refusals of app in its dead-letter topic. Works for services
// without a database too, and lasts as long as what it explains.
func KeepBeside(app string, pub outbox.Publisher, newID func() uuid.UUID, now func() time.Time) Keep {
	topic := "dead-letter." + app
	return func(ctx context.Context, r Refusal) error {
		r.Kind, r.At = "refused", now().UTC()
		data, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("refusal: %w", err)
		}
		id := newID().String()
		failed, err := pub.PublishBulk(ctx, topic, []outbox.Entry{{ID: id, Key: r.EventID, Data: data}})
		if err == nil {
			err = failed[id]
		}
		if err != nil {
			return fmt.Errorf("keep the reason of a dead letter: %w", err)
		}
		return nil
	}
}

// position reads where on Kafka the event lay, which the sidecar tells in headers.
func position(r *http.Request, header string) *int64 {
	n, err := strconv.ParseInt(r.Header.Get(header), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}
