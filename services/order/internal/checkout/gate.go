package checkout

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Gate lets a bounded number of checkouts run at once; the others wait, and who
// came last is next. So a crowd that comes at one moment does not hold up those
// who come after it, and what runs ends well within its lease. Safe for
// concurrent use.
type Gate struct {
	within time.Duration
	most   int // may wait at a time

	mu      sync.Mutex
	free    int
	waiting *list.List // of chan struct{}, who came last in front
}

// mostWaiting bounds what a crowd can take of the process: a waiting checkout
// is a connection and a goroutine.
const mostWaiting = 10_000

// NewGate admits atOnce checkouts; one that has waited for within is refused.
func NewGate(atOnce int, within time.Duration) *Gate {
	return &Gate{within: within, most: mostWaiting, free: atOnce, waiting: list.New()}
}

// enter waits for its turn; ErrBusy when none came in time, or when too many
// wait already. Who entered leaves.
func (g *Gate) enter(ctx context.Context) error {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	if g.waiting.Len() >= g.most {
		g.mu.Unlock()
		return ErrBusy
	}
	turn := make(chan struct{})
	place := g.waiting.PushFront(turn)
	g.mu.Unlock()
	t := time.NewTimer(g.within)
	defer t.Stop()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	case <-t.C:
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn: // it came at the same moment
		return nil
	default:
		g.waiting.Remove(place)
		return ErrBusy.Because(ctx.Err())
	}
}

// leave gives the turn to the one who came last, if anybody waits.
func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if next := g.waiting.Front(); next != nil {
		close(g.waiting.Remove(next).(chan struct{}))
		return
	}
	g.free++
}
