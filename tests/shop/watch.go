package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Record is one event as it lies on Kafka.
type Record struct {
	Topic     string
	Key       string
	Partition int32
	Offset    int64
	Raw       []byte
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Source    string          `json:"source"`
	Data      json.RawMessage `json:"data"`
}

// Watch reads topics from their start into memory, in the background.
type Watch struct {
	client *kgo.Client
	done   chan struct{}

	mu      sync.Mutex
	records []Record
	changed chan struct{}
}

// NewWatch begins to read; Close ends it.
func NewWatch(brokers []string, topics ...string) (*Watch, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, fmt.Errorf("watch kafka: %w", err)
	}
	w := &Watch{client: client, done: make(chan struct{}), changed: make(chan struct{})}
	go w.run()
	return w, nil
}

// Close stops reading and waits for the reader.
func (w *Watch) Close() {
	w.client.Close()
	<-w.done
}

func (w *Watch) run() {
	defer close(w.done)
	for {
		fetches := w.client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		w.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			rec := Record{Topic: r.Topic, Key: string(r.Key), Partition: r.Partition, Offset: r.Offset, Raw: r.Value}
			_ = json.Unmarshal(r.Value, &rec) // what is no CloudEvent has no id, and tests see that
			w.records = append(w.records, rec)
		})
		close(w.changed)
		w.changed = make(chan struct{})
		w.mu.Unlock()
	}
}

// All gives what was read so far.
func (w *Watch) All() []Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Record(nil), w.records...)
}

// Find waits for a record of a topic and key.
func (w *Watch) Find(ctx context.Context, topic, key string) (Record, error) {
	from := 0
	for {
		w.mu.Lock()
		fresh, changed := w.records[from:], w.changed
		w.mu.Unlock()
		for _, r := range fresh {
			if r.Topic == topic && r.Key == key {
				return r, nil
			}
		}
		from += len(fresh)
		select {
		case <-ctx.Done():
			return Record{}, fmt.Errorf("no %s with key %s on kafka: %w", topic, key, ctx.Err())
		case <-changed:
		}
	}
}

// Of gives the records of a key, in the order read.
func (w *Watch) Of(key string) []Record {
	var of []Record
	for _, r := range w.All() {
		if r.Key == key {
			of = append(of, r)
		}
	}
	return of
}
