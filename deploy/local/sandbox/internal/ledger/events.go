package ledger

import (
	"encoding/json"
	"fmt"
)

// waiting finds the events of a journal that were never marked delivered.
type waiting struct {
	open  map[string]Event
	order []string
}

func newWaiting() *waiting { return &waiting{open: map[string]Event{}} }

func (w *waiting) note(rec *record) {
	for _, e := range rec.Events {
		w.open[e.ID] = e
		w.order = append(w.order, e.ID)
	}
	for _, id := range rec.Delivered {
		delete(w.open, id)
	}
}

// events returns them in the order in which they happened.
func (w *waiting) events() []Event {
	out := make([]Event, 0, len(w.open))
	for _, id := range w.order {
		if e, ok := w.open[id]; ok {
			out = append(out, e)
		}
	}
	return out
}

// News is readable whenever events may be waiting for TakeEvents.
func (l *Ledger) News() <-chan struct{} { return l.news }

func (l *Ledger) announce() {
	select {
	case l.news <- struct{}{}:
	default: // announced already
	}
}

// TakeEvents hands over the events that nobody has taken since the start, once
// they are on disk. An event that is not marked Delivered is handed out again by the
// next process.
func (l *Ledger) TakeEvents() ([]Event, error) {
	l.mu.Lock()
	taken := l.undelivered
	l.undelivered = nil
	number := l.journal.tail()
	l.mu.Unlock()
	return taken, l.journal.wait(number)
}

// Delivered marks an event as received. It does not wait for the disk: a mark
// lost in a crash means one more delivery, which receivers have to bear anyway.
func (l *Ledger) Delivered(id string) error {
	line, err := json.Marshal(record{Delivered: []string{id}})
	if err != nil {
		return fmt.Errorf("encode journal line: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.journal.failed(); err != nil {
		return err
	}
	l.journal.append(line)
	return nil
}
