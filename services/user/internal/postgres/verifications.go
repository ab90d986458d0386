package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

const verificationFields = `id, user_id, token_hash, created_at, expires_at, used_at,
       coalesce(email, ''), coalesce(email_normalized, ''), coalesce(former_email, '')`

const (
	selectVerification       = `SELECT ` + verificationFields + ` FROM email_verification_tokens WHERE user_id = $1 AND id = $2`
	selectNewestVerification = `
SELECT ` + verificationFields + ` FROM email_verification_tokens WHERE user_id = $1 AND email IS NULL ORDER BY id DESC LIMIT 1`
	selectAllVerifications = `SELECT ` + verificationFields + ` FROM email_verification_tokens WHERE user_id = $1 ORDER BY id`
	selectVerificationUser = `SELECT user_id FROM email_verification_tokens WHERE token_hash = $1`
	// The account is locked, so its address is the one that the new one replaces.
	useVerification = `
UPDATE email_verification_tokens SET used_at = $2,
       former_email = CASE WHEN email IS NOT NULL THEN (SELECT u.email FROM users u WHERE u.id = user_id) END
WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING ` + verificationFields
	endEmailChanges = `
UPDATE email_verification_tokens SET used_at = $2 WHERE user_id = $1 AND email IS NOT NULL AND used_at IS NULL`
)

func scanVerification(row pgx.CollectableRow) (user.Verification, error) {
	var v user.Verification
	err := row.Scan(&v.ID, &v.UserID, &v.Digest, &v.CreatedAt, &v.ExpiresAt, &v.UsedAt, &v.Email.Typed, &v.Email.Normal, &v.Former)
	return v, err
}

// AddVerification implements user.Verifications.
func (s *Store) AddVerification(ctx context.Context, v user.Verification, evs ...events.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		active, err := one(ctx, s, "lock account", user.ErrUserNotFound, pgx.RowTo[bool], lockUser, v.UserID)
		if err != nil {
			return err
		}
		if !active {
			return user.ErrUserNotFound
		}
		if v.Email.Normal != "" {
			if err := s.EndEmailChanges(ctx, v.UserID, v.CreatedAt); err != nil {
				return err
			}
		}
		if _, err := s.exec(ctx, "store verification", insertVerification, v.ID, v.UserID, v.Digest, v.CreatedAt, v.ExpiresAt,
			v.Email.Typed, v.Email.Normal); err != nil {
			return err
		}
		return s.box.Append(ctx, evs...)
	})
}

// FindVerification implements user.Verifications.
func (s *Store) FindVerification(ctx context.Context, userID, id uuid.UUID) (user.Verification, bool, error) {
	sql, args := selectVerification, []any{userID, id}
	if id == uuid.Nil {
		sql, args = selectNewestVerification, []any{userID}
	}
	v, err := one(ctx, s, "find verification", user.ErrVerificationToken, scanVerification, sql, args...)
	if errors.Is(err, user.ErrVerificationToken) {
		return v, false, nil
	}
	if err != nil {
		return v, false, fmt.Errorf("verification: %w", err)
	}
	return v, true, nil
}

// UseVerification implements user.Verifications.
func (s *Store) UseVerification(ctx context.Context, digest []byte, at time.Time) (user.Verification, error) {
	var v user.Verification
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.lockOwner(ctx, selectVerificationUser, digest, user.ErrVerificationToken)
		if err != nil {
			return err
		}
		v, err = one(ctx, s, "use verification", user.ErrVerificationToken, scanVerification, useVerification, digest, at)
		if err != nil || v.Email.Normal == "" {
			return err
		}
		_, err = s.exec(ctx, "end resets", useOtherResets, v.UserID, at)
		return err
	})
	return v, err
}

// EndEmailChanges implements user.Verifications.
func (s *Store) EndEmailChanges(ctx context.Context, userID uuid.UUID, at time.Time) error {
	_, err := s.exec(ctx, "end changes of address", endEmailChanges, userID, at)
	return err
}
