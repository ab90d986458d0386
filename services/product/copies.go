package main

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/product/internal/postgres"
)

// copies is the inner signalling of what is behind: products to fence in the
// cache at once, and a wake-up for the workers of the queue. Losing a signal
// costs a poll's time, never a change.
type copies struct {
	log    *slog.Logger
	fences chan []uuid.UUID
	fresh  chan []uuid.UUID // for the index
	search chan struct{}
	cache  chan struct{}
	alerts chan struct{}
}

func newCopies(log *slog.Logger) *copies {
	return &copies{log: log, fences: make(chan []uuid.UUID, 256), fresh: make(chan []uuid.UUID, 256), search: make(chan struct{}, 1), cache: make(chan struct{}, 1), alerts: make(chan struct{}, 1)}
}

// behind hears of committed changes. It does not block.
func (c *copies) behind(ids []uuid.UUID) {
	select {
	case c.fences <- ids:
	default: // the queue brings it
	}
	if len(ids) > freshAtOnce {
		return
	}
	select {
	case c.fresh <- ids:
	default:
	}
}

// freshAtOnce is the largest change that goes into the index by the quick way: an
// import takes the queue, where a price that is changed meanwhile need not wait
// behind it.
const freshAtOnce = 20

// freshPause bounds how often the index is made to show what was written: what
// comes meanwhile goes together.
const freshPause = 100 * time.Millisecond

// runFresh writes small changes into the index at once until ctx ends. Writing is
// versioned and the queue follows, so what fails here is only late.
func (c *copies) runFresh(ctx context.Context, apply func(context.Context, []uuid.UUID) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case ids := <-c.fresh:
			behind := map[uuid.UUID]bool{}
			for more := true; more; {
				for _, id := range ids {
					behind[id] = true
				}
				select {
				case ids = <-c.fresh:
					more = len(behind) < queueBatch
				default:
					more = false
				}
			}
			if err := apply(ctx, slices.Collect(maps.Keys(behind))); err != nil {
				c.log.Debug("search index not written at once", "error", err)
			}
			pause(ctx, nil, freshPause)
		}
	}
}

// queued hears that the queue has grown. It does not block.
func (c *copies) queued() {
	for _, wake := range []chan struct{}{c.search, c.cache, c.alerts} {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// fenceAgain is how soon a fence that failed is tried again: an old copy must not
// outlive a change by more than the two seconds that Redis may take to answer.
const fenceAgain = 200 * time.Millisecond

// run fences until ctx ends. What Redis did not take waits for the next try.
func (c *copies) run(ctx context.Context, fence func(context.Context, []uuid.UUID) error) error {
	behind := map[uuid.UUID]bool{}
	for {
		var again <-chan time.Time
		if len(behind) > 0 {
			again = time.After(fenceAgain)
		}
		select {
		case <-ctx.Done():
			return nil
		case ids := <-c.fences:
			for _, id := range ids {
				behind[id] = true
			}
		case <-again:
		}
		if err := fence(ctx, slices.Collect(maps.Keys(behind))); err != nil {
			c.log.Debug("product cache not fenced at once", "error", err)
			if len(behind) < maxBehind { // else the queue brings them
				continue
			}
		}
		clear(behind)
	}
}

// maxBehind bounds the fences that are tried again from memory.
const maxBehind = 10_000

const (
	queueBatch = 500
	// queuePoll is for what another replica has queued, or one that died since.
	queuePoll = time.Second
	// queuePause is how long a worker rests after a failure: the index or Redis
	// is away, and the queue keeps what waits.
	queuePause = time.Second
	// settle gathers events that come together into one bulk write.
	settle = 20 * time.Millisecond
)

// follow drains one part of the queue until ctx ends.
func (a *application) follow(ctx context.Context, projection string, wake <-chan struct{}, apply func(context.Context, []uuid.UUID) error) error {
	failing := false
	for ctx.Err() == nil {
		n, err := a.queue.Drain(ctx, projection, queueBatch, apply)
		switch {
		case err != nil && ctx.Err() == nil:
			if !failing {
				a.log.Warn("copies of products fall behind", "projection", projection, "error", err)
			}
			failing = true
			pause(ctx, nil, queuePause)
		case n == queueBatch: // there is more
		default:
			if failing {
				a.log.Info("copies of products follow again", "projection", projection)
			}
			failing = false
			if pause(ctx, wake, queuePoll) {
				pause(ctx, nil, settle)
			}
		}
	}
	return nil
}

// pause waits for d or until it is woken, which it tells.
func pause(ctx context.Context, wake <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-wake:
		return true
	}
	return false
}

func (a *application) followCache(ctx context.Context) error {
	return a.follow(ctx, postgres.ProjectionCache, a.copies.cache, a.fence)
}

// tellWaiting turns alerts of products that are back in stock into events.
func (a *application) tellWaiting(ctx context.Context) error {
	return a.follow(ctx, postgres.ProjectionAlerts, a.copies.alerts, a.catalogue.TellWaiting)
}

// followSearch makes the index if there is none, then keeps it in line.
func (a *application) followSearch(ctx context.Context) error {
	for ctx.Err() == nil {
		err := a.projector.Ensure(ctx)
		if err == nil {
			break
		}
		a.log.Warn("no search index yet", "error", err)
		pause(ctx, nil, queuePause)
	}
	return a.follow(ctx, postgres.ProjectionSearch, a.copies.search, a.projector.Apply)
}
