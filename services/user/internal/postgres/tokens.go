package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

const resetColumns = `SELECT id, user_id, token_hash, created_at, expires_at, used_at FROM password_reset_tokens `

const (
	// One plan and one row, whether or not the address is known.
	insertResetRequest = `
INSERT INTO password_reset_requests (id, user_id, created_at)
VALUES ($1, (SELECT u.id FROM users u WHERE u.email_normalized = $2 AND u.status = 'active'), $3)`
	takeResetRequests = `
DELETE FROM password_reset_requests WHERE id IN (
    SELECT id FROM password_reset_requests ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING user_id`
	// FOR UPDATE serializes with an erasure, so that no token outlives its person.
	lockActiveUsers = `SELECT id FROM users WHERE id = ANY($1) AND status = 'active' ORDER BY id FOR UPDATE`
	insertReset     = `
INSERT INTO password_reset_tokens (id, user_id, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`
	selectReset     = resetColumns + `WHERE id = $1`
	selectResetUser = `SELECT user_id FROM password_reset_tokens WHERE token_hash = $1`
	selectResetLive = `SELECT user_id FROM password_reset_tokens WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2`
	useReset        = `
UPDATE password_reset_tokens SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING user_id`
	useOtherResets = `UPDATE password_reset_tokens SET used_at = $2 WHERE user_id = $1 AND used_at IS NULL`
)

func scanOneTime(row pgx.CollectableRow) (user.OneTime, error) {
	var t user.OneTime
	err := row.Scan(&t.ID, &t.UserID, &t.Digest, &t.CreatedAt, &t.ExpiresAt, &t.UsedAt)
	return t, err
}

// Ask implements user.Resets.
func (s *Store) Ask(ctx context.Context, id uuid.UUID, email string, at time.Time) error {
	_, err := s.exec(ctx, "ask for reset", insertResetRequest, id, email, at)
	return err
}

// Answer implements user.Resets.
func (s *Store) Answer(ctx context.Context, limit int, issue func(uuid.UUID) (user.OneTime, []events.Event)) (int, error) {
	taken := 0
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		askers, err := many(ctx, s, "take reset requests", pgx.RowTo[*uuid.UUID], takeResetRequests, limit)
		if err != nil {
			return err
		}
		taken = len(askers)
		var known []uuid.UUID
		for _, id := range askers {
			if id != nil {
				known = append(known, *id)
			}
		}
		// In order of id, as the outbox wants its keys.
		active, err := many(ctx, s, "accounts of resets", pgx.RowTo[uuid.UUID], lockActiveUsers, known)
		if err != nil {
			return err
		}
		for _, id := range active {
			if err := s.answerOne(ctx, id, issue); err != nil {
				return err
			}
		}
		return nil
	})
	return taken, err
}

func (s *Store) answerOne(ctx context.Context, userID uuid.UUID, issue func(uuid.UUID) (user.OneTime, []events.Event)) error {
	t, evs := issue(userID)
	if _, err := s.exec(ctx, "store reset", insertReset, t.ID, t.UserID, t.Digest, t.CreatedAt, t.ExpiresAt); err != nil {
		return err
	}
	return s.box.Append(ctx, evs...)
}

// FindReset implements user.Resets; an unknown id is user.ErrResetToken.
func (s *Store) FindReset(ctx context.Context, id uuid.UUID) (user.OneTime, error) {
	return one(ctx, s, "find reset", user.ErrResetToken, scanOneTime, selectReset, id)
}

// ResetOwner implements user.Resets.
func (s *Store) ResetOwner(ctx context.Context, digest []byte, at time.Time) (uuid.UUID, error) {
	return one(ctx, s, "look at reset", user.ErrResetToken, pgx.RowTo[uuid.UUID], selectResetLive, digest, at)
}

// UseReset implements user.Resets.
func (s *Store) UseReset(ctx context.Context, digest []byte, at time.Time) (uuid.UUID, error) {
	var id uuid.UUID
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.lockOwner(ctx, selectResetUser, digest, user.ErrResetToken)
		if err != nil {
			return err
		}
		id, err = one(ctx, s, "use reset", user.ErrResetToken, pgx.RowTo[uuid.UUID], useReset, digest, at)
		if err != nil {
			return err
		}
		_, err = s.exec(ctx, "use other resets", useOtherResets, id, at)
		return err
	})
	return id, err
}

// lockOwner locks the account of a token before the token, as an erasure does.
func (s *Store) lockOwner(ctx context.Context, selectOwner string, digest []byte, absent error) error {
	id, err := one(ctx, s, "owner of token", absent, pgx.RowTo[uuid.UUID], selectOwner, digest)
	if err != nil {
		return err
	}
	_, err = one(ctx, s, "lock account", absent, pgx.RowTo[bool], lockUser, id)
	return err
}
