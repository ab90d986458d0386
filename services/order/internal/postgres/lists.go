package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/order/internal/desk"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// Ids are UUIDv7: their order is that of time.
const (
	filters = `
  AND ($1::uuid IS NULL OR id < $1)
  AND ($2::text IS NULL OR status = $2)
  AND ($3::text IS NULL OR payment_status = $3)
  AND ($4::text IS NULL OR stock_status = $4)
  AND ($5::text IS NULL OR number = $5)
ORDER BY id DESC LIMIT $6`
	listAll    = `SELECT ` + orderColumns + ` FROM orders WHERE true` + filters
	listOfUser = `SELECT ` + orderColumns + ` FROM orders WHERE user_id = $7` + filters
)

// List gives a page of orders, newest first.
func (s *Store) List(ctx context.Context, f desk.Filter) ([]order.Order, error) {
	statement, args := listAll, []any{f.After, f.Status, f.Payment, f.Stock, f.Number, f.Limit}
	if f.UserID != nil {
		statement, args = listOfUser, append(args, *f.UserID)
	}
	rows, err := s.db.Conn(ctx).Query(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	orders, err := pgx.CollectRows(rows, scanOrder)
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	return orders, s.fill(ctx, orders)
}

// fill adds the items of many orders in one statement.
func (s *Store) fill(ctx context.Context, orders []order.Order) error {
	if len(orders) == 0 {
		return nil
	}
	at := make(map[uuid.UUID]*order.Order, len(orders))
	ids := make([]uuid.UUID, 0, len(orders))
	for i := range orders {
		at[orders[i].ID] = &orders[i]
		ids = append(ids, orders[i].ID)
	}
	rows, err := s.db.Conn(ctx).Query(ctx, selectManyIt, ids)
	if err != nil {
		return fmt.Errorf("list items: %w", err)
	}
	items, err := pgx.CollectRows(rows, scanItem)
	if err != nil {
		return fmt.Errorf("list items: %w", err)
	}
	for _, it := range items {
		o := at[it.orderID]
		o.Items = append(o.Items, it.item)
	}
	return nil
}

const selectHistory = `
SELECT sequence, coalesce(from_status, ''), to_status, actor, coalesce(reason, ''), coalesce(note, ''), coalesce(event_id, ''), created_at
FROM order_status_history WHERE order_id = $1 ORDER BY sequence`

// History reads the audit trail of an order.
func (s *Store) History(ctx context.Context, id uuid.UUID) ([]order.Transition, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, selectHistory, id)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	history, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h order.Transition, err error) {
		err = row.Scan(&h.Sequence, &h.From, &h.To, &h.Cause.Actor, &h.Reason, &h.Cause.Note, &h.Cause.EventID, &h.At)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return history, nil
}

// One statement is one snapshot: between "checkout runs" and "order exists"
// there is no moment at which it answers neither.
const selectStates = `
SELECT w.id, coalesce(o.status, CASE WHEN c.state = 'running' THEN 'placing' ELSE 'unknown' END),
       coalesce(o.payment_status, ''), coalesce(o.stock_status, ''), o.user_id
FROM unnest($1::uuid[]) WITH ORDINALITY AS w(id, position)
LEFT JOIN orders o ON o.id = w.id
LEFT JOIN checkouts c ON c.order_id = w.id
ORDER BY w.position`

// States tells other services where orders stand.
func (s *Store) States(ctx context.Context, ids []uuid.UUID) ([]desk.State, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, selectStates, ids)
	if err != nil {
		return nil, fmt.Errorf("states: %w", err)
	}
	states, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (st desk.State, err error) {
		err = row.Scan(&st.OrderID, &st.Status, &st.Payment, &st.Stock, &st.UserID)
		return st, err
	})
	if err != nil {
		return nil, fmt.Errorf("states: %w", err)
	}
	return states, nil
}

const selectPurchased = `
SELECT EXISTS (
    SELECT FROM orders o JOIN order_items i ON i.order_id = o.id
    WHERE o.user_id = $1 AND i.product_id = $2
      AND o.status IN ('confirmed', 'shipped', 'delivered') AND o.payment_status <> 'refunded')`

// Purchased tells whether a user paid for a product and was not refunded.
func (s *Store) Purchased(ctx context.Context, user, product uuid.UUID) (bool, error) {
	var purchased bool
	if err := s.db.Conn(ctx).QueryRow(ctx, selectPurchased, user, product).Scan(&purchased); err != nil {
		return false, fmt.Errorf("purchased: %w", err)
	}
	return purchased, nil
}

// The database's clock decides what is due; a row that another replica looks at
// is passed over.
const claimPayments = `
UPDATE orders SET payment_due_at = now() + $2
WHERE id IN (
    SELECT id FROM orders WHERE payment_due_at <= now()
    ORDER BY payment_due_at FOR UPDATE SKIP LOCKED LIMIT $1)
RETURNING id`

// PaymentsDue claims orders whose payment has to be asked about.
func (s *Store) PaymentsDue(ctx context.Context, limit int, again time.Duration) ([]uuid.UUID, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, claimPayments, limit, again)
	if err != nil {
		return nil, fmt.Errorf("payments due: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("payments due: %w", err)
	}
	return ids, nil
}
