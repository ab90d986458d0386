package stock

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// Buyers of one hot item would wait for each other's commits, one after the
// other. So holds that are asked for while others commit are decided together, in
// one transaction: the row is locked and the disk waited for once for all.
const (
	// maxTogether and maxTogetherLines bound one transaction.
	maxTogether      = 64
	maxTogetherLines = 2400
	// One transaction at a time gives the fullest batches: more would only wait for
	// each other's rows. When one is stuck, say behind an import that counts the
	// same shelf, others pass it, once nothing has begun for that long.
	maxUnderWay = 4
	impatience  = 50 * time.Millisecond
	// togetherTime bounds a transaction that many wait for. It is no caller's own.
	togetherTime = 8 * time.Second
)

// placing is the holds that wait for the next transaction.
type placing struct {
	mu       sync.Mutex
	waiting  []*waiter
	underWay int
	turns    uint64 // batches begun: while it grows, nothing is stuck
}

// waiter is one caller. done is closed once placement and err stand.
type waiter struct {
	step      Step
	done      chan struct{}
	placement Placement
	err       error
	alone     bool // the shared transaction failed: try again without the others
}

// placeTogether decides on a hold with those that wait beside it. A caller that
// gives up leaves its hold to be decided all the same, as after a lost answer.
func (s *Service) placeTogether(ctx context.Context, step Step) (Placement, error) {
	w := &waiter{step: step, done: make(chan struct{})}
	shared := context.WithoutCancel(ctx)
	lead, seen := s.placing.join(w)
	if lead {
		go s.placeWaiting(shared)
	}
	stuck := time.NewTimer(impatience)
	defer stuck.Stop()
	for {
		select {
		case <-ctx.Done():
			return Placement{}, ctx.Err()
		case <-stuck.C:
			if lead, seen = s.placing.pass(w, seen); lead {
				go s.placeWaiting(shared)
			}
			stuck.Reset(impatience)
		case <-w.done:
			if w.alone {
				return s.placeAlone(ctx, step)
			}
			return w.placement, w.err
		}
	}
}

// join queues a caller and tells whether nobody is at work.
func (p *placing) join(w *waiter) (lead bool, turns uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, w)
	if p.underWay == 0 {
		p.underWay++
		lead = true
	}
	return lead, p.turns
}

// pass tells whether a caller may have one more at work: it still waits in the
// queue, and no batch has begun since it looked last.
func (p *placing) pass(w *waiter, seen uint64) (lead bool, turns uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turns == seen && p.underWay < maxUnderWay && slices.Contains(p.waiting, w) {
		p.underWay++
		lead = true
	}
	return lead, p.turns
}

// placeWaiting decides batch after batch until nobody waits.
func (s *Service) placeWaiting(ctx context.Context) {
	for {
		batch := s.placing.next()
		if batch == nil {
			return
		}
		s.placeBatch(ctx, batch)
		for _, w := range batch {
			close(w.done)
		}
	}
}

// next takes those that waited longest, each order once, by order id: a second
// request of one order waits for the first. nil ends the caller's turn.
func (p *placing) next() []*waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	var batch, rest []*waiter
	taken, lines := map[uuid.UUID]bool{}, 0
	for _, w := range p.waiting {
		lines += len(w.step.Wanted)
		fits := len(batch) == 0 || (len(batch) < maxTogether && lines <= maxTogetherLines)
		if !fits || taken[w.step.OrderID] {
			rest = append(rest, w)
			continue
		}
		taken[w.step.OrderID] = true
		batch = append(batch, w)
	}
	p.waiting = rest
	p.turns++
	if batch == nil {
		p.underWay--
	}
	slices.SortFunc(batch, func(a, b *waiter) int { return compareIDs(a.step.OrderID, b.step.OrderID) })
	return batch
}

func (s *Service) placeBatch(ctx context.Context, batch []*waiter) {
	ctx, cancel := context.WithTimeout(ctx, togetherTime)
	defer cancel()
	steps := make([]Step, len(batch))
	for i, w := range batch {
		steps[i] = w.step
	}
	err := s.store.PlaceAll(ctx, steps, func(holds []Hold, shelf Shelf) ([]Decision, []events.Event) {
		return decideTogether(batch, holds, shelf)
	})
	for _, w := range batch {
		w.err = err
		w.alone = err != nil && len(batch) > 1
	}
}

// decideTogether decides one hold after the other, each on what those before it
// have left.
func decideTogether(batch []*waiter, holds []Hold, shelf Shelf) ([]Decision, []events.Event) {
	left := make(Shelf, len(shelf))
	for id, item := range shelf {
		left[id] = item
	}
	decisions := make([]Decision, len(batch))
	for i, w := range batch {
		w.placement, decisions[i] = place(holds[i], w.step.Wanted, left)
		for _, m := range decisions[i].Moves {
			item := left[m.ProductID]
			item.Counters = item.after(m)
			left[m.ProductID] = item
		}
	}
	return decisions, FlipEvents(shelf, Net(decisions))
}

// Net sums the movements of many decisions to one a product, by product id.
func Net(decisions []Decision) []Movement {
	sums := map[uuid.UUID]Movement{}
	for _, d := range decisions {
		for _, m := range d.Moves {
			sum := sums[m.ProductID]
			sum.ProductID, sum.Kind = m.ProductID, m.Kind
			sum.OnHand, sum.Held, sum.Reserved = sum.OnHand+m.OnHand, sum.Held+m.Held, sum.Reserved+m.Reserved
			sums[m.ProductID] = sum
		}
	}
	net := make([]Movement, 0, len(sums))
	for _, m := range sums {
		net = append(net, m)
	}
	slices.SortFunc(net, func(a, b Movement) int { return compareIDs(a.ProductID, b.ProductID) })
	return net
}
