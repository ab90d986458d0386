// Package deadletters is the operator's view of what can never succeed: it lists
// the dead letters of a running stack with their reasons, has one delivered
// again, or drops it for good. All of it is in the dead-letter topics
// themselves: a decision is one more record, nothing is ever removed.
package deadletters

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// prefix begins the name of each dead-letter topic; the app's id ends it.
const prefix = "dead-letter."

// The states of a letter.
const (
	Open     = "open"
	Redriven = "redriven"
	Dropped  = "dropped"
)

// Letter is an event that a service has given up.
type Letter struct {
	ID        string // app/partition/offset of the dead letter itself
	App       string // who gave it up
	EventID   string
	Topic     string // where it came from; "" if nothing tells
	Partition int64  // where it lay there; -1 if nothing tells
	Offset    int64
	At        time.Time
	Reason    string
	State     string
	Decision  *Note // the last one of an operator
	Event     []byte

	key     []byte
	headers []kgo.RecordHeader
}

// Note is a record that says something about a dead letter: the service's reason, or an operator's decision.
type Note struct {
	Kind      string    `json:"kind"` // refused, redriven, dropped
	Letter    string    `json:"letter,omitempty"`
	EventID   string    `json:"event_id,omitempty"`
	Topic     string    `json:"topic,omitempty"`
	Partition *int64    `json:"partition,omitempty"`
	Offset    *int64    `json:"offset,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	By        string    `json:"by,omitempty"`
	At        time.Time `json:"occurred_at"`
}

// noReason is said where the sidecar itself has given the event up: no service has seen it.
const noReason = "no reason kept: the sidecar could not read it, so no service has seen it"

// Read gives all dead letters of the apps, oldest first within an app and partition; no app means all.
func (o *Office) Read(ctx context.Context, apps ...string) ([]*Letter, error) {
	records, err := o.records(ctx, apps)
	if err != nil {
		return nil, err
	}
	var letters []*Letter
	notes := map[string][]Note{} // by app
	for _, r := range records {
		app := strings.TrimPrefix(r.Topic, prefix)
		if n, is := noteOf(r); is {
			notes[app] = append(notes[app], n)
			continue
		}
		letters = append(letters, letterOf(app, r))
	}
	for _, l := range letters {
		l.apply(notes[l.App])
	}
	return letters, nil
}

// envelope is what is read of a CloudEvent.
type envelope struct {
	ID   string          `json:"id"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// noteOf tells notes from letters: a note is of the dead-letter topic's own type.
func noteOf(r *kgo.Record) (Note, bool) {
	var e envelope
	var n Note
	if json.Unmarshal(r.Value, &e) != nil || e.Type != r.Topic || json.Unmarshal(e.Data, &n) != nil {
		return n, false
	}
	return n, true
}

func letterOf(app string, r *kgo.Record) *Letter {
	var e envelope
	_ = json.Unmarshal(r.Value, &e) // one that cannot be read is a dead letter all the more
	l := &Letter{
		ID: fmt.Sprintf("%s/%d/%d", app, r.Partition, r.Offset), App: app, EventID: e.ID, Topic: e.Type,
		Partition: -1, Offset: -1, At: r.Timestamp, Reason: noReason, State: Open, Event: r.Value, key: r.Key,
	}
	for _, h := range r.Headers {
		switch h.Key {
		case "__topic":
			l.Topic = string(h.Value)
		case "__partition":
			l.Partition = number(h.Value)
		case "__offset":
			l.Offset = number(h.Value)
		case "__key":
			l.key = h.Value
		}
		if !strings.HasPrefix(h.Key, "__") { // those would be told to the subscriber as its position
			l.headers = append(l.headers, h)
		}
	}
	return l
}

func number(text []byte) int64 {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// apply takes from the notes what is about this letter.
func (l *Letter) apply(notes []Note) {
	for _, n := range notes {
		switch {
		case n.Kind == "refused" && l.explainedBy(n):
			l.Reason = n.Reason
		case n.Kind != "refused" && n.Letter == l.ID && (l.Decision == nil || !n.At.Before(l.Decision.At)):
			l.State, l.Decision = n.Kind, &n
		}
	}
}

// explainedBy goes by the place on Kafka where both know it, else by the event's id.
func (l *Letter) explainedBy(n Note) bool {
	if n.Partition != nil && n.Offset != nil && l.Offset >= 0 {
		return n.Topic == l.Topic && *n.Partition == l.Partition && *n.Offset == l.Offset
	}
	return l.EventID != "" && n.EventID == l.EventID
}

// records reads the dead-letter topics from their start to where they end now.
func (o *Office) records(ctx context.Context, apps []string) ([]*kgo.Record, error) {
	admin := kadm.NewClient(o.client)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	var names []string
	for _, name := range topics.Names() {
		if app, is := strings.CutPrefix(name, prefix); is && (len(apps) == 0 || contains(apps, app)) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no dead-letter topic of %s", strings.Join(apps, ", "))
	}
	ends, err := admin.ListEndOffsets(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return o.readTo(ctx, ends)
}

func (o *Office) readTo(ctx context.Context, ends kadm.ListedOffsets) ([]*kgo.Record, error) {
	from, left := map[string]map[int32]kgo.Offset{}, int64(0)
	ends.Each(func(l kadm.ListedOffset) {
		if l.Offset == 0 {
			return
		}
		if from[l.Topic] == nil {
			from[l.Topic] = map[int32]kgo.Offset{}
		}
		from[l.Topic][l.Partition], left = kgo.NewOffset().AtStart(), left+l.Offset
	})
	if left == 0 {
		return nil, nil
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(o.brokers...), kgo.ConsumePartitions(from))
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	var all []*kgo.Record
	for left > 0 {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, fmt.Errorf("read the dead letters: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if end, ok := ends.Lookup(r.Topic, r.Partition); ok && r.Offset < end.Offset {
				all, left = append(all, r), left-1
			}
		})
	}
	return all, nil
}

func contains(list []string, one string) bool {
	for _, s := range list {
		if s == one {
			return true
		}
	}
	return false
}
