package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// ErrLeaseLost tells a worker that somebody else has the order by now. What it
// learned from the provider is left for that one to read.
var ErrLeaseLost = errors.New("postgres: lease on the order was lost")

// Job is an order that a worker has leased.
type Job struct {
	payment.Order
	Lease uuid.UUID
	// Tries counts the calls that have failed in a row.
	Tries int
	// Traceparent is the trace of what gave the order its work.
	Traceparent string

	nudges int64
}

// A lease that a crash of the server forgets is merely taken again, so its
// commit need not wait for the disk.
const relaxCommit = `SELECT set_config('synchronous_commit', 'off', true)`

const claimOrder = `
WITH due AS (
    SELECT order_id FROM payment_orders
    WHERE due_at <= now() AND (leased_until IS NULL OR leased_until <= now())
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE payment_orders p SET lease_id = $1, leased_until = now() + $2::interval
FROM due WHERE p.order_id = due.order_id RETURNING p.order_id, p.tries, p.traceparent`

// claimWithin bounds a claim, which the stop of a worker does not break off: an
// order that was leased and not handed over would wait for its lease to pass.
const claimWithin = 5 * time.Second

// Claim leases the order that has waited longest; false when none is due.
func (s *Store) Claim(ctx context.Context) (job Job, ok bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimWithin)
	defer cancel()
	job.Lease = s.newID()
	switch err := s.takeLease(ctx, &job); {
	case errors.Is(err, pgx.ErrNoRows):
		return Job{}, false, nil
	case err != nil:
		return Job{}, false, fmt.Errorf("claim order: %w", err)
	}
	// What changes from here on is seen by Record, which locks the order.
	l, err := s.read(ctx, selectOrder, job.ID)
	if err != nil {
		return Job{}, false, fmt.Errorf("claim order: %w", err)
	}
	job.Order, job.nudges = l.Order, l.nudges
	return job, true, nil
}

// takeLease runs as one transaction, as a batch outside of one does.
func (s *Store) takeLease(ctx context.Context, job *Job) error {
	batch := &pgx.Batch{}
	batch.Queue(relaxCommit)
	batch.Queue(claimOrder, job.Lease, lease)
	res := s.db.Conn(ctx).SendBatch(ctx, batch)
	_, err := res.Exec()
	if err == nil {
		err = res.QueryRow().Scan(&job.ID, &job.Tries, &job.Traceparent)
	}
	if cerr := res.Close(); err == nil {
		err = cerr
	}
	return err
}

// Record takes what the provider said into the order and names the next call.
// With none left it gives the lease back. A nil input only does the latter.
func (s *Store) Record(ctx context.Context, job *Job, in payment.Input, seen payment.Seen) (next payment.Step, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		before, err := s.read(ctx, selectForUpdate, job.ID)
		if err != nil {
			return err
		}
		if before.lease != job.Lease {
			return ErrLeaseLost
		}
		after := before.Order
		var evs []events.Event
		if in != nil {
			if after, evs, err = payment.Apply(before.Order, in, s.clock()); err != nil {
				return err
			}
		}
		next = payment.Next(after, seen)
		d := due{ever: next.Kind != payment.StepNone || next.Again > 0, after: next.Again}
		d.keepLease, d.dropLease = next.Kind != payment.StepNone, next.Kind == payment.StepNone
		if before.nudges != job.nudges {
			d.after = 0 // the provider has news that this run may have missed
		}
		job.Order = after
		return s.save(ctx, before.Order, after, evs, d)
	})
	return next, err
}

const deferOrder = `
UPDATE payment_orders SET due_at = now() + $3::interval, lease_id = NULL, leased_until = NULL, tries = tries + 1, last_error = $4
WHERE order_id = $1 AND lease_id = $2`

// longestNote bounds what is kept of an error.
const longestNote = 300

// Defer gives the lease back after a call whose outcome is not known.
func (s *Store) Defer(ctx context.Context, job Job, wait time.Duration, cause error) error {
	note := cause.Error()
	if len(note) > longestNote {
		note = note[:longestNote]
	}
	if _, err := s.db.Conn(ctx).Exec(ctx, deferOrder, job.ID, job.Lease, wait, note); err != nil {
		return fmt.Errorf("defer order: %w", err)
	}
	return nil
}

// A nudge of an order that is quiet and has nothing to be read is not kept.
const nudgeOrder = `
UPDATE payment_orders SET nudges = nudges + 1, due_at = LEAST(due_at, now())
WHERE order_id = $1 AND due_at IS NOT NULL`

// Nudge implements payment.Orders.
func (s *Store) Nudge(ctx context.Context, id uuid.UUID) error {
	tag, err := s.db.Conn(ctx).Exec(ctx, nudgeOrder, id)
	if err != nil {
		return fmt.Errorf("nudge order: %w", err)
	}
	if tag.RowsAffected() > 0 {
		s.wakeAfterCommit(ctx)
	}
	return nil
}
