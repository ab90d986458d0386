package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// ProjectionAlerts is the part of the queue with products whose alerts are due.
const ProjectionAlerts = "alerts"

const (
	// The share lock keeps the product from coming into stock between the look and
	// the insert: whoever brings it back sees the alert.
	lookAtStock = `SELECT on_hand - held - reserved > 0 FROM product_inventory WHERE product_id = $1 FOR SHARE`
	insertAlert = `
INSERT INTO stock_alerts (product_id, user_id)
SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM erased_users WHERE user_id = $2)
ON CONFLICT ON CONSTRAINT stock_alerts_pkey DO NOTHING`
	selectAlert = `SELECT created_at FROM stock_alerts WHERE product_id = $1 AND user_id = $2`
	deleteAlert = `DELETE FROM stock_alerts WHERE product_id = $1 AND user_id = $2`
	alertsOf    = `SELECT product_id, user_id, created_at FROM stock_alerts WHERE user_id = $1 ORDER BY product_id`
	forgetAlert = `DELETE FROM stock_alerts WHERE user_id = $1`
)

const takeAlerts = `
DELETE FROM stock_alerts WHERE product_id = $1 AND user_id IN (
    SELECT user_id FROM stock_alerts WHERE product_id = $1 ORDER BY user_id LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING user_id`

// AddAlert implements product.AlertStore.
func (s *Catalogue) AddAlert(ctx context.Context, productID, userID uuid.UUID) (a product.Alert, isNew bool, err error) {
	a = product.Alert{ProductID: productID, UserID: userID}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Conn(ctx).Exec(ctx, lockUser, userID); err != nil {
			return fmt.Errorf("lock user: %w", err)
		}
		var inStock bool
		err := s.db.Conn(ctx).QueryRow(ctx, lookAtStock, productID).Scan(&inStock)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return product.ErrNotFound
		case err != nil:
			return fmt.Errorf("look at stock: %w", err)
		case inStock:
			return product.ErrInStock
		}
		tag, err := s.db.Conn(ctx).Exec(ctx, insertAlert, productID, userID)
		if err != nil {
			return refusal(err, "insert alert")
		}
		isNew = tag.RowsAffected() == 1
		err = s.db.Conn(ctx).QueryRow(ctx, selectAlert, productID, userID).Scan(&a.CreatedAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return product.ErrUserErased
		}
		a.CreatedAt = a.CreatedAt.UTC()
		return err
	})
	return a, isNew, err
}

// RemoveAlert implements product.AlertStore.
func (s *Catalogue) RemoveAlert(ctx context.Context, productID, userID uuid.UUID) error {
	if _, err := s.db.Conn(ctx).Exec(ctx, deleteAlert, productID, userID); err != nil {
		return fmt.Errorf("delete alert: %w", err)
	}
	return nil
}

// AlertsOf gives all alerts of a user, for the export of personal data.
func (s *Catalogue) AlertsOf(ctx context.Context, userID uuid.UUID) ([]product.Alert, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, alertsOf, userID)
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (a product.Alert, err error) {
		err = row.Scan(&a.ProductID, &a.UserID, &a.CreatedAt)
		a.CreatedAt = a.CreatedAt.UTC()
		return a, err
	})
}

// alertBatch bounds the events of one transaction; a product that more wait for
// takes another turn.
const alertBatch = 200

// TellWaiting turns the alerts of products that are back in stock into events,
// inside the transaction of ctx. What sold out again in between waits on.
func (s *Catalogue) TellWaiting(ctx context.Context, ids []uuid.UUID) error {
	ps, err := s.Products(ctx, ids)
	if err != nil {
		return err
	}
	// The outbox locks a counter row a product: in one order for everybody.
	slices.SortFunc(ps, func(a, b product.Product) int { return slices.Compare(a.ID[:], b.ID[:]) })
	left := alertBatch
	for _, p := range ps {
		if !p.InStock || p.Status != product.Active {
			continue
		}
		users, err := s.takeAlerts(ctx, p.ID, max(left, 1))
		if err != nil {
			return err
		}
		left -= len(users)
		evs := make([]events.Event, len(users))
		for i, user := range users {
			evs[i] = &events.ProductBackInStock{ProductID: p.ID, SKU: p.SKU, Name: p.Name, Version: p.Version, UserID: user}
		}
		if err := s.box.Append(ctx, evs...); err != nil {
			return err
		}
		if len(users) > 0 { // there may be more
			if err := NewProjections(s.db).Mark(ctx, []uuid.UUID{p.ID}, ProjectionAlerts); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Catalogue) takeAlerts(ctx context.Context, productID uuid.UUID, limit int) ([]uuid.UUID, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, takeAlerts, productID, limit)
	if err != nil {
		return nil, fmt.Errorf("take alerts: %w", err)
	}
	users, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("take alerts: %w", err)
	}
	return users, nil
}
