package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// gate bounds how many calls of one kind are under way; others wait, and who came
// last is next. A crowd then waits here, where it costs a connection, instead of
// taking the time of two sidecars from everybody who comes after it.
type gate struct {
	mu      sync.Mutex
	free    int
	waiting []chan struct{} // who came last at the end
}

const (
	// mostWaiting and crowdBody bound what a crowd can take of this process.
	mostWaiting = 6_000
	crowdBody   = 64 << 10
	// longestTurn is how long a call counts as under way. One that hangs beyond that
	// goes on, but no longer takes the place of another.
	longestTurn = 15 * time.Second
	// longestAfter is the most seconds after which one who got no turn is asked to
	// come again.
	longestAfter = 5
)

// enter waits for a turn until ctx ends or stop is closed. Who entered calls leave,
// once or more; ok is false when no turn came, or too many wait.
func (g *gate) enter(ctx context.Context, stop <-chan struct{}) (leave func(), ok bool) {
	if !g.wait(ctx, stop) {
		return nil, false
	}
	var once sync.Once
	end := func() { once.Do(g.pass) }
	limit := time.AfterFunc(longestTurn, end)
	return func() { limit.Stop(); end() }, true
}

func (g *gate) wait(ctx context.Context, stop <-chan struct{}) bool {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return true
	}
	if len(g.waiting) >= mostWaiting {
		g.mu.Unlock()
		return false
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, turn)
	if i < 0 { // it came at the same moment
		return true
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return false
}

// pass gives the turn to the one who came last, if anybody waits.
func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := len(g.waiting) - 1
	if last < 0 {
		g.free++
		return
	}
	close(g.waiting[last])
	g.waiting = g.waiting[:last]
}
