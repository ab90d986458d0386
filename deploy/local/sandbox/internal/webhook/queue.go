package webhook

import (
	"time"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
)

// item is an event and when to send it next.
type item struct {
	event    ledger.Event
	at       time.Time
	order    uint64 // among those due at the same time
	failures int    // answers that were not 2xx
}

// queue is a heap (container/heap) of items, the next one first.
type queue []*item

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].order < q[j].order
}

// Push implements heap.Interface.
func (q *queue) Push(v any) { *q = append(*q, v.(*item)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	v := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return v
}

func (q queue) due(now time.Time) bool { return len(q) > 0 && !q[0].at.After(now) }
