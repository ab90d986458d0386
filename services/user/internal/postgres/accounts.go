package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

const userColumns = `
SELECT u.id, coalesce(u.email, ''), coalesce(u.email_normalized, ''), u.email_verified, coalesce(u.password_hash, ''),
       coalesce(u.first_name, ''), coalesce(u.last_name, ''), coalesce(u.locale, ''), u.status, u.version, u.created_at, u.updated_at,
       ARRAY(SELECT r.code FROM user_role_mapping m JOIN user_roles r ON r.id = m.role_id WHERE m.user_id = u.id ORDER BY r.code),
       u.two_factor, coalesce((SELECT cardinality(f.recovery_codes) FROM second_factors f WHERE f.user_id = u.id), 0)
FROM users u `

const (
	selectUser        = userColumns + `WHERE u.id = $1`
	selectUsersByID   = userColumns + `WHERE u.id = ANY($1)`
	selectUserByEmail = userColumns + `WHERE u.email_normalized = $1`
	selectUserLocked  = userColumns + `WHERE u.id = $1 FOR UPDATE OF u`
	selectUsers       = userColumns + `
WHERE ($1 = '' OR u.email_normalized ILIKE $1 OR u.email ILIKE $1 OR u.first_name || ' ' || u.last_name ILIKE $1)
  AND ($2::uuid IS NULL OR u.id < $2) ORDER BY u.id DESC LIMIT $3`
	insertUser = `
INSERT INTO users (id, email, email_normalized, email_verified, password_hash, first_name, last_name, locale, status, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT ON CONSTRAINT users_email_normalized_key DO NOTHING`
	updateUser = `
UPDATE users SET email = nullif($2, ''), email_normalized = nullif($3, ''), email_verified = $4, password_hash = nullif($5, ''),
       first_name = nullif($6, ''), last_name = nullif($7, ''), locale = nullif($8, ''), status = $9, two_factor = $10, version = version + 1,
       updated_at = clock_timestamp()
WHERE id = $1 RETURNING version, updated_at`
	insertRoles = `
INSERT INTO user_role_mapping (user_id, role_id, granted_at)
SELECT $1, id, clock_timestamp() FROM user_roles WHERE code = ANY($2)
ON CONFLICT ON CONSTRAINT user_role_mapping_pkey DO NOTHING`
	deleteRoles = `
DELETE FROM user_role_mapping m USING user_roles r WHERE r.id = m.role_id AND m.user_id = $1 AND r.code <> ALL($2)`
	insertVerification = `
INSERT INTO email_verification_tokens (id, user_id, token_hash, created_at, expires_at, email, email_normalized)
VALUES ($1, $2, $3, $4, $5, nullif($6, ''), nullif($7, ''))`

	lockAdministration = `SELECT pg_advisory_xact_lock(hashtextextended('user.administration', 0))`
	countOtherAdmins   = `
SELECT count(*) FROM users u JOIN user_role_mapping m ON m.user_id = u.id JOIN user_roles r ON r.id = m.role_id
WHERE r.code = 'admin' AND u.status = 'active' AND u.id <> $1`
)

func scanUser(row pgx.CollectableRow) (user.User, error) {
	var u user.User
	err := row.Scan(&u.ID, &u.Email.Typed, &u.Email.Normal, &u.EmailVerified, &u.PasswordHash, &u.FirstName, &u.LastName,
		&u.Locale, &u.Status, &u.Version, &u.CreatedAt, &u.UpdatedAt, &u.Roles, &u.TwoFactor, &u.RecoveryCodes)
	return u, err
}

// Add implements user.Accounts.
func (s *Store) Add(ctx context.Context, u user.User, verification user.OneTime, evs ...events.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		// A conflict is no error of the statement: PostgreSQL would log that with the address in it.
		n, err := s.exec(ctx, "add account", insertUser, u.ID, u.Email.Typed, u.Email.Normal, u.EmailVerified, u.PasswordHash,
			u.FirstName, u.LastName, u.Locale, u.Status, u.Version, u.CreatedAt, u.UpdatedAt)
		if err != nil {
			return err
		}
		if n == 0 {
			return user.ErrEmailTaken
		}
		batch := &pgx.Batch{}
		batch.Queue(insertRoles, u.ID, u.Roles)
		batch.Queue(insertVerification, verification.ID, u.ID, verification.Digest, verification.CreatedAt, verification.ExpiresAt, "", "")
		if err := s.db.Conn(ctx).SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("add account: %w", domainError(err))
		}
		return s.box.Append(ctx, evs...)
	})
}

// Find implements user.Accounts.
func (s *Store) Find(ctx context.Context, id uuid.UUID) (user.User, error) {
	return one(ctx, s, "find account", user.ErrUserNotFound, scanUser, selectUser, id)
}

// FindAll implements user.Accounts.
func (s *Store) FindAll(ctx context.Context, ids []uuid.UUID) ([]user.User, error) {
	return many(ctx, s, "find accounts", scanUser, selectUsersByID, ids)
}

// FindByEmail implements user.Accounts.
func (s *Store) FindByEmail(ctx context.Context, normal string) (user.User, error) {
	return one(ctx, s, "find account by email", user.ErrUserNotFound, scanUser, selectUserByEmail, normal)
}

// Update implements user.Accounts. An account that fn left as it was is not
// written, so that its version stays.
func (s *Store) Update(ctx context.Context, id uuid.UUID, fn func(*user.User) ([]events.Event, error)) (user.User, error) {
	var u user.User
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		before, err := one(ctx, s, "lock account", user.ErrUserNotFound, scanUser, selectUserLocked, id)
		if err != nil {
			return err
		}
		u = before
		u.Roles = slices.Clone(before.Roles)
		evs, err := fn(&u)
		if err != nil || sameUser(before, u) {
			return err
		}
		if err := s.save(ctx, &u, !slices.Equal(before.Roles, u.Roles)); err != nil {
			return err
		}
		return s.box.Append(ctx, evs...)
	})
	return u, err
}

// sameUser counts recovery codes too, though they are in a row of their own:
// the version stands for all that is read of an account.
func sameUser(a, b user.User) bool {
	sameRoles := slices.Equal(a.Roles, b.Roles)
	return sameRoles && a.Email == b.Email && a.EmailVerified == b.EmailVerified && a.PasswordHash == b.PasswordHash &&
		a.FirstName == b.FirstName && a.LastName == b.LastName && a.Locale == b.Locale && a.Status == b.Status &&
		a.TwoFactor == b.TwoFactor && a.RecoveryCodes == b.RecoveryCodes
}

func (s *Store) save(ctx context.Context, u *user.User, roles bool) error {
	row := s.db.Conn(ctx).QueryRow(ctx, updateUser, u.ID, u.Email.Typed, u.Email.Normal, u.EmailVerified, u.PasswordHash,
		u.FirstName, u.LastName, u.Locale, u.Status, u.TwoFactor)
	if err := row.Scan(&u.Version, &u.UpdatedAt); err != nil {
		return fmt.Errorf("save account: %w", domainError(err))
	}
	if !roles {
		return nil
	}
	codes := append([]string{}, u.Roles...) // never null: <> ALL(null) would keep every role
	if _, err := s.exec(ctx, "drop roles", deleteRoles, u.ID, codes); err != nil {
		return err
	}
	_, err := s.exec(ctx, "grant roles", insertRoles, u.ID, codes)
	return err
}

// List implements user.Accounts.
func (s *Store) List(ctx context.Context, query string, before uuid.UUID, limit int) ([]user.User, error) {
	pattern := ""
	if query != "" {
		pattern = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(query) + "%"
	}
	return many(ctx, s, "list accounts", scanUser, selectUsers, pattern, pg.NullID(before), limit)
}

// OtherAdmins implements user.Administration.
func (s *Store) OtherAdmins(ctx context.Context, id uuid.UUID) (int, error) {
	if _, err := s.exec(ctx, "lock administration", lockAdministration); err != nil {
		return 0, err
	}
	return one(ctx, s, "count administrators", nil, pgx.RowTo[int], countOtherAdmins, id)
}
