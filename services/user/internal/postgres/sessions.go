package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

const sessionColumns = `SELECT id, user_id, device, address, created_at, last_seen_at, expires_at, revoked_at FROM sessions `

const (
	insertSession = `
INSERT INTO sessions (id, user_id, device, address, created_at, last_seen_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6, $7 FROM users WHERE id = $2 AND status = 'active' AND password_hash = $8 AND two_factor = $9 FOR SHARE`
	insertRefresh = `
INSERT INTO refresh_tokens (token_hash, session_id, generation, created_at) VALUES ($1, $2, $3, $4)`
	// The session is locked first, as an erasure does, and the token by a
	// statement of its own: so each is read as it is once its lock is held.
	selectRefreshSession = `SELECT session_id FROM refresh_tokens WHERE token_hash = $1`
	selectRefreshLocked  = `SELECT generation, used_at FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE`
	selectSessionLocked  = sessionColumns + `WHERE id = $1 FOR UPDATE`
	markRefreshUsed      = `UPDATE refresh_tokens SET used_at = $2 WHERE token_hash = $1`
	touchSession         = `UPDATE sessions SET last_seen_at = $2, expires_at = $3, device = $4, address = $5 WHERE id = $1`
	selectSessions       = sessionColumns + `
WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4`
	revokeSessions = `
UPDATE sessions SET revoked_at = $4, revoked_reason = $5
WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $4
  AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR id <> $3)
RETURNING id`
	selectRevoked = `SELECT id FROM sessions WHERE revoked_at > $1 ORDER BY revoked_at`
	selectLive    = sessionColumns + `WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2`
	seeSession    = `UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2`
)

func scanSession(row pgx.CollectableRow) (user.Session, error) {
	var v user.Session
	err := row.Scan(&v.ID, &v.UserID, &v.Device, &v.Address, &v.CreatedAt, &v.LastSeenAt, &v.ExpiresAt, &v.RevokedAt)
	return v, err
}

// Start implements user.Sessions. An account that was disabled or erased, or
// whose password or second factor changed, a moment ago gets no session.
func (s *Store) Start(ctx context.Context, v user.Session, u user.User, refresh []byte) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		n, err := s.exec(ctx, "start session", insertSession, v.ID, v.UserID, v.Device, v.Address, v.CreatedAt, v.LastSeenAt, v.ExpiresAt,
			u.PasswordHash, u.TwoFactor)
		if err != nil {
			return err
		}
		if n == 0 {
			return user.ErrInvalidCredentials
		}
		_, err = s.exec(ctx, "first refresh token", insertRefresh, refresh, v.ID, 1, v.CreatedAt)
		return err
	})
}

// Refresh implements user.Sessions.
func (s *Store) Refresh(ctx context.Context, r user.Refresh, decide func(user.RefreshToken) user.Outcome) (user.RefreshToken, user.Outcome, error) {
	var t user.RefreshToken
	outcome := user.Dead
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		if t, err = s.lockRefresh(ctx, r.Digest); err != nil {
			return err
		}
		outcome = decide(t)
		switch outcome {
		case user.Advance:
			return s.advance(ctx, r, t)
		case user.Reused:
			_, err := s.Revoke(ctx, user.Revocation{UserID: t.Session.UserID, Only: t.Session.ID, Reason: user.ReasonReuse, At: r.At})
			return err
		case user.Dead, user.Repeat:
		}
		return nil
	})
	if errors.Is(err, user.ErrRefreshInvalid) {
		return t, user.Dead, nil
	}
	return t, outcome, err
}

// lockRefresh answers user.ErrRefreshInvalid for a token that is not there.
func (s *Store) lockRefresh(ctx context.Context, digest []byte) (user.RefreshToken, error) {
	var t user.RefreshToken
	id, err := one(ctx, s, "find refresh token", user.ErrRefreshInvalid, pgx.RowTo[uuid.UUID], selectRefreshSession, digest)
	if err != nil {
		return t, err
	}
	if t.Session, err = one(ctx, s, "lock session", user.ErrRefreshInvalid, scanSession, selectSessionLocked, id); err != nil {
		return t, err
	}
	err = s.db.Conn(ctx).QueryRow(ctx, selectRefreshLocked, digest).Scan(&t.Generation, &t.UsedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, user.ErrRefreshInvalid
	}
	if err != nil {
		return t, fmt.Errorf("lock refresh token: %w", err)
	}
	return t, nil
}

func (s *Store) advance(ctx context.Context, r user.Refresh, t user.RefreshToken) error {
	batch := &pgx.Batch{}
	batch.Queue(markRefreshUsed, r.Digest, r.At)
	batch.Queue(insertRefresh, r.Successor, t.Session.ID, t.Generation+1, r.At)
	batch.Queue(touchSession, t.Session.ID, r.At, r.ExpiresAt(t.Session), r.Device, r.Address)
	if err := s.db.Conn(ctx).SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("rotate refresh token: %w", err)
	}
	return nil
}

// ListSessions implements user.Sessions.
func (s *Store) ListSessions(ctx context.Context, userID, before uuid.UUID, limit int, at time.Time) ([]user.Session, error) {
	return many(ctx, s, "list sessions", scanSession, selectSessions, userID, at, pg.NullID(before), limit)
}

// Revoke implements user.Sessions.
func (s *Store) Revoke(ctx context.Context, r user.Revocation) (int, error) {
	ids, err := many(ctx, s, "revoke sessions", pgx.RowTo[uuid.UUID], revokeSessions, r.UserID, pg.NullID(r.Only), pg.NullID(r.Except), r.At, r.Reason)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	pg.AfterCommit(ctx, func() { s.revoked(ids) })
	return len(ids), nil
}

// RevokedSince implements user.Sessions.
func (s *Store) RevokedSince(ctx context.Context, since time.Time) ([]uuid.UUID, error) {
	return many(ctx, s, "revoked sessions", pgx.RowTo[uuid.UUID], selectRevoked, since)
}

// seenEvery bounds how often a session's row is written for being in use.
const seenEvery = time.Minute

// Live gives the row of a session that has not ended and notes that it is in
// use; user.ErrSessionRevoked otherwise.
func (s *Store) Live(ctx context.Context, id uuid.UUID, at time.Time) (user.Session, error) {
	v, err := one(ctx, s, "live session", user.ErrSessionRevoked, scanSession, selectLive, id, at)
	if err == nil && at.Sub(v.LastSeenAt) > seenEvery {
		_, err = s.exec(ctx, "see session", seeSession, id, at)
	}
	return v, err
}
