package simulator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/twin"
)

// message is one delivery that is due: an event for a subscriber.
type message struct {
	id, source, to string
	event          events.Event
	notBefore      time.Time
}

// subscribers lists who takes a topic in.
func subscribers(topic string) []string {
	switch topic {
	case events.TopicOrderCreated:
		return []string{"payment"}
	case events.TopicOrderConfirmed, events.TopicOrderShipped:
		return []string{"product"}
	case events.TopicOrderCancelled:
		return []string{"payment", "product"}
	case events.TopicPaymentSuccess, events.TopicPaymentFailed, events.TopicPaymentRequiresAction, events.TopicPaymentRefunded,
		events.TopicInventoryReserved, events.TopicInventoryRejected:
		return []string{"order"}
	case events.TopicUserDeleted:
		return []string{"order", "payment"}
	}
	return nil
}

// put lays an event on the bus, once for each subscriber.
func (w *world) put(source string, r *twin.Row) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onBus[r.ID] = true
	for _, to := range subscribers(r.Event.Topic()) {
		w.bag = append(w.bag, &message{id: r.ID, source: source, to: to, event: r.Event})
	}
}

// waiting are the oldest rows of each key that the outbox of a service has not
// published: more than one a key is never in flight.
func waiting(db *twin.DB) []*twin.Row {
	var heads []*twin.Row
	seen := map[string]bool{}
	for _, r := range db.Rows() {
		if !r.Published && !seen[r.Event.Key()] {
			seen[r.Event.Key()] = true
			heads = append(heads, r)
		}
	}
	return heads
}

// relay publishes one row of one service.
func (w *world) relay() bool {
	var all []*twin.Row
	var of []*twin.DB
	for _, db := range w.dbs {
		if w.isDown(db.Name) {
			continue
		}
		for _, r := range waiting(db) {
			all, of = append(all, r), append(of, db)
		}
	}
	if len(all) == 0 {
		return false
	}
	i := w.rng.IntN(len(all))
	row, db := all[i], of[i]
	if w.chance(12) {
		w.fault("publish not acknowledged")
		return true
	}
	w.trace("%s publishes %s of %.8s", db.Name, row.Event.Topic(), row.Event.Key())
	w.put(db.Name, row)
	if w.chance(12) {
		w.fault("crash after publish before mark")
		w.crash(db.Name)
		return true
	}
	row.Published = true
	return true
}

// deliver hands one message over, in any order.
func (w *world) deliver() bool {
	due := make([]int, 0, len(w.bag))
	for i, m := range w.bag {
		if !m.notBefore.After(w.now) && !w.isDown(m.to) {
			due = append(due, i)
		}
	}
	if len(due) == 0 {
		return false
	}
	n := w.rng.IntN(len(due))
	i := due[n]
	m := w.bag[i]
	if n > 0 && !w.quiet {
		w.silently("reordered")
	}
	switch {
	case w.chance(15):
		w.fault("delayed")
		m.notBefore = w.now.Add(time.Duration(1+w.rng.IntN(600)) * time.Second)
		return true
	case w.chance(12):
		w.fault("dropped, delivered again")
		return true
	case w.chance(12):
		w.fault("duplicated")
		w.bag = append(w.bag, &message{id: m.id, source: m.source, to: m.to, event: m.event})
	}
	w.trace("%s takes %s of %.8s", m.to, m.event.Topic(), m.event.Key())
	w.faulty[m.to] = true
	err := w.take(m)
	w.faulty[m.to] = false
	switch {
	case err != nil && !errors.Is(err, errLost) && !errors.Is(err, errUnknown):
		w.violated("%s refuses %s of %s: %v", m.to, m.event.Topic(), m.event.Key(), err)
		w.bag = slices.Delete(w.bag, i, i+1)
	case err != nil: // it comes again
	case w.chance(12):
		w.fault("acknowledgement lost")
	default:
		w.bag = slices.Delete(w.bag, i, i+1)
	}
	return true
}

func (w *world) take(m *message) error {
	ctx := context.Background()
	switch m.to {
	case "order":
		return w.order.Take(ctx, m.id, m.source, m.event)
	case "product":
		return w.stock.Take(ctx, m.id, m.event)
	}
	if e, ok := m.event.(*events.OrderCancelled); ok && w.chance(3) {
		w.fault("two transactions at once")
		return w.payment.Once(ctx, m.id, func(ctx context.Context) error { return w.payment.CancelTwice(ctx, e.OrderID) })
	}
	return w.payment.Take(ctx, m.id, m.source, m.event)
}

var (
	errLost    = errors.New("simulator: nothing happened")
	errUnknown = errors.New("simulator: nobody knows what happened")
)

// loseCommit is the fate of a commit.
func (w *world) loseCommit(name string) (lost, unknown error) {
	if w.quiet || !w.faulty[name] {
		return nil, nil
	}
	switch w.rng.IntN(40) {
	case 0:
		w.fault("crash before commit")
		return errLost, nil
	case 1:
		w.fault("crash after commit before answer")
		return nil, errUnknown
	}
	return nil, nil
}

func (w *world) isDown(name string) bool { return !w.quiet && w.down[name].After(w.now) }
