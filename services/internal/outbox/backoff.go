package outbox

import "time"

// backoff says what not to try just now, so that an event which the broker
// refuses holds up its own key alone, and a topic that is away itself alone. A
// Relay's one goroutine uses it.
type backoff struct {
	now    func() time.Time
	keys   map[string]setback
	topics map[string]setback
}

type setback struct {
	fails int
	until time.Time
}

const (
	firstSetback = 500 * time.Millisecond // sarama's own breaker stays open for seconds
	keySetback   = time.Minute            // at most, of a key
	topicSetback = 2 * time.Second        // at most, of a topic: it comes back as a whole
	maxSetKeys   = 1000                   // more are the fault of the topic
)

func newBackoff(now func() time.Time) backoff {
	return backoff{now: now, keys: map[string]setback{}, topics: map[string]setback{}}
}

// note takes in what became of one topic's turn: acked and failed keys.
func (b *backoff) note(topic string, acked, failed []string) {
	for _, key := range acked {
		delete(b.keys, key)
	}
	if len(acked) > 0 || len(failed) == 0 {
		delete(b.topics, topic)
	} else {
		b.topics[topic] = b.next(b.topics[topic], topicSetback)
	}
	for _, key := range failed {
		// With nothing through, the topic is to blame; a key is, if others pass.
		if len(acked) > 0 && len(b.keys) < maxSetKeys {
			b.keys[key] = b.next(b.keys[key], keySetback)
		}
	}
}

func (b *backoff) next(s setback, most time.Duration) setback {
	wait := min(firstSetback<<min(s.fails, 16), most)
	return setback{fails: s.fails + 1, until: b.now().Add(wait)}
}

// resting gives the keys and topics whose time has not come.
func (b *backoff) resting() (keys, topics []string) { return b.of(b.keys), b.of(b.topics) }

func (b *backoff) of(all map[string]setback) []string {
	at, names := b.now(), []string{} // not nil: <> ALL(NULL) would be true of no row
	for name, s := range all {
		if s.until.After(at) {
			names = append(names, name)
		}
	}
	return names
}

// suspicious tells that the topic failed as a whole: its events then go one by
// one, so that one which spoils every batch can be told from the rest.
func (b *backoff) suspicious(topic string) bool { return b.topics[topic].fails > 0 }
