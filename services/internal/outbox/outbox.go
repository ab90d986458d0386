// Package outbox keeps a service's events in the transaction that causes them
// and relays them to Kafka in order per key, at least once. Nothing else
// publishes.
package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/mutant"
	"github.com/caravan-shop/caravan/services/internal/pg"
)

// Box appends events. Safe for concurrent use.
type Box struct {
	db    *pg.DB
	newID func() uuid.UUID
	now   func() time.Time
	wake  chan struct{}
}

// New makes the outbox of a database. newID must give UUIDv7.
func New(db *pg.DB, newID func() uuid.UUID, now func() time.Time) *Box {
	return &Box{db: db, newID: newID, now: now, wake: make(chan struct{}, 1)}
}

// The counter row is locked first, so the identity drawn for position follows
// the order in which transactions on one key commit.
const insertEvent = `
WITH s AS (
    INSERT INTO outbox_sequences (key, last) VALUES ($3, 1)
    ON CONFLICT ON CONSTRAINT outbox_sequences_pkey DO UPDATE SET last = outbox_sequences.last + 1
    RETURNING last)
INSERT INTO outbox (id, topic, key, payload, traceparent, created_at)
SELECT $1, $2, $3, jsonb_set($4::jsonb, '{sequence}', to_jsonb(s.last)), $5, $6 FROM s`

// Append stores events in the transaction of ctx, numbered per key in the order
// given, with its next statement or its COMMIT. Each key is locked from then until
// the transaction ends: a caller that appends for several gives them in one fixed order.
func (b *Box) Append(ctx context.Context, evs ...events.Event) error {
	if len(evs) == 0 {
		return nil
	}
	at, parent := b.now().UTC().Truncate(time.Microsecond), Traceparent(ctx)
	batch := &pgx.Batch{}
	for _, e := range evs {
		e.Stamp(at)
		payload, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("outbox payload of %s: %w", e.Topic(), err)
		}
		batch.Queue(insertEvent, b.newID(), e.Topic(), e.Key(), payload, parent, at)
	}
	if mutant.On(mutant.EarlyPublish) {
		defer mutant.Linger()
		defer b.poke()
		return b.db.Pool().SendBatch(ctx, batch).Close()
	}
	if err := b.db.Later(ctx, batch); err != nil {
		return fmt.Errorf("outbox append: %w", err)
	}
	pg.AfterCommit(ctx, b.poke)
	return nil
}

// poke wakes the relay of this process; one that runs elsewhere polls.
func (b *Box) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Traceparent names the trace of ctx, in W3C form; "" where there is none. Work
// that waits in a row is given it, so that WithTraceparent can go on with it.
func Traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	return carrier["traceparent"]
}

// WithTraceparent goes on with a trace that was begun elsewhere.
func WithTraceparent(ctx context.Context, parent string) context.Context {
	return otel.GetTextMapPropagator().Extract(ctx, propagation.MapCarrier{"traceparent": parent})
}
