package invariants

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/caravan-shop/caravan/tests/shop"
)

// sources are the services that publish from an outbox.
func sources() []string { return relational() }

// delivery is invariant 5.
func (b *books) delivery(a *audit) {
	onKafka := map[string]shop.Record{}
	for _, r := range b.topics {
		if _, seen := onKafka[r.ID]; !seen {
			onKafka[r.ID] = r
		}
	}
	reached := a.rule(5, "each outbox row reached its topic, unchanged")
	rows := map[string]bool{}
	for service, outbox := range b.outbox {
		for _, row := range outbox {
			rows[row.ID] = true
			r, ok := onKafka[row.ID]
			reached.hold(ok && row.Published && r.Topic == row.Topic && r.Key == row.Key && sameJSON(r.Data, row.Payload),
				"%s %s of %s: on Kafka %t as %s of %s, marked %t", row.Topic, row.ID, service, ok, r.Topic, r.Key, row.Published)
		}
	}
	invented := a.rule(5, "nothing reached a topic without an outbox row")
	taken := a.rule(5, "each event was taken in by each subscriber with an inbox")
	for id, r := range onKafka {
		if !slices.Contains(sources(), r.Source) {
			continue // put there by a test
		}
		invented.hold(rows[id], "%s %s of %s has no outbox row", r.Topic, id, r.Source)
		for _, app := range consumers()[r.Topic] {
			taken.hold(b.taken(app, id), "%s has not taken %s %s", app, r.Topic, id)
		}
	}
	b.sequences(a)
}

// sequences holds the numbers of each source and key: gap-free, and within a
// topic in order at first sight.
func (b *books) sequences(a *audit) {
	type stream struct{ source, key string }
	type partition struct{ topic, key string }
	numbers := map[stream][]int64{}
	last := map[partition]int64{}
	seen := map[string]bool{}
	order := a.rule(5, "events of one key are in order within their topic")
	for _, r := range b.topics {
		var d struct{ Sequence int64 }
		if seen[r.ID] || !slices.Contains(sources(), r.Source) || json.Unmarshal(r.Data, &d) != nil {
			continue
		}
		seen[r.ID] = true
		numbers[stream{r.Source, r.Key}] = append(numbers[stream{r.Source, r.Key}], d.Sequence)
		p := partition{r.Topic, r.Key}
		order.hold(d.Sequence > last[p], "%s of %s: %d after %d", r.Topic, r.Key, d.Sequence, last[p])
		last[p] = max(last[p], d.Sequence)
	}
	gaps := a.rule(5, "the sequence of each key has no gap")
	for s, all := range numbers {
		slices.Sort(all)
		whole := true
		for i, n := range all {
			whole = whole && n == int64(i+1)
		}
		gaps.hold(whole, "%s of %s: %v", s.key, s.source, all)
	}
}

func sameJSON(a json.RawMessage, b string) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	left, err := json.Marshal(x)
	right, err2 := json.Marshal(y)
	return err == nil && err2 == nil && bytes.Equal(left, right)
}
