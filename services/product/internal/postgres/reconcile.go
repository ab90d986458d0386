package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

// Drift is a product whose counters are not the sums of its movements.
type Drift struct {
	ProductID        uuid.UUID
	Counters, Ledger stock.Counters
}

const selectDrift = `
SELECT i.product_id, i.on_hand, i.held, i.reserved, coalesce(m.on_hand, 0), coalesce(m.held, 0), coalesce(m.reserved, 0)
FROM product_inventory i
LEFT JOIN (SELECT product_id, sum(on_hand_delta)::bigint AS on_hand, sum(held_delta)::bigint AS held, sum(reserved_delta)::bigint AS reserved
           FROM inventory_movements GROUP BY product_id) m ON m.product_id = i.product_id
WHERE (i.on_hand, i.held, i.reserved) IS DISTINCT FROM (coalesce(m.on_hand, 0), coalesce(m.held, 0), coalesce(m.reserved, 0))
ORDER BY i.product_id`

// LedgerDrift recomputes every counter from the ledger, in one snapshot.
func (s *Catalogue) LedgerDrift(ctx context.Context) ([]Drift, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, selectDrift)
	if err != nil {
		return nil, fmt.Errorf("sum ledger: %w", err)
	}
	drifts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d Drift, err error) {
		err = row.Scan(&d.ProductID, &d.Counters.OnHand, &d.Counters.Held, &d.Counters.Reserved, &d.Ledger.OnHand, &d.Ledger.Held, &d.Ledger.Reserved)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("sum ledger: %w", err)
	}
	return drifts, nil
}

// Only a change of a fifth is worth a new document: popularity is a gentle hint.
const refreshPopularity = `
WITH sold AS (
    SELECT product_id, sum(reserved_delta)::bigint AS units FROM inventory_movements
    WHERE kind = 'reserve' AND created_at > now() - interval '90 days' GROUP BY product_id),
changed AS (
    UPDATE products p SET popularity = s.units, revision = revision + 1, changed_at = now()
    FROM (SELECT p2.id, coalesce(sold.units, 0) AS units FROM products p2 LEFT JOIN sold ON sold.product_id = p2.id
          WHERE abs(p2.popularity - coalesce(sold.units, 0)) > p2.popularity / 5 ORDER BY p2.id FOR NO KEY UPDATE OF p2) s
    WHERE p.id = s.id RETURNING p.id)
INSERT INTO projection_queue (projection, product_id)
SELECT v.projection, id FROM changed CROSS JOIN (VALUES ('search'), ('cache')) AS v (projection)`

// RefreshPopularity counts the units ordered within 90 days.
func (s *Catalogue) RefreshPopularity(ctx context.Context) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		batch := &pgx.Batch{}
		batch.Queue(lockTree)
		batch.Queue(refreshPopularity)
		if err := send(ctx, s.db, batch); err != nil {
			return fmt.Errorf("refresh popularity: %w", err)
		}
		return nil
	})
}

// Under the row's lock nobody else moves stock of the product, so that its sums
// are final. A ledger that the constraints refuse is left for staff.
const (
	lockCounters = `SELECT 1 FROM product_inventory WHERE product_id = $1 FOR UPDATE`
	followLedger = `
UPDATE product_inventory i SET on_hand = m.on_hand, held = m.held, reserved = m.reserved
FROM (SELECT coalesce(sum(on_hand_delta), 0)::bigint AS on_hand, coalesce(sum(held_delta), 0)::bigint AS held,
             coalesce(sum(reserved_delta), 0)::bigint AS reserved
      FROM inventory_movements WHERE product_id = $1) m
WHERE i.product_id = $1`
)

// FollowLedger sets a product's counters to the sums of its movements: each
// movement is a decision that was taken, the counters are only their sum.
func (s *Catalogue) FollowLedger(ctx context.Context, product uuid.UUID) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Conn(ctx).Exec(ctx, lockCounters, product); err != nil {
			return err
		}
		_, err := s.db.Conn(ctx).Exec(ctx, followLedger, product)
		return err
	})
	if err != nil {
		return fmt.Errorf("set counters of %s by the ledger: %w", product, err)
	}
	return nil
}
