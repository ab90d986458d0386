package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/user/internal/user"
)

const (
	selectAllSessions = sessionColumns + `WHERE user_id = $1 ORDER BY id`
	selectAllResets   = resetColumns + `WHERE user_id = $1 ORDER BY id`

	eraseAddresses = `
UPDATE user_addresses SET label = NULL, recipient = NULL, line1 = NULL, line2 = NULL, city = NULL, region = NULL, postal_code = NULL,
    country = NULL, phone = NULL, is_default_shipping = false, is_default_billing = false, version = version + 1,
    updated_at = $2, deleted_at = coalesce(deleted_at, $2), erased_at = $2
WHERE user_id = $1 AND erased_at IS NULL`
	eraseSessions      = `UPDATE sessions SET device = '', address = '' WHERE user_id = $1`
	eraseRefresh       = `DELETE FROM refresh_tokens WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1)`
	eraseResets        = `DELETE FROM password_reset_tokens WHERE user_id = $1`
	eraseRequests      = `DELETE FROM password_reset_requests WHERE user_id = $1`
	eraseVerifications = `DELETE FROM email_verification_tokens WHERE user_id = $1`
	eraseFactors       = deleteFactor
	// The answers that were kept for repeated requests hold addresses.
	eraseAnswers = `DELETE FROM idempotency_keys WHERE user_id = $1`
)

// Record implements user.Records.
func (s *Store) Record(ctx context.Context, userID uuid.UUID) (user.Record, error) {
	var r user.Record
	var err error
	if r.Addresses, err = many(ctx, s, "record of addresses", scanAddress, selectAllAddresses, userID); err != nil {
		return r, err
	}
	if r.Sessions, err = many(ctx, s, "record of sessions", scanSession, selectAllSessions, userID); err != nil {
		return r, err
	}
	if r.Resets, err = many(ctx, s, "record of resets", scanOneTime, selectAllResets, userID); err != nil {
		return r, err
	}
	r.Verifications, err = many(ctx, s, "record of verifications", scanVerification, selectAllVerifications, userID)
	return r, err
}

// EraseRecord implements user.Records.
func (s *Store) EraseRecord(ctx context.Context, userID uuid.UUID, at time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		batch := &pgx.Batch{}
		batch.Queue(eraseAddresses, userID, at)
		for _, sql := range []string{eraseRefresh, eraseSessions, eraseResets, eraseRequests, eraseVerifications, eraseFactors, eraseAnswers} {
			batch.Queue(sql, userID)
		}
		if err := s.db.Conn(ctx).SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("erase record: %w", err)
		}
		return nil
	})
}

const sweepBatch = 1000

const (
	sweepSessions = `
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE revoked_at < $1 OR expires_at < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)`
	sweepResets = `
DELETE FROM password_reset_tokens WHERE id IN (
    SELECT id FROM password_reset_tokens WHERE expires_at < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)`
	sweepVerifications = `
DELETE FROM email_verification_tokens WHERE id IN (
    SELECT id FROM email_verification_tokens WHERE expires_at < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)`
)

// Sweep deletes sessions and tokens that ended before the given time, a batch
// of each at a time until none is left.
func (s *Store) Sweep(ctx context.Context, before time.Time) error {
	for _, sql := range []string{sweepSessions, sweepResets, sweepVerifications, sweepFactors} {
		for n := int64(sweepBatch); n == sweepBatch; {
			var err error
			if n, err = s.exec(ctx, "sweep", sql, before, sweepBatch); err != nil {
				return err
			}
		}
	}
	return nil
}
