package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

// Stock keeps counters, ledger and holds. Rows are always locked in one order:
// the hold, then inventory rows by product id, then the outbox's counter rows
// (product keys by id, then the order's), so that no two orders deadlock.
type Stock struct {
	db        *pg.DB
	box       *outbox.Box
	committed func(ids []uuid.UUID)
}

// NewStock makes the store. committed, when not nil, hears after the commit of
// products that came into stock or went out of it; it must not block.
func NewStock(db *pg.DB, box *outbox.Box, committed func(ids []uuid.UUID)) *Stock {
	return &Stock{db: db, box: box, committed: committed}
}

var _ stock.Store = (*Stock)(nil)

const insertHold = `
INSERT INTO holds (order_id, user_id, state, cancelled, expires_at, due_at)
VALUES ($1, $2, $3, $4, now() + $5::interval, now() + $5::interval)
ON CONFLICT ON CONSTRAINT holds_pkey DO NOTHING
RETURNING expires_at`

const (
	selectHold = `SELECT user_id, state, cancelled, expires_at FROM holds WHERE order_id = $1`
	lockHold   = selectHold + ` FOR UPDATE`
)

const selectHoldLines = `
SELECT product_id, quantity, sku, name, price_amount, price_currency, tax_class
FROM hold_lines WHERE order_id = $1 ORDER BY product_id`

const itemColumns = `
SELECT i.product_id, i.on_hand, i.held, i.reserved, p.sku, p.name, p.price_amount, p.price_currency, p.tax_class, p.status, p.version
FROM product_inventory i JOIN products p ON p.id = i.product_id `

const lockItems = itemColumns + `WHERE i.product_id = ANY($1) ORDER BY i.product_id FOR NO KEY UPDATE OF i`

const selectItems = itemColumns + `WHERE i.product_id = ANY($1)`

// The guard repeats what the decision saw under the lock; the CHECK constraints
// stand behind it.
const (
	moveInventory = moveUnguarded + `
  AND i.on_hand + d.on_hand - i.held - d.held - i.reserved - d.reserved >= 0`

	moveUnguarded = `
UPDATE product_inventory i
SET on_hand = i.on_hand + d.on_hand, held = i.held + d.held, reserved = i.reserved + d.reserved,
    flips = i.flips + d.flip, flipped_at = CASE WHEN d.flip > 0 THEN now() ELSE i.flipped_at END
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS d (product_id, on_hand, held, reserved, flip)
WHERE i.product_id = d.product_id`
)

const insertMovements = `
INSERT INTO inventory_movements (product_id, kind, on_hand_delta, held_delta, reserved_delta, order_id, actor, reason)
SELECT d.product_id, d.kind, d.on_hand, d.held, d.reserved, nullif(d.order_id, '00000000-0000-0000-0000-000000000000'), $7, $8
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[]) AS d (product_id, kind, on_hand, held, reserved, order_id)`

const insertHoldLines = `
INSERT INTO hold_lines (order_id, product_id, quantity, sku, name, price_amount, price_currency, tax_class)
SELECT d.order_id, d.product_id, d.quantity, d.sku, d.name, d.amount, d.currency, d.tax_class
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[])
     AS d (order_id, product_id, quantity, sku, name, amount, currency, tax_class)`

const updateHold = `
UPDATE holds SET state = $2, cancelled = $3, updated_at = now(), due_at = CASE WHEN $2 = 'held' THEN due_at END
WHERE order_id = $1`

const claimDue = `
UPDATE holds SET due_at = now() + $2::interval WHERE order_id IN (
    SELECT order_id FROM holds WHERE state = 'held' AND due_at <= now()
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING order_id`

// keepPlans goes before statements on arrays of ids, and is in force until the
// transaction ends: the planner, which sees how few they are, would plan anew each
// time, for longer than they run.
const keepPlans = `SELECT set_config('plan_cache_mode', 'force_generic_plan', true)`

var errGuard = errors.New("inventory changed under its lock")

// Decide implements stock.Store.
func (s *Stock) Decide(ctx context.Context, step stock.Step, fn func(stock.Hold, stock.Shelf) (stock.Decision, []events.Event, error)) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		h, err := s.openHold(ctx, step)
		if err != nil {
			return err
		}
		shelf, err := s.lock(ctx, productsOf(h, step))
		if err != nil {
			return err
		}
		d, evs, err := fn(h, shelf)
		if err != nil {
			return err
		}
		before := h
		if h.State == stock.None {
			before = step.First
		}
		batch := &pgx.Batch{}
		if d.State != before.State || d.Cancelled != before.Cancelled {
			batch.Queue(updateHold, step.OrderID, string(d.State), d.Cancelled)
		}
		queueLines(batch, linesOf(step.OrderID, d.Lines))
		queueMoves(batch, shelf, d.Moves, step.OrderID, step.Actor, "")
		if err := s.db.Later(ctx, batch); err != nil {
			return fmt.Errorf("save hold: %w", err)
		}
		return s.tell(ctx, shelf, d.Moves, evs)
	})
}

// tell appends the events and, once committed, points at the copies that are
// behind because a product flipped.
func (s *Stock) tell(ctx context.Context, shelf stock.Shelf, moves []stock.Movement, evs []events.Event) error {
	if s.committed != nil {
		var ids []uuid.UUID
		for _, f := range stock.Flips(shelf, moves) {
			ids = append(ids, f.Item.ProductID)
		}
		if len(ids) > 0 {
			pg.AfterCommit(ctx, func() { s.committed(ids) })
		}
	}
	return s.box.Append(ctx, evs...)
}

// productsOf names the inventory rows that the decision may touch.
func productsOf(h stock.Hold, step stock.Step) []uuid.UUID {
	switch {
	case h.Settled():
		return nil
	case len(h.Lines) == 0:
		return step.Products
	}
	ids := make([]uuid.UUID, len(h.Lines))
	for i, l := range h.Lines {
		ids[i] = l.ProductID
	}
	return ids
}

// openHold inserts the hold as First, or locks the one that is there.
func (s *Stock) openHold(ctx context.Context, step stock.Step) (stock.Hold, error) {
	h := stock.Hold{OrderID: step.OrderID, UserID: step.First.UserID}
	var ttl *time.Duration
	if step.First.State == stock.Held {
		ttl = &step.TTL
	}
	var expires *time.Time
	err := s.db.Conn(ctx).QueryRow(ctx, insertHold,
		step.OrderID, pg.NullID(step.First.UserID), string(step.First.State), step.First.Cancelled, ttl).Scan(&expires)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return s.readHold(ctx, lockHold, step.OrderID)
	case err != nil:
		return stock.Hold{}, fmt.Errorf("insert hold: %w", err)
	}
	if expires != nil {
		h.ExpiresAt = expires.UTC()
	}
	return h, nil
}

func (s *Stock) readHold(ctx context.Context, sql string, orderID uuid.UUID) (stock.Hold, error) {
	h := stock.Hold{OrderID: orderID}
	batch := &pgx.Batch{}
	batch.Queue(sql, orderID).QueryRow(func(row pgx.Row) error {
		var user *uuid.UUID
		var expires *time.Time
		var state string
		if err := row.Scan(&user, &state, &h.Cancelled, &expires); err != nil {
			return err
		}
		h.State = stock.State(state)
		if user != nil {
			h.UserID = *user
		}
		if expires != nil {
			h.ExpiresAt = expires.UTC()
		}
		return nil
	})
	batch.Queue(selectHoldLines, orderID).Query(func(rows pgx.Rows) (err error) {
		h.Lines, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l stock.HeldLine, err error) {
			err = row.Scan(&l.ProductID, &l.Quantity, &l.SKU, &l.Name, &l.UnitPrice.Amount, &l.UnitPrice.Currency, &l.TaxClass)
			return l, err
		})
		return err
	})
	if err := s.db.Conn(ctx).SendBatch(ctx, batch).Close(); err != nil {
		return stock.Hold{}, fmt.Errorf("read hold: %w", err)
	}
	return h, nil
}

func (s *Stock) lock(ctx context.Context, ids []uuid.UUID) (stock.Shelf, error) {
	if len(ids) == 0 {
		return stock.Shelf{}, nil
	}
	items, err := s.items(ctx, lockItems, ids)
	if err != nil {
		return nil, fmt.Errorf("lock inventory: %w", err)
	}
	shelf := make(stock.Shelf, len(items))
	for _, it := range items {
		shelf[it.ProductID] = it
	}
	return shelf, nil
}

func (s *Stock) items(ctx context.Context, sql string, ids []uuid.UUID) (items []stock.Item, err error) {
	batch := &pgx.Batch{}
	batch.Queue(keepPlans)
	batch.Queue(sql, ids).Query(func(rows pgx.Rows) (err error) {
		items, err = pgx.CollectRows(rows, scanItem)
		return err
	})
	err = send(ctx, s.db, batch)
	return items, err
}

func scanItem(row pgx.CollectableRow) (it stock.Item, err error) {
	err = row.Scan(&it.ProductID, &it.OnHand, &it.Held, &it.Reserved, &it.SKU, &it.Name,
		&it.Price.Amount, &it.Price.Currency, &it.TaxClass, &it.Status, &it.Version)
	return it, err
}

// Move implements stock.Store.
func (s *Stock) Move(ctx context.Context, ids []uuid.UUID, actor, reason string, fn func(stock.Shelf) ([]stock.Movement, []events.Event, error)) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		shelf, err := s.lock(ctx, ids)
		if err != nil {
			return err
		}
		moves, evs, err := fn(shelf)
		if err != nil {
			return err
		}
		batch := &pgx.Batch{}
		queueMoves(batch, shelf, moves, uuid.Nil, actor, reason)
		if err := send(ctx, s.db, batch); err != nil {
			return fmt.Errorf("move inventory: %w", err)
		}
		return s.tell(ctx, shelf, moves, evs)
	})
}

// Items implements stock.Store.
func (s *Stock) Items(ctx context.Context, ids []uuid.UUID) ([]stock.Item, error) {
	items, err := s.items(ctx, selectItems, ids)
	if err != nil {
		return nil, fmt.Errorf("read items: %w", err)
	}
	byID := make(map[uuid.UUID]stock.Item, len(items))
	for _, it := range items {
		byID[it.ProductID] = it
	}
	ordered := make([]stock.Item, 0, len(items))
	for _, id := range ids {
		if it, ok := byID[id]; ok {
			ordered = append(ordered, it)
			delete(byID, id)
		}
	}
	return ordered, nil
}

// ClaimDue implements stock.Store.
func (s *Stock) ClaimDue(ctx context.Context, limit int, lease time.Duration) ([]uuid.UUID, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, claimDue, limit, lease)
	if err != nil {
		return nil, fmt.Errorf("claim due holds: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("claim due holds: %w", err)
	}
	return ids, nil
}
