package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/user/internal/keyring"
)

const (
	selectKeys = `SELECT id, public_key, private_key, created_at, active_at, expires_at FROM signing_keys ORDER BY active_at, id`
	lockKeys   = `SELECT pg_advisory_xact_lock(hashtextextended('user.signing_keys', 0))`
	insertKey  = `
INSERT INTO signing_keys (id, public_key, private_key, created_at, active_at) VALUES ($1, $2, $3, $4, $5)`
	expireKeys = `UPDATE signing_keys SET expires_at = $2 WHERE id <> $1 AND expires_at IS NULL`
	sweepKeys  = `DELETE FROM signing_keys WHERE expires_at < $1`
)

func scanKey(row pgx.CollectableRow) (keyring.Key, error) {
	var k keyring.Key
	err := row.Scan(&k.ID, &k.Public, &k.Sealed, &k.CreatedAt, &k.ActiveAt, &k.ExpiresAt)
	return k, err
}

// Keys implements keyring.Store.
func (s *Store) Keys(ctx context.Context) ([]keyring.Key, error) {
	return many(ctx, s, "signing keys", scanKey, selectKeys)
}

// Rotate implements keyring.Store.
func (s *Store) Rotate(ctx context.Context, decide func([]keyring.Key) (*keyring.Key, time.Time, error)) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.exec(ctx, "lock signing keys", lockKeys); err != nil {
			return err
		}
		keys, err := s.Keys(ctx)
		if err != nil {
			return err
		}
		next, othersExpire, err := decide(keys)
		if err != nil || next == nil {
			return err
		}
		if _, err := s.exec(ctx, "add signing key", insertKey, next.ID, next.Public, next.Sealed, next.CreatedAt, next.ActiveAt); err != nil {
			return err
		}
		_, err = s.exec(ctx, "expire signing keys", expireKeys, next.ID, othersExpire)
		return err
	})
}

// DropExpired implements keyring.Store.
func (s *Store) DropExpired(ctx context.Context, before time.Time) error {
	_, err := s.exec(ctx, "drop signing keys", sweepKeys, before)
	return err
}
