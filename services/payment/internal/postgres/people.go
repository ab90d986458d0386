package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

const (
	selectErased   = `SELECT EXISTS (SELECT FROM erased_users WHERE user_id = $1)`
	insertErased   = `INSERT INTO erased_users (user_id) VALUES ($1) ON CONFLICT ON CONSTRAINT erased_users_pkey DO NOTHING`
	deleteWallet   = `DELETE FROM user_saved_payment_methods WHERE user_id = $1 RETURNING provider_method_id`
	deleteCustomer = `DELETE FROM provider_customers WHERE user_id = $1`
	insertNotice   = `
INSERT INTO webhook_events (id, type, object_id) VALUES ($1, $2, $3) ON CONFLICT ON CONSTRAINT webhook_events_pkey DO NOTHING`
)

// IsErased implements payment.People.
func (s *Store) IsErased(ctx context.Context, user uuid.UUID) (bool, error) {
	var erased bool
	if err := s.db.Conn(ctx).QueryRow(ctx, selectErased, user).Scan(&erased); err != nil {
		return false, fmt.Errorf("look for erased user: %w", err)
	}
	return erased, nil
}

// Customer implements payment.People.
func (s *Store) Customer(ctx context.Context, user uuid.UUID) (string, error) {
	id, err := one(ctx, s, pgx.RowTo[string], pgx.ErrNoRows, selectCustomer, user)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// Erase implements payment.People.
func (s *Store) Erase(ctx context.Context, user uuid.UUID) error {
	if err := s.lockWallet(ctx, user); err != nil {
		return err
	}
	if _, err := s.db.Conn(ctx).Exec(ctx, insertErased, user); err != nil {
		return fmt.Errorf("note erased user: %w", err)
	}
	tokens, err := many(ctx, s, pgx.RowTo[string], deleteWallet, user)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	for _, token := range tokens {
		batch.Queue(insertDetach, token)
	}
	batch.Queue(deleteCustomer, user)
	if err := s.db.Conn(ctx).SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("note detachments: %w", err)
	}
	return nil
}

// Take implements payment.Notices.
func (s *Store) Take(ctx context.Context, n payment.Notice) (bool, error) {
	tag, err := s.db.Conn(ctx).Exec(ctx, insertNotice, n.ID, n.Type, n.ObjectID)
	if err != nil {
		return false, fmt.Errorf("note notification: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

const claimDetachment = `
WITH due AS (
    SELECT provider_method_id FROM method_detachments WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE method_detachments m SET tries = tries + 1, due_at = now() + $1::interval
FROM due WHERE m.provider_method_id = due.provider_method_id RETURNING m.provider_method_id`

// detachPause is both the lease of a try and the wait before the next.
const detachPause = time.Minute

// NextDetachment leases a method that waits to be detached; "" when none does.
func (s *Store) NextDetachment(ctx context.Context) (string, error) {
	id, err := one(ctx, s, pgx.RowTo[string], pgx.ErrNoRows, claimDetachment, detachPause)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// Detached ends a detachment.
func (s *Store) Detached(ctx context.Context, providerID string) error {
	if _, err := s.db.Conn(ctx).Exec(ctx, cancelDetach, providerID); err != nil {
		return fmt.Errorf("end detachment: %w", err)
	}
	return nil
}
