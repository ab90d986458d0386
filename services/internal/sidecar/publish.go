package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/caravan-shop/caravan/services/internal/outbox"
)

// bulkEntry is one event as Dapr's bulk API takes it. The metadata goes with
// each entry: in the query it would override every entry's own.
type bulkEntry struct {
	EntryID     string            `json:"entryId"`
	Event       json.RawMessage   `json:"event"`
	ContentType string            `json:"contentType"`
	Metadata    map[string]string `json:"metadata"`
}

// PublishBulk implements outbox.Publisher: the CloudEvent id is the entry's id,
// its type the topic, the Kafka key the entry's key.
func (c *Client) PublishBulk(ctx context.Context, topic string, entries []outbox.Entry) (map[string]error, error) {
	bulk := make([]bulkEntry, len(entries))
	for i, e := range entries {
		meta := map[string]string{
			"partitionKey": e.Key, "cloudevent.id": e.ID, "cloudevent.type": topic, "cloudevent.subject": e.Key,
		}
		if e.Traceparent != "" {
			meta["cloudevent.traceparent"] = e.Traceparent
		}
		bulk[i] = bulkEntry{EntryID: e.ID, Event: e.Data, ContentType: "application/json", Metadata: meta}
	}
	body, err := json.Marshal(bulk)
	if err != nil {
		return nil, fmt.Errorf("bulk body: %w", err)
	}
	status, answer, err := c.do(ctx, http.MethodPost, "/v1.0/publish/bulk/"+pubsubName+"/"+topic, body)
	if err != nil {
		return nil, err
	}
	if status >= 200 && status < 300 {
		return nil, nil
	}
	return partial(status, answer)
}

// partial reads which entries failed; without that, all did.
func partial(status int, answer []byte) (map[string]error, error) {
	var report struct {
		FailedEntries []struct {
			EntryID string `json:"entryId"`
			Error   string `json:"error"`
		} `json:"failedEntries"`
		ErrorCode string `json:"errorCode"`
	}
	if err := json.Unmarshal(answer, &report); err != nil || len(report.FailedEntries) == 0 {
		return nil, fmt.Errorf("publish: status %d %s", status, report.ErrorCode)
	}
	failed := make(map[string]error, len(report.FailedEntries))
	for _, e := range report.FailedEntries {
		failed[e.EntryID] = errors.New(e.Error)
	}
	return failed, nil
}
