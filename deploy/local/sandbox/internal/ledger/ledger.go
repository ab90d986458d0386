// Package ledger is the books of the payment sandbox: payment intents, refunds,
// payment methods and customers with the state machine that Stripe's have, the
// answers kept for idempotency keys, and the events that wait to be delivered.
// Every change is one line of a journal that is on disk before anybody hears of
// it. The package knows nothing of HTTP or of how Stripe writes its objects.
package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// answerTTL is how long the answer to an idempotency key is kept, as at Stripe.
const answerTTL = 24 * time.Hour

// Ledger holds everything in memory and in its journal. It is safe for
// concurrent use: changes happen one after the other.
type Ledger struct {
	now     func() time.Time
	random  Random
	journal *journal

	mu          sync.Mutex
	intents     map[string]*Intent
	intentOrder []string // as created
	refunds     map[string]*Refund
	refundOrder []string
	methods     map[string]*Method
	methodOrder []string
	customers   map[string]*Customer
	charges     map[string]string // charge id to intent id
	answers     map[string]answerRef
	unsettled   map[string]bool // refunds whose outcome is still to come
	undelivered []Event         // committed and not yet taken by the sender
	news        chan struct{}
}

// record is one line of the journal: the new state of all that one change
// touched, so that a line is either wholly there or not at all.
type record struct {
	Intents   []*Intent   `json:"intents,omitempty"`
	Refunds   []*Refund   `json:"refunds,omitempty"`
	Methods   []*Method   `json:"methods,omitempty"`
	Customers []*Customer `json:"customers,omitempty"`
	Events    []Event     `json:"events,omitempty"`
	Delivered []string    `json:"delivered,omitempty"`
	Answer    *Answer     `json:"answer,omitempty"`
}

func (r *record) empty() bool {
	return len(r.Intents)+len(r.Refunds)+len(r.Methods)+len(r.Customers)+len(r.Events)+len(r.Delivered) == 0 && r.Answer == nil
}

// Event is a webhook to be delivered; the payload is the body to be signed.
type Event struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Payload string `json:"payload"`
}

// Answer is what the first request of an idempotency key was told.
type Answer struct {
	Key       string    `json:"key"`
	Hash      string    `json:"hash"` // of the request: route and parameters
	RequestID string    `json:"request_id"`
	At        time.Time `json:"at"`
	Status    int       `json:"status"`
	Body      string    `json:"body"`
}

// answerRef finds an answer in the journal; bodies are not kept in memory.
type answerRef struct {
	offset int64
	at     time.Time
}

// Open reads the journal in dir, both made if absent, and makes the journal short
// again where most of it is history.
func Open(dir string, now func() time.Time, random Random) (*Ledger, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("ledger directory: %w", err)
	}
	path := filepath.Join(dir, "journal.jsonl")
	l, lines, err := load(path, now, random)
	if err != nil || lines < compactFrom || lines < 3*l.live() {
		return l, err
	}
	if err := errors.Join(l.compact(path), l.Close()); err != nil {
		return nil, err
	}
	l, _, err = load(path, now, random)
	return l, err
}

// load replays the journal at path and says how many lines it has.
func load(path string, now func() time.Time, random Random) (*Ledger, int, error) {
	l := &Ledger{
		now: now, random: random, news: make(chan struct{}, 1),
		intents: map[string]*Intent{}, refunds: map[string]*Refund{}, methods: map[string]*Method{}, customers: map[string]*Customer{},
		charges: map[string]string{}, answers: map[string]answerRef{}, unsettled: map[string]bool{},
	}
	waiting := newWaiting()
	lines := 0
	j, err := openJournal(path, func(offset int64, line []byte) error {
		var rec record
		if err := json.Unmarshal(line, &rec); err != nil {
			return err
		}
		lines++
		l.apply(offset, &rec)
		waiting.note(&rec)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	l.journal = j
	l.undelivered = waiting.events()
	return l, lines, nil
}

// Close writes what is queued. No call may follow.
func (l *Ledger) Close() error { return l.journal.close() }

// Err returns why nothing can be written any more, nil while all is well.
func (l *Ledger) Err() error { return l.journal.failed() }

// Update runs one change. What fn staged becomes visible and durable as a whole
// when it returns nil, and is discarded when it returns an error, which Update
// then returns as it is. Update returns once the change is on disk.
func (l *Ledger) Update(fn func(*Tx) error) error {
	number, err := l.commit(fn)
	if err != nil {
		return err
	}
	return l.journal.wait(number)
}

func (l *Ledger) commit(fn func(*Tx) error) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.journal.failed(); err != nil {
		return 0, err
	}
	tx := &Tx{ledger: l}
	if err := fn(tx); err != nil {
		return 0, err
	}
	if tx.rec.empty() {
		return l.journal.tail(), nil
	}
	line, err := json.Marshal(&tx.rec)
	if err != nil {
		return 0, fmt.Errorf("encode journal line: %w", err)
	}
	offset, number := l.journal.append(line)
	l.apply(offset, &tx.rec)
	if len(tx.rec.Events) > 0 {
		l.undelivered = append(l.undelivered, tx.rec.Events...)
		l.announce()
	}
	return number, nil
}

// View runs fn on a consistent state and returns once all that it saw is on disk:
// nobody is told of what a crash could still undo.
func (l *Ledger) View(fn func(*Tx) error) error {
	l.mu.Lock()
	err := fn(&Tx{ledger: l})
	number := l.journal.tail()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	return l.journal.wait(number)
}

// apply makes a record's content the present state.
func (l *Ledger) apply(offset int64, rec *record) {
	for _, i := range rec.Intents {
		was, known := l.intents[i.ID]
		if !known {
			l.intentOrder = append(l.intentOrder, i.ID)
		} else if was.Charge != nil {
			delete(l.charges, was.Charge.ID) // an intent has one charge, its latest
		}
		l.intents[i.ID] = i
		if i.Charge != nil {
			l.charges[i.Charge.ID] = i.ID
		}
	}
	for _, r := range rec.Refunds {
		if _, known := l.refunds[r.ID]; !known {
			l.refundOrder = append(l.refundOrder, r.ID)
		}
		l.refunds[r.ID] = r
		if r.Settles != "" {
			l.unsettled[r.ID] = true
		} else {
			delete(l.unsettled, r.ID)
		}
	}
	for _, m := range rec.Methods {
		if _, known := l.methods[m.ID]; !known {
			l.methodOrder = append(l.methodOrder, m.ID)
		}
		l.methods[m.ID] = m
	}
	for _, c := range rec.Customers {
		l.customers[c.ID] = c
	}
	if rec.Answer != nil {
		l.answers[rec.Answer.Key] = answerRef{offset: offset, at: rec.Answer.At}
	}
}

// Answer returns what a key's first request was told, nil if there was none within
// the last 24 hours.
func (l *Ledger) Answer(key string) (*Answer, error) {
	l.mu.Lock()
	ref, known := l.answers[key]
	number := l.journal.tail()
	l.mu.Unlock()
	if !known || l.now().Sub(ref.at) > answerTTL {
		return nil, nil
	}
	if err := l.journal.wait(number); err != nil {
		return nil, err
	}
	line, err := l.journal.readLine(ref.offset)
	if err != nil {
		return nil, fmt.Errorf("read kept answer: %w", err)
	}
	var rec record
	if err := json.Unmarshal(line, &rec); err != nil || rec.Answer == nil {
		return nil, errors.Join(errors.New("read kept answer: not at its place"), err)
	}
	return rec.Answer, nil
}
