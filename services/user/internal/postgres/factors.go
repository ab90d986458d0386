package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/user/internal/user"
)

const (
	selectFactor = `SELECT user_id, secret, recovery_codes, last_step, created_at, confirmed_at FROM second_factors WHERE user_id = $1`
	putFactor    = `
INSERT INTO second_factors (user_id, secret, recovery_codes, last_step, created_at, confirmed_at)
VALUES ($1, $2, coalesce($3, '{}'::bytea[]), $4, $5, $6)
ON CONFLICT ON CONSTRAINT second_factors_pkey DO UPDATE
SET secret = excluded.secret, recovery_codes = excluded.recovery_codes, last_step = excluded.last_step,
    created_at = excluded.created_at, confirmed_at = excluded.confirmed_at`
	deleteFactor = `DELETE FROM second_factors WHERE user_id = $1`
	sweepFactors = `
DELETE FROM second_factors WHERE user_id IN (
    SELECT user_id FROM second_factors WHERE confirmed_at IS NULL AND created_at < $1 ORDER BY user_id LIMIT $2 FOR UPDATE SKIP LOCKED)`
)

// FindFactor implements user.Factors.
func (s *Store) FindFactor(ctx context.Context, userID uuid.UUID) (user.Factor, error) {
	return one(ctx, s, "find second factor", user.ErrFactorNotBegun, scanFactor, selectFactor, userID)
}

func scanFactor(row pgx.CollectableRow) (user.Factor, error) {
	var f user.Factor
	err := row.Scan(&f.UserID, &f.Sealed, &f.Recovery, &f.LastStep, &f.CreatedAt, &f.ConfirmedAt)
	return f, err
}

// PutFactor implements user.Factors.
func (s *Store) PutFactor(ctx context.Context, f user.Factor) error {
	_, err := s.exec(ctx, "store second factor", putFactor, f.UserID, f.Sealed, f.Recovery, f.LastStep, f.CreatedAt, f.ConfirmedAt)
	return err
}

// DeleteFactor implements user.Factors.
func (s *Store) DeleteFactor(ctx context.Context, userID uuid.UUID) error {
	_, err := s.exec(ctx, "delete second factor", deleteFactor, userID)
	return err
}
