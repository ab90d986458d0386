// Package twin is a database in memory for the twins of the services: a twin
// runs the real core and use cases of its service over it, in the simulator. It
// has what the services build on: transactions that are undone by an error or a
// death, an outbox that commits with the effect, and an inbox. It is not safe
// for concurrent use, and no service may import it.
package twin

import (
	"context"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// Flaws are faults built into a twin on purpose, so that a test can show that
// the simulator's checks see them.
type Flaws struct {
	NoInbox       bool // events take effect as often as they are delivered
	PublishEarly  bool // events leave before their transaction commits
	NoRefundIndex bool // nothing but the lock keeps a refund from being made twice
	NoStockGuard  bool // stock is taken without looking at what is free
}

// Row is one event in an outbox.
type Row struct {
	ID        string
	Event     events.Event
	Published bool
}

// DB is one service's database.
type DB struct {
	Name  string
	Now   func() time.Time
	NewID func() uuid.UUID
	Flaws Flaws
	// Commit is asked before each commit that writes. With lost the transaction is
	// undone; with unknown it is committed and reported as failed all the same, as
	// when a connection breaks during COMMIT.
	Commit func() (lost, unknown error)
	// Early gets what leaves before its commit.
	Early func(*Row)

	rows    []*Row
	seen    map[string]bool
	effects map[string]int
	undo    []func()
	open    bool
}

// New makes an empty database.
func New(name string, now func() time.Time, newID func() uuid.UUID) *DB {
	return &DB{Name: name, Now: now, NewID: newID, seen: map[string]bool{}, effects: map[string]int{}}
}

// InTx runs fn in a transaction, or in the one that is open.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if db.open {
		return fn(ctx)
	}
	db.open = true
	committed := false
	defer func() {
		if !committed {
			for i := len(db.undo) - 1; i >= 0; i-- {
				db.undo[i]()
			}
		}
		db.open, db.undo = false, nil
	}()
	if err := fn(ctx); err != nil {
		return err
	}
	var unknown error
	if len(db.undo) > 0 && db.Commit != nil { // nothing was written: nothing can be lost
		var lost error
		if lost, unknown = db.Commit(); lost != nil {
			return lost
		}
	}
	committed = true
	return unknown
}

// Put writes a row of a table, undone with the transaction.
func Put[K comparable, V any](db *DB, table map[K]V, key K, row V) {
	old, there := table[key]
	table[key] = row
	if !db.open {
		return
	}
	db.undo = append(db.undo, func() {
		if there {
			table[key] = old
		} else {
			delete(table, key)
		}
	})
}

// Drop removes a row of a table, undone with the transaction.
func Drop[K comparable, V any](db *DB, table map[K]V, key K) {
	old, there := table[key]
	if !there {
		return
	}
	delete(table, key)
	if db.open {
		db.undo = append(db.undo, func() { table[key] = old })
	}
}

// Append adds events to the outbox in the open transaction.
func (db *DB) Append(evs ...events.Event) {
	for _, e := range evs {
		e.Stamp(db.Now())
		row := &Row{ID: db.NewID().String(), Event: e}
		n := len(db.rows)
		db.rows = append(db.rows, row)
		db.undo = append(db.undo, func() { db.rows = db.rows[:n] })
		if db.Flaws.PublishEarly {
			row.Published = true
			db.Early(row)
		}
	}
}

// Once runs the effect of an event in one transaction with its mark, unless the
// mark is there.
func (db *DB) Once(ctx context.Context, eventID string, effect func(ctx context.Context) error) error {
	return db.InTx(ctx, func(ctx context.Context) error {
		if db.seen[eventID] && !db.Flaws.NoInbox {
			return nil
		}
		Put(db, db.seen, eventID, true)
		Put(db, db.effects, eventID, db.effects[eventID]+1)
		return effect(ctx)
	})
}

// Effects counts for each event how often its effect was committed.
func (db *DB) Effects() map[string]int { return maps.Clone(db.effects) }

// Rows is the outbox in the order of its commits.
func (db *DB) Rows() []*Row { return db.rows }
