package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

const (
	// Every write of one user's methods takes this lock first.
	lockWallet = `SELECT pg_advisory_xact_lock(hashtextextended('saved methods ' || $1::text, 0))`

	savedColumns = `id, user_id, provider_method_id, brand, last4, exp_month, exp_year, is_default, version, created_at, updated_at`
	selectSaved  = `SELECT ` + savedColumns + ` FROM user_saved_payment_methods WHERE user_id = $1 ORDER BY id`
	savedByID    = `SELECT ` + savedColumns + ` FROM user_saved_payment_methods WHERE user_id = $1 AND id = $2`
	savedByToken = `SELECT ` + savedColumns + ` FROM user_saved_payment_methods WHERE user_id = $1 AND provider_method_id = $2`
	countSaved   = `SELECT count(*) FROM user_saved_payment_methods WHERE user_id = $1`
	insertSaved  = `
INSERT INTO user_saved_payment_methods (id, user_id, payment_method_id, provider_method_id, brand, last4, exp_month, exp_year,
    is_default, version, created_at, updated_at)
SELECT $1, $2, m.id, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM payment_methods m WHERE m.code = $12`
	insertCustomer = `
INSERT INTO provider_customers (user_id, provider_customer_id) VALUES ($1, $2)
ON CONFLICT ON CONSTRAINT provider_customers_pkey DO UPDATE SET provider_customer_id = excluded.provider_customer_id`
	selectCustomer = `SELECT provider_customer_id FROM provider_customers WHERE user_id = $1`
	clearDefault   = `
UPDATE user_saved_payment_methods SET is_default = false, version = version + 1, updated_at = now()
WHERE user_id = $1 AND is_default AND id <> $2`
	makeDefault = `
UPDATE user_saved_payment_methods SET is_default = true, version = version + 1, updated_at = now()
WHERE user_id = $1 AND id = $2 AND NOT is_default`
	deleteSaved = `DELETE FROM user_saved_payment_methods WHERE user_id = $1 AND id = $2 RETURNING provider_method_id, is_default`
	latestSaved = `SELECT id FROM user_saved_payment_methods WHERE user_id = $1 ORDER BY id DESC LIMIT 1`
	// A method that another account saved too stays attached.
	insertDetach = `
INSERT INTO method_detachments (provider_method_id)
SELECT $1::text WHERE NOT EXISTS (SELECT FROM user_saved_payment_methods WHERE provider_method_id = $1)
ON CONFLICT ON CONSTRAINT method_detachments_pkey DO NOTHING`
	cancelDetach = `DELETE FROM method_detachments WHERE provider_method_id = $1`
)

// mostSaved bounds what one account may keep.
const mostSaved = 20

func scanSaved(row pgx.CollectableRow) (payment.SavedMethod, error) {
	var m payment.SavedMethod
	err := row.Scan(&m.ID, &m.UserID, &m.ProviderID, &m.Brand, &m.Last4, &m.ExpMonth, &m.ExpYear, &m.Default, &m.Version,
		utc{&m.CreatedAt}, utc{&m.UpdatedAt})
	return m, err
}

func (s *Store) lockWallet(ctx context.Context, user uuid.UUID) error {
	if _, err := s.db.Conn(ctx).Exec(ctx, lockWallet, user); err != nil {
		return fmt.Errorf("lock saved methods: %w", err)
	}
	return nil
}

// Save implements payment.Wallet.
func (s *Store) Save(ctx context.Context, m payment.SavedMethod, customer string) (saved payment.SavedMethod, isNew bool, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.lockWallet(ctx, m.UserID); err != nil {
			return err
		}
		saved, err = one(ctx, s, scanSaved, payment.ErrSavedMethodUnknown, savedByToken, m.UserID, m.ProviderID)
		if !errors.Is(err, payment.ErrSavedMethodUnknown) {
			return err
		}
		var n int
		if err := s.db.Conn(ctx).QueryRow(ctx, countSaved, m.UserID).Scan(&n); err != nil {
			return fmt.Errorf("count saved methods: %w", err)
		}
		if n >= mostSaved {
			return payment.ErrTooManyMethods
		}
		m.Default, isNew, saved = n == 0, true, m
		saved.Default = n == 0
		return s.insertSaved(ctx, saved, customer)
	})
	return saved, isNew, err
}

func (s *Store) insertSaved(ctx context.Context, m payment.SavedMethod, customer string) error {
	batch := &pgx.Batch{}
	batch.Queue(insertSaved, m.ID, m.UserID, m.ProviderID, m.Brand, m.Last4, m.ExpMonth, m.ExpYear, m.Default, m.Version,
		m.CreatedAt, m.UpdatedAt, payment.KindCard)
	batch.Queue(cancelDetach, m.ProviderID)
	if customer != "" {
		batch.Queue(insertCustomer, m.UserID, customer)
	}
	if err := s.db.Conn(ctx).SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("insert saved method: %w", err)
	}
	return nil
}

// Saved implements payment.Wallet.
func (s *Store) Saved(ctx context.Context, user uuid.UUID) ([]payment.SavedMethod, error) {
	return many(ctx, s, scanSaved, selectSaved, user)
}

// Means implements payment.Wallet.
func (s *Store) Means(ctx context.Context, user, id uuid.UUID) (payment.Means, error) {
	m, err := one(ctx, s, scanSaved, payment.ErrMethodUnknown, savedByID, user, id)
	if err != nil {
		return payment.Means{}, err
	}
	customer, err := s.Customer(ctx, user)
	return payment.Means{Kind: payment.KindCard, Token: m.ProviderID, Customer: customer, SavedID: m.ID}, err
}

// SetDefault implements payment.Wallet.
func (s *Store) SetDefault(ctx context.Context, user, id uuid.UUID) (m payment.SavedMethod, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.lockWallet(ctx, user); err != nil {
			return err
		}
		if _, err := one(ctx, s, scanSaved, payment.ErrSavedMethodUnknown, savedByID, user, id); err != nil {
			return err
		}
		if err := s.setDefault(ctx, user, id); err != nil {
			return err
		}
		m, err = one(ctx, s, scanSaved, payment.ErrSavedMethodUnknown, savedByID, user, id)
		return err
	})
	return m, err
}

func (s *Store) setDefault(ctx context.Context, user, id uuid.UUID) error {
	batch := &pgx.Batch{}
	batch.Queue(clearDefault, user, id)
	batch.Queue(makeDefault, user, id)
	if err := s.db.Conn(ctx).SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("set default method: %w", err)
	}
	return nil
}

// Remove implements payment.Wallet. The newest that is left becomes the default.
func (s *Store) Remove(ctx context.Context, user, id uuid.UUID) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.lockWallet(ctx, user); err != nil {
			return err
		}
		var provider string
		var wasDefault bool
		err := s.db.Conn(ctx).QueryRow(ctx, deleteSaved, user, id).Scan(&provider, &wasDefault)
		if errors.Is(err, pgx.ErrNoRows) {
			return payment.ErrSavedMethodUnknown
		}
		if err != nil {
			return fmt.Errorf("delete saved method: %w", err)
		}
		if _, err := s.db.Conn(ctx).Exec(ctx, insertDetach, provider); err != nil {
			return fmt.Errorf("note detachment: %w", err)
		}
		if !wasDefault {
			return nil
		}
		heir, err := one(ctx, s, pgx.RowTo[uuid.UUID], payment.ErrSavedMethodUnknown, latestSaved, user)
		if errors.Is(err, payment.ErrSavedMethodUnknown) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.setDefault(ctx, user, heir)
	})
}
