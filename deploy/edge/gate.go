package main

import (
	"context"
	"net/http"
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

// mostWaiting bounds what a crowd can take of this process.
const mostWaiting = 10_000

// busy asks for more patience than a neighbour that restarts: a crowd that comes
// again all at once would bury whoever came just before it.
var busy = &refusal{status: http.StatusServiceUnavailable, code: "edge_busy", detail: "Too many are calling at this moment: try again.", after: "5"}

// enter waits for a turn; false when none came in time, or too many wait. Who
// entered leaves.
func (g *gate) enter(ctx context.Context, patience time.Duration) bool {
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
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	case <-t.C:
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

// leave gives the turn to the one who came last, if anybody waits.
func (g *gate) leave() {
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
