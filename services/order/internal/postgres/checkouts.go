package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// undoClaim is how long a claimed undo is left alone; longer than one may take.
const undoClaim = 15 * time.Second

const (
	selectErased = `SELECT EXISTS (SELECT FROM erased_users WHERE user_id = $1)`
	// A checkout past its lease makes way at once, without waiting for a poller. The
	// user's are found by the two indexes by user (by others, the planner would walk
	// what is dead of everybody's); the states are asked again of the locked row.
	claimEarlier = `
UPDATE checkouts SET state = 'undoing', undo_due_at = now() + $2
WHERE order_id IN (
    SELECT order_id FROM checkouts WHERE user_id = $1 AND state = 'running'
    UNION ALL SELECT order_id FROM checkouts WHERE user_id = $1 AND state = 'undoing')
  AND (state = 'undoing' OR (state = 'running' AND lease_until <= now()))
RETURNING order_id, user_id`
	insertCheckout = `
INSERT INTO checkouts (order_id, user_id, key, hash, state, lease_until)
VALUES ($1, $2, $3, $4, 'running', now() + $5)`
)

// Begin takes the key and the user's one running checkout.
func (s *Store) Begin(ctx context.Context, c checkout.Checkout, key idempotency.Key, lease time.Duration) ([]checkout.Checkout, error) {
	var earlier []checkout.Checkout
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		// The key comes first: of many equal requests at once, all but one are
		// told that theirs is in progress.
		if err := s.keys.Begin(ctx, key, lease); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue(selectErased, c.UserID).QueryRow(notErased)
		batch.Queue(claimEarlier, c.UserID, undoClaim).Query(func(rows pgx.Rows) (err error) {
			earlier, err = pgx.CollectRows(rows, scanCheckout)
			return err
		})
		batch.Queue(insertCheckout, c.OrderID, c.UserID, key.Key, key.Hash, lease)
		if err := s.db.Conn(ctx).SendBatch(ctx, batch).Close(); err != nil {
			return faultOf(fmt.Errorf("begin checkout: %w", err))
		}
		return nil
	})
	return earlier, err
}

// Two indexes, one of each state, serve this.
const selectBusy = `
SELECT EXISTS (SELECT FROM checkouts WHERE user_id = $1 AND state = 'running')
    OR EXISTS (SELECT FROM checkouts WHERE user_id = $1 AND state = 'undoing')`

// Busy implements checkout.Store. The checkout is looked for first: one that ends
// in between has left its answer.
func (s *Store) Busy(ctx context.Context, user uuid.UUID, key idempotency.Key) (bool, error) {
	var busy bool
	if err := s.db.Conn(ctx).QueryRow(ctx, selectBusy, user).Scan(&busy); err != nil {
		return false, fmt.Errorf("look for checkouts: %w", err)
	}
	if busy {
		return true, nil
	}
	_, answered, err := s.keys.Lookup(ctx, key)
	return answered, err
}

func notErased(row pgx.Row) error {
	var erased bool
	err := row.Scan(&erased)
	if err == nil && erased {
		return checkout.ErrAccount
	}
	return err
}

func scanCheckout(row pgx.CollectableRow) (c checkout.Checkout, err error) {
	err = row.Scan(&c.OrderID, &c.UserID)
	return c, err
}

const (
	// lockPerson orders a commit and the erasure of the same user one after the
	// other, so that neither overlooks the other's row.
	lockPerson  = `SELECT pg_advisory_xact_lock(hashtextextended('person:' || $1::uuid::text, 0))`
	endCheckout = `UPDATE checkouts SET state = 'placed', ended_at = now() WHERE order_id = $1 AND state = 'running'`
)

// Commit writes the order with everything that belongs to it, only while its
// checkout runs.
func (s *Store) Commit(ctx context.Context, out order.Outcome, key idempotency.Key, a idempotency.Answer) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		batch := &pgx.Batch{}
		batch.Queue(lockPerson, out.Order.UserID)
		batch.Queue(endCheckout, out.Order.ID).Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() == 0 {
				return checkout.ErrUndone
			}
			return nil
		})
		batch.Queue(selectErased, out.Order.UserID).QueryRow(notErased)
		queueInsert(batch, out.Order)
		queueHistory(batch, out.Order.ID, out.History)
		if err := s.db.Later(ctx, batch); err != nil {
			return err
		}
		if err := s.box.Append(ctx, out.Events...); err != nil {
			return err
		}
		return s.keys.Finish(ctx, key, a)
	})
	if err != nil {
		return faultOf(fmt.Errorf("commit order: %w", err))
	}
	return nil
}

const abandonCheckout = `
WITH stopped AS (
    UPDATE checkouts SET state = 'undoing', undo_due_at = now() + $2
    WHERE order_id = $1 AND state = 'running' RETURNING true AS by_us)
SELECT state, EXISTS (SELECT FROM stopped) FROM checkouts WHERE order_id = $1`

// Abandon stops a checkout from ever committing, unless it has.
func (s *Store) Abandon(ctx context.Context, orderID uuid.UUID) (checkout.Fate, error) {
	var before string // as the statement found it
	var byUs bool
	err := s.db.Conn(ctx).QueryRow(ctx, abandonCheckout, orderID, undoClaim).Scan(&before, &byUs)
	switch {
	case err != nil:
		return checkout.Stopped, fmt.Errorf("abandon checkout: %w", err)
	case byUs:
		return checkout.Stopped, nil
	case before == "placed":
		return checkout.Placed, nil
	case before == "running":
		// It changed between snapshot and lock: it has ended one way or the other.
		return s.fate(ctx, orderID)
	}
	return checkout.Superseded, nil
}

func (s *Store) fate(ctx context.Context, orderID uuid.UUID) (checkout.Fate, error) {
	var state string
	err := s.db.Conn(ctx).QueryRow(ctx, `SELECT state FROM checkouts WHERE order_id = $1`, orderID).Scan(&state)
	if err != nil {
		return checkout.Stopped, fmt.Errorf("fate of checkout: %w", err)
	}
	if state == "placed" {
		return checkout.Placed, nil
	}
	return checkout.Superseded, nil
}

const (
	settleUndone = `
UPDATE checkouts SET state = 'undone', undo_due_at = NULL, ended_at = now() WHERE order_id = $1 AND state = 'undoing'`
	// retryUndo hands an undo that failed over to the poller.
	retryUndo = `UPDATE checkouts SET undo_due_at = now() + $2 WHERE order_id = $1 AND state = 'undoing'`
	undoRetry = 2 * time.Second
)

// Settle gives the key back, and ends the checkout once it is undone.
func (s *Store) Settle(ctx context.Context, orderID uuid.UUID, key *idempotency.Key, undone bool) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		if undone {
			_, err = s.db.Conn(ctx).Exec(ctx, settleUndone, orderID)
		} else {
			_, err = s.db.Conn(ctx).Exec(ctx, retryUndo, orderID, undoRetry)
		}
		if err != nil {
			return fmt.Errorf("settle checkout: %w", err)
		}
		if key == nil {
			return nil
		}
		return s.keys.Forget(ctx, *key)
	})
}

const claimOverdue = `
UPDATE checkouts SET state = 'undoing', undo_due_at = now() + $2
WHERE order_id IN (
    SELECT order_id FROM checkouts
    WHERE (state = 'running' AND lease_until <= now()) OR (state = 'undoing' AND undo_due_at <= now())
    ORDER BY lease_until FOR UPDATE SKIP LOCKED LIMIT $1)
RETURNING order_id, user_id`

// Overdue claims the checkouts that have to be undone.
func (s *Store) Overdue(ctx context.Context, limit int) ([]checkout.Checkout, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, claimOverdue, limit, undoClaim)
	if err != nil {
		return nil, fmt.Errorf("overdue checkouts: %w", err)
	}
	due, err := pgx.CollectRows(rows, scanCheckout)
	if err != nil {
		return nil, fmt.Errorf("overdue checkouts: %w", err)
	}
	return due, nil
}

const (
	sweepCheckouts = `
DELETE FROM checkouts WHERE order_id IN (
    SELECT order_id FROM checkouts WHERE state = 'undone' AND ended_at < now() - $1::interval LIMIT $2)`
	// keepCheckouts is how long undone ones are kept, for whoever looks into what
	// happened; those that became orders stay as long as these do.
	keepCheckouts = 7 * 24 * time.Hour
	sweepBatch    = 5000
)

// SweepCheckouts deletes the rows of checkouts that were undone long ago.
func (s *Store) SweepCheckouts(ctx context.Context) error {
	for {
		tag, err := s.db.Conn(ctx).Exec(ctx, sweepCheckouts, keepCheckouts, sweepBatch)
		if err != nil {
			return fmt.Errorf("sweep checkouts: %w", err)
		}
		if tag.RowsAffected() < sweepBatch {
			return nil
		}
	}
}

// faultOf maps the constraints that a checkout may run into.
func faultOf(err error) error {
	name, _ := pg.ConstraintOf(err)
	switch name {
	case "checkouts_one_running_a_user":
		return checkout.ErrInProgress
	case "orders_number_key":
		return errors.Join(checkout.ErrNumberTaken, err)
	}
	return err
}
