// Package breaker keeps a slow or absent store from slowing every request: after
// a few failures in a row it fails fast, and lets one call through now and then
// to see whether the store is back.
package breaker

import (
	"errors"
	"sync"
	"time"
)

// ErrOpen tells that the store was not asked.
var ErrOpen = errors.New("breaker: open")

// Breaker guards one store. Safe for concurrent use.
type Breaker struct {
	threshold int
	pause     time.Duration
	now       func() time.Time

	mu       sync.Mutex
	failures int
	until    time.Time
}

// New makes a breaker that opens for pause after threshold failures in a row.
func New(threshold int, pause time.Duration, now func() time.Time) *Breaker {
	return &Breaker{threshold: threshold, pause: pause, now: now}
}

// Do runs fn unless the breaker is open. failed tells which errors count against
// the store.
func (b *Breaker) Do(fn func() error, failed func(error) bool) error {
	if !b.enter() {
		return ErrOpen
	}
	err := fn()
	b.leave(err != nil && failed(err))
	return err
}

func (b *Breaker) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < b.threshold {
		return true
	}
	now := b.now()
	if now.Before(b.until) {
		return false
	}
	b.until = now.Add(b.pause) // this caller probes, the others wait on
	return true
}

func (b *Breaker) leave(failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !failed {
		b.failures = 0
		return
	}
	b.failures++
	if b.failures >= b.threshold {
		b.until = b.now().Add(b.pause)
	}
}
