package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/caravan-shop/caravan/services/events"
)

// Records reads every event topic from its start to where it ends now,
// partition by partition in order.
func (s *Stack) Records(ctx context.Context) ([]Record, error) {
	return s.read(ctx, events.Topics()...)
}

// GivenUp lists by app the ids of the events that rest, or rested, in its
// dead-letter topic.
func (s *Stack) GivenUp(ctx context.Context) (map[string]map[string]bool, error) {
	all := map[string]map[string]bool{}
	for app := range s.Sidecars {
		if app == "edge" {
			continue
		}
		letters, err := s.read(ctx, deadLetters+app)
		if err != nil {
			return nil, err
		}
		all[app] = map[string]bool{}
		for _, l := range letters {
			all[app][l.ID] = true // the notes beside them have ids that no event has
		}
	}
	return all, nil
}

const deadLetters = "dead-letter."

func (s *Stack) read(ctx context.Context, topics ...string) ([]Record, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka...))
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("ends of topics: %w", err)
	}
	from := map[string]map[int32]kgo.Offset{}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset <= 0 { // empty, or a topic that nobody has written to yet
			return
		}
		if from[o.Topic] == nil {
			from[o.Topic] = map[int32]kgo.Offset{}
		}
		from[o.Topic][o.Partition] = kgo.NewOffset().AtStart()
		left += o.Offset
	})
	client.AddConsumePartitions(from)
	all := make([]Record, 0, left)
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, fmt.Errorf("read topics: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if end, _ := ends.Lookup(r.Topic, r.Partition); r.Offset >= end.Offset {
				return
			}
			rec := Record{Topic: r.Topic, Key: string(r.Key), Partition: r.Partition, Offset: r.Offset, Raw: r.Value}
			_ = json.Unmarshal(r.Value, &rec) // what is no CloudEvent has no id
			all = append(all, rec)
			left--
		})
	}
	return all, nil
}

// DeadLetters counts the records in the dead-letter topics.
func (s *Stack) DeadLetters(ctx context.Context) (int, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka...))
	if err != nil {
		return 0, fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx)
	if err != nil {
		return 0, fmt.Errorf("ends of topics: %w", err)
	}
	n := int64(0)
	ends.Each(func(o kadm.ListedOffset) {
		if strings.HasPrefix(o.Topic, deadLetters) {
			n += max(0, o.Offset)
		}
	})
	return int(n), nil
}
