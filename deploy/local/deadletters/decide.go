package deadletters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Office reads dead letters and decides on them. Close it.
type Office struct {
	brokers []string
	client  *kgo.Client
	by      string // the operator, for the trace
}

// At reaches Kafka on first use.
func At(brokers []string, by string) (*Office, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return nil, err
	}
	return &Office{brokers: brokers, client: client, by: by}, nil
}

// Close ends the connection.
func (o *Office) Close() { o.client.Close() }

// Find gives the letters of these ids.
func Find(letters []*Letter, ids ...string) ([]*Letter, error) {
	byID := map[string]*Letter{}
	for _, l := range letters {
		byID[l.ID] = l
	}
	var found []*Letter
	for _, id := range ids {
		if byID[id] == nil {
			return nil, fmt.Errorf("no dead letter %s; `caravan dead-letters list --all` shows them", id)
		}
		found = append(found, byID[id])
	}
	return found, nil
}

// Redrive puts the event on its own topic again, as it was. All consumers of that topic see it; for those that have
// taken it already their inbox knows its id. The decision is recorded after it: a crash in between redrives twice, which
// the inbox makes harmless as well.
func (o *Office) Redrive(ctx context.Context, l *Letter) error {
	if l.State != Open {
		return fmt.Errorf("%s was %s already", l.ID, l.State)
	}
	if l.Topic == "" || l.EventID == "" {
		return errors.New(l.ID + " names no topic or has no id: no consumer could know it again, so it can only be dropped")
	}
	again := &kgo.Record{Topic: l.Topic, Key: l.key, Value: l.Event, Headers: l.headers}
	if err := o.client.ProduceSync(ctx, again).FirstErr(); err != nil {
		return fmt.Errorf("redrive %s: %w", l.ID, err)
	}
	return o.record(ctx, l, Redriven, "")
}

// Drop gives the event up for good; why stays beside it.
func (o *Office) Drop(ctx context.Context, l *Letter, why string) error {
	if l.State != Open {
		return fmt.Errorf("%s was %s already", l.ID, l.State)
	}
	if why == "" {
		return errors.New("to drop a letter needs a reason")
	}
	return o.record(ctx, l, Dropped, why)
}

func (o *Office) record(ctx context.Context, l *Letter, kind, why string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	topic := prefix + l.App
	value, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": id, "type": topic, "source": "caravan", "datacontenttype": "application/json",
		"data": Note{Kind: kind, Letter: l.ID, EventID: l.EventID, Topic: l.Topic, Reason: why, By: o.by, At: time.Now().UTC()},
	})
	if err != nil {
		return err
	}
	err = o.client.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte(l.EventID), Value: value}).FirstErr()
	if err != nil {
		return fmt.Errorf("record that %s was %s: %w", l.ID, kind, err)
	}
	return nil
}
