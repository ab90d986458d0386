package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

const addressColumns = `
SELECT id, user_id, coalesce(label, ''), coalesce(recipient, ''), coalesce(line1, ''), coalesce(line2, ''), coalesce(city, ''),
       coalesce(region, ''), coalesce(postal_code, ''), coalesce(country, ''), coalesce(phone, ''), is_default_shipping,
       is_default_billing, version, created_at, updated_at, deleted_at
FROM user_addresses `

const (
	// The account's row is locked first, so that two new defaults of one account
	// come one after the other.
	lockUser       = `SELECT status = 'active' FROM users WHERE id = $1 FOR UPDATE`
	countAddresses = `SELECT count(*) FROM user_addresses WHERE user_id = $1 AND deleted_at IS NULL`
	insertAddress  = `
INSERT INTO user_addresses (id, user_id, label, recipient, line1, line2, city, region, postal_code, country, phone,
    is_default_shipping, is_default_billing, version, created_at, updated_at)
VALUES ($1, $2, nullif($3, ''), $4, $5, nullif($6, ''), $7, nullif($8, ''), $9, $10, nullif($11, ''), $12, $13, $14, $15, $16)`
	updateAddress = `
UPDATE user_addresses SET label = nullif($3, ''), recipient = $4, line1 = $5, line2 = nullif($6, ''), city = $7, region = nullif($8, ''),
    postal_code = $9, country = $10, phone = nullif($11, ''), is_default_shipping = $12, is_default_billing = $13,
    version = version + 1, updated_at = $14, deleted_at = $15
WHERE user_id = $1 AND id = $2 RETURNING version`
	clearShipping = `
UPDATE user_addresses SET is_default_shipping = false, version = version + 1, updated_at = $3
WHERE user_id = $1 AND id <> $2 AND is_default_shipping`
	clearBilling = `
UPDATE user_addresses SET is_default_billing = false, version = version + 1, updated_at = $3
WHERE user_id = $1 AND id <> $2 AND is_default_billing`
	selectAddress   = addressColumns + `WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL`
	selectAddresses = addressColumns + `
WHERE user_id = $1 AND deleted_at IS NULL AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3`
	lookUpAddresses    = addressColumns + `WHERE user_id = $1 AND id = ANY($2) AND deleted_at IS NULL ORDER BY id`
	selectAllAddresses = addressColumns + `WHERE user_id = $1 ORDER BY id`
)

func scanAddress(row pgx.CollectableRow) (user.Address, error) {
	var a user.Address
	err := row.Scan(&a.ID, &a.UserID, &a.Label, &a.Recipient, &a.Line1, &a.Line2, &a.City, &a.Region, &a.PostalCode, &a.Country,
		&a.Phone, &a.IsDefaultShipping, &a.IsDefaultBilling, &a.Version, &a.CreatedAt, &a.UpdatedAt, &a.DeletedAt)
	return a, err
}

// AddAddress implements user.Addresses.
func (s *Store) AddAddress(ctx context.Context, a user.Address) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.lockActive(ctx, a.UserID); err != nil {
			return err
		}
		n, err := one(ctx, s, "count addresses", nil, pgx.RowTo[int], countAddresses, a.UserID)
		if err != nil {
			return err
		}
		if n >= user.MaxAddresses {
			return user.ErrTooManyAddresses
		}
		if err := s.clearDefaults(ctx, a); err != nil {
			return err
		}
		_, err = s.exec(ctx, "add address", insertAddress, a.ID, a.UserID, a.Label, a.Recipient, a.Line1, a.Line2, a.City, a.Region,
			a.PostalCode, a.Country, a.Phone, a.IsDefaultShipping, a.IsDefaultBilling, a.Version, a.CreatedAt, a.UpdatedAt)
		return err
	})
}

// lockActive refuses an account that was disabled or erased a moment ago.
func (s *Store) lockActive(ctx context.Context, userID uuid.UUID) error {
	active, err := one(ctx, s, "lock account", user.ErrUserNotFound, pgx.RowTo[bool], lockUser, userID)
	if err == nil && !active {
		return user.ErrSessionRevoked
	}
	return err
}

func (s *Store) clearDefaults(ctx context.Context, a user.Address) error {
	if a.IsDefaultShipping {
		if _, err := s.exec(ctx, "clear default shipping", clearShipping, a.UserID, a.ID, a.UpdatedAt); err != nil {
			return err
		}
	}
	if a.IsDefaultBilling {
		if _, err := s.exec(ctx, "clear default billing", clearBilling, a.UserID, a.ID, a.UpdatedAt); err != nil {
			return err
		}
	}
	return nil
}

// FindAddress implements user.Addresses.
func (s *Store) FindAddress(ctx context.Context, userID, id uuid.UUID) (user.Address, error) {
	return one(ctx, s, "find address", user.ErrAddressNotFound, scanAddress, selectAddress, userID, id)
}

// UpdateAddress implements user.Addresses. The lock is the account's, since
// other addresses may lose their default.
func (s *Store) UpdateAddress(ctx context.Context, userID, id uuid.UUID, fn func(*user.Address) error) (user.Address, error) {
	var a user.Address
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.lockActive(ctx, userID); err != nil {
			return err
		}
		var err error
		if a, err = s.FindAddress(ctx, userID, id); err != nil {
			return err
		}
		if err := fn(&a); err != nil {
			return err
		}
		if err := s.clearDefaults(ctx, a); err != nil {
			return err
		}
		row := s.db.Conn(ctx).QueryRow(ctx, updateAddress, userID, id, a.Label, a.Recipient, a.Line1, a.Line2, a.City, a.Region,
			a.PostalCode, a.Country, a.Phone, a.IsDefaultShipping, a.IsDefaultBilling, a.UpdatedAt, a.DeletedAt)
		if err := row.Scan(&a.Version); err != nil {
			return fmt.Errorf("save address: %w", err)
		}
		return nil
	})
	return a, err
}

// ListAddresses implements user.Addresses.
func (s *Store) ListAddresses(ctx context.Context, userID, after uuid.UUID, limit int) ([]user.Address, error) {
	return many(ctx, s, "list addresses", scanAddress, selectAddresses, userID, pg.NullID(after), limit)
}

// LookUp implements user.Addresses.
func (s *Store) LookUp(ctx context.Context, userID uuid.UUID, ids []uuid.UUID) ([]user.Address, error) {
	return many(ctx, s, "look up addresses", scanAddress, lookUpAddresses, userID, ids)
}
