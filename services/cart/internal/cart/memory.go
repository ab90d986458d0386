package cart

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// How much a document remembers beside its lines: little, as every write
// carries it. One checkout of a user runs at a time, so the newest takings are
// all that can still be given back; the rest is kept for calls that come late
// or twice. A take that is later still finds a newer version and takes nothing.
const (
	keepWrites     = 8
	keepCalls      = 128
	keepCallsFor   = 24 * time.Hour
	keepTaken      = 4
	keepTakenLines = 2 * MaxLines
	keepContents   = 2
	keepUndone     = 8
	keepMerged     = 32
)

// Call is a request with an Idempotency-Key that took effect. Both members are
// hashes: a key may be guessable, and is free text.
type Call struct {
	Key  string    `json:"key"`
	Body string    `json:"body"`
	At   time.Time `json:"at"`
}

// NewCall hashes the key, in the scope of its route, and the body.
func NewCall(route, key string, body []byte) Call {
	return Call{Key: digest([]byte(route + "\n" + key)), Body: digest(body)}
}

// digest is the first half of a SHA-256: enough to tell requests of one cart
// apart, at half the room.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Seen tells whether the call took effect before; the same key with another
// body is ErrKeyReused.
func (c *Cart) Seen(call Call, now time.Time) (bool, error) {
	for _, past := range c.Calls {
		if past.Key != call.Key || now.Sub(past.At) >= keepCallsFor {
			continue
		}
		if past.Body != call.Body {
			return true, ErrKeyReused
		}
		return true, nil
	}
	return false, nil
}

func (c *Cart) remember(call Call, now time.Time) {
	call.At = now
	c.Calls = append(c.Calls, call)
}

func (c *Cart) wrote(writeID string) bool { return slices.Contains(c.Writes, writeID) }

// prune bounds what the document remembers, newest kept.
func (c *Cart) prune(now time.Time) {
	c.Calls = slices.DeleteFunc(c.Calls, func(call Call) bool { return now.Sub(call.At) >= keepCallsFor })
	c.Calls = newest(c.Calls, keepCalls)
	c.Writes = newest(c.Writes, keepWrites)
	c.Taken = newest(c.Taken, keepTaken)
	c.Undone = newest(c.Undone, keepUndone)
	c.Merged = newest(c.Merged, keepMerged)
	lines := 0
	for i := len(c.Taken) - 1; i >= 0; i-- {
		lines += len(c.Taken[i].Items)
		last := i == len(c.Taken)-1
		if !last && (lines > keepTakenLines || i < len(c.Taken)-keepContents) {
			c.Taken[i].Items = []Item{}
		}
	}
}

func newest[T any](all []T, n int) []T {
	if len(all) > n {
		return slices.Clone(all[len(all)-n:])
	}
	return all
}
