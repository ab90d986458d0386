// Package postgres keeps orders, their history and the checkout rows in the
// service's own database. It decides nothing: the core does, under the row
// locks taken here, and its events go to the outbox in the same transaction.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/inbox"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations is the schema, for `order migrate` and for tests.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the path is embedded above
	}
	return sub
}

// consumer names this service in its inbox.
const consumer = "order"

// Store is the one way to the tables. Safe for concurrent use.
type Store struct {
	db   *pg.DB
	box  *outbox.Box
	keys *idempotency.Keeper
}

// New makes a store.
func New(db *pg.DB, box *outbox.Box, keys *idempotency.Keeper) *Store {
	return &Store{db: db, box: box, keys: keys}
}

const orderColumns = `
    id, number, user_id, status, payment_status, stock_status, reason,
    subtotal_amount, shipping_amount, tax_amount, discount_amount, total_amount, currency,
    money, payment_attempt, pay_by, payment_due_at,
    shipping_address_id, billing_address_id, shipping_address, billing_address, erased,
    carrier, tracking_number, history_length, version, created_at, updated_at`

func scanOrder(row pgx.CollectableRow) (order.Order, error) {
	var o order.Order
	var due *time.Time
	err := row.Scan(&o.ID, &o.Number, &o.UserID, &o.Status, &o.Payment, &o.Stock, &o.Reason,
		&o.Totals.Subtotal, &o.Totals.Shipping, &o.Totals.Tax, &o.Totals.Discount, &o.Totals.Total, &o.Totals.Currency,
		&o.Money, &o.Attempt, &o.PayBy, &due,
		&o.ShippingAddressID, &o.BillingAddressID, &o.ShippingAddress, &o.BillingAddress, &o.Erased,
		&o.Carrier, &o.TrackingNumber, &o.HistoryLength, &o.Version, &o.CreatedAt, &o.UpdatedAt)
	if due != nil {
		o.PaymentDue = *due
	}
	return o, err
}

const itemColumns = `order_id, product_id, sku, name, tax_class, quantity, unit_price_amount, line_total_amount`

type itemRow struct {
	orderID uuid.UUID
	item    order.Item
}

func scanItem(row pgx.CollectableRow) (itemRow, error) {
	var r itemRow
	it := &r.item
	err := row.Scan(&r.orderID, &it.ProductID, &it.SKU, &it.Name, &it.TaxClass, &it.Quantity, &it.UnitPrice, &it.LineTotal)
	return r, err
}

const (
	selectOrder  = `SELECT ` + orderColumns + ` FROM orders WHERE id = $1`
	lockOrder    = selectOrder + ` FOR UPDATE`
	selectItems  = `SELECT ` + itemColumns + ` FROM order_items WHERE order_id = $1 ORDER BY position`
	selectManyIt = `SELECT ` + itemColumns + ` FROM order_items WHERE order_id = ANY($1) ORDER BY order_id, position`
)

// Get reads one order.
func (s *Store) Get(ctx context.Context, id uuid.UUID) (order.Order, error) {
	return s.read(ctx, selectOrder, id)
}

// read fetches an order and its items, which never change, in one round trip.
func (s *Store) read(ctx context.Context, statement string, id uuid.UUID) (o order.Order, err error) {
	batch := &pgx.Batch{}
	batch.Queue(statement, id)
	batch.Queue(selectItems, id)
	results := s.db.Conn(ctx).SendBatch(ctx, batch)
	defer func() {
		if cerr := results.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("read order: %w", cerr)
		}
	}()
	rows, err := results.Query()
	if err == nil {
		o, err = pgx.CollectExactlyOneRow(rows, scanOrder)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return o, order.ErrNotFound
	}
	if err != nil {
		return o, fmt.Errorf("read order: %w", err)
	}
	rows, err = results.Query()
	if err != nil {
		return o, fmt.Errorf("read items: %w", err)
	}
	items, err := pgx.CollectRows(rows, scanItem)
	if err != nil {
		return o, fmt.Errorf("read items: %w", err)
	}
	for _, it := range items {
		o.Items = append(o.Items, it.item)
	}
	return o, nil
}

// Once runs fn together with the mark that the event was seen.
func (s *Store) Once(ctx context.Context, eventID string, fn func(ctx context.Context) error) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		first, err := inbox.First(ctx, s.db, consumer, eventID)
		if err != nil || !first {
			return err
		}
		return fn(ctx)
	})
}

// Update locks an order, lets decide say what happens, and saves it with its
// history and events.
func (s *Store) Update(ctx context.Context, id uuid.UUID, decide func(order.Order) (order.Outcome, error)) (order.Order, error) {
	var out order.Outcome
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		before, err := s.read(ctx, lockOrder, id)
		if err != nil {
			return err
		}
		if out, err = decide(before); err != nil || !out.Changed {
			return err
		}
		batch := &pgx.Batch{}
		queueUpdate(batch, out.Order)
		queueHistory(batch, out.Order.ID, out.History)
		if out.Order.Erased && out.Order.ShippingAddress == nil {
			batch.Queue(clearNotes, out.Order.ID)
		}
		if err := s.db.Later(ctx, batch); err != nil {
			return fmt.Errorf("save order: %w", err)
		}
		return s.box.Append(ctx, out.Events...)
	})
	return out.Order, err
}
