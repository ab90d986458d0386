package reconcile

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/caravan-shop/caravan/tests/shop"
)

const erasedTopic = "user.deleted"

// TellAgain has the services hear once more that users are gone. User's own event goes on its topic again under a new
// id, since the inbox of a service that has lost its effect would know the old one; erasing twice changes nothing.
func TellAgain(ctx context.Context, stack *shop.Stack, users map[string]bool) error {
	records, err := stack.Records(ctx)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(stack.Kafka...), kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, r := range records {
		if r.Topic != erasedTopic || !users[r.Key] {
			continue
		}
		again, err := anew(r.Raw)
		if err != nil {
			return fmt.Errorf("event of user %s: %w", r.Key, err)
		}
		rec := &kgo.Record{Topic: erasedTopic, Key: []byte(r.Key), Value: again,
			Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}}}
		if err := client.ProduceSync(ctx, rec).FirstErr(); err != nil {
			return fmt.Errorf("tell again of user %s: %w", r.Key, err)
		}
		delete(users, r.Key)
	}
	if len(users) > 0 {
		return fmt.Errorf("%d users are said to be erased, but User has published no event of it (yet)", len(users))
	}
	return nil
}

// anew is the same event under an id and a source of the operator's.
func anew(raw []byte) ([]byte, error) {
	var event map[string]json.RawMessage
	if err := json.Unmarshal(raw, &event); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	event["id"], event["source"] = json.RawMessage(`"`+id.String()+`"`), json.RawMessage(`"caravan-reconcile"`)
	return json.Marshal(event)
}
