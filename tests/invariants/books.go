package invariants

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/caravan-shop/caravan/tests/shop"
)

// books are all that is kept of orders, as read from outside. Fields take the
// names of their columns.
type books struct {
	orders    []orderRow
	items     map[string][]itemRow
	history   map[string][]stepRow
	checkouts []checkoutRow

	payments     map[string]paymentRow
	transactions []transactionRow
	refunds      []refundRow

	stock     []stockRow
	movements []movementRow
	holds     map[string]holdRow
	lines     map[string][]lineRow

	outbox map[string][]outboxRow     // by service
	inbox  map[string]map[string]bool // by service
	ledger shop.Ledger
	topics []shop.Record
	dead   map[string]map[string]bool // events given up, by app
}

// taken tells whether an app has taken an event in, or given it up.
func (b *books) taken(app, event string) bool { return b.inbox[app][event] || b.dead[app][event] }

type orderRow struct {
	ID, UserID, Status, Payment, Stock                                   string
	Subtotal, Shipping, Tax, Discount, Total, Captured, Refunded, Length int64
	Overdue                                                              bool // past the time to pay by more than the grace
}

type itemRow struct {
	Order, Product             string
	Quantity, Price, LineTotal int64
}

type stepRow struct {
	Order    string
	Sequence int64
	From, To string
}

type checkoutRow struct{ Order, User, Key, State string }

type paymentRow struct {
	Order, State string
	Amount       int64
}

type transactionRow struct {
	ID, Order, Status, Provider string
	Amount, Refunded            int64
	Surplus                     bool
}

type refundRow struct {
	Transaction, Kind, Status, Provider string
	Amount                              int64
}

type stockRow struct {
	Product                string
	OnHand, Held, Reserved int64
}

type movementRow struct {
	Product, Kind, Order   string
	OnHand, Held, Reserved int64
}

type holdRow struct {
	Order, State string
	Cancelled    bool
}

type lineRow struct {
	Order, Product  string
	Quantity, Price int64
}

type outboxRow struct {
	ID, Topic, Key, Payload string
	Published               bool
}

const (
	selectOrders = `SELECT id::text, user_id::text, status, payment_status, stock_status, subtotal_amount, shipping_amount, tax_amount,
    discount_amount, total_amount, captured_amount, refunded_amount, history_length::bigint, pay_by + $1::interval < now() FROM orders`
	selectItems        = `SELECT order_id::text, product_id::text, quantity, unit_price_amount, line_total_amount FROM order_items`
	selectHistory      = `SELECT order_id::text, sequence::bigint, coalesce(from_status, ''), to_status FROM order_status_history ORDER BY order_id, sequence`
	selectCheckouts    = `SELECT order_id::text, user_id::text, key, state FROM checkouts`
	selectPayments     = `SELECT order_id::text, state, amount FROM payment_orders`
	selectTransactions = `SELECT id::text, order_id::text, status, coalesce(provider_payment_id, ''), amount, refunded_amount, surplus FROM transactions`
	selectRefunds      = `SELECT transaction_id::text, kind, status, coalesce(provider_refund_id, ''), amount FROM refunds`
	selectStock        = `SELECT product_id::text, on_hand, held, reserved FROM product_inventory`
	selectMovements    = `SELECT product_id::text, kind, coalesce(order_id::text, ''), on_hand_delta, held_delta, reserved_delta
    FROM inventory_movements ORDER BY id`
	selectHolds  = `SELECT order_id::text, state, cancelled FROM holds`
	selectLines  = `SELECT order_id::text, product_id::text, quantity, price_amount FROM hold_lines`
	selectOutbox = `SELECT id::text, topic, key, payload::text, published_at IS NOT NULL FROM outbox ORDER BY position`
	selectInbox  = `SELECT event_id FROM inbox`
)

// relational are the services with a database of their own that may be read.
func relational() []string { return []string{"user", "product", "order", "payment"} }

// read reads everything. The shop should be at rest: the databases are read one
// after the other.
func read(ctx context.Context, s *shop.Stack, grace time.Duration) (*books, error) {
	b := &books{outbox: map[string][]outboxRow{}, inbox: map[string]map[string]bool{}}
	conns := map[string]*pgx.Conn{}
	defer func() {
		for _, c := range conns {
			_ = c.Close(context.WithoutCancel(ctx))
		}
	}()
	for _, service := range relational() {
		conn, err := pgx.Connect(ctx, s.Postgres[service])
		if err != nil {
			return nil, fmt.Errorf("open the %s database: %w", service, err)
		}
		conns[service] = conn
	}
	var g errgroup.Group
	g.Go(func() error { return b.readOrders(ctx, conns["order"], grace) })
	g.Go(func() error { return b.readPayments(ctx, conns["payment"]) })
	g.Go(func() error { return b.readStock(ctx, conns["product"]) })
	g.Go(func() (err error) { b.ledger, err = s.Ledger(ctx); return err })
	g.Go(func() (err error) { b.topics, err = s.Records(ctx); return err })
	g.Go(func() (err error) { b.dead, err = s.GivenUp(ctx); return err })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, service := range relational() {
		if err := b.readBoxes(ctx, service, conns[service]); err != nil {
			return nil, fmt.Errorf("%s: %w", service, err)
		}
	}
	return b, nil
}

// rows collects a statement's rows, column by column into a struct's fields.
func rows[T any](ctx context.Context, c *pgx.Conn, sql string, args ...any) ([]T, error) {
	r, err := c.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	all, err := pgx.CollectRows(r, pgx.RowToStructByPos[T])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	return all, nil
}

// into is rows for a chain of reads: it stops at the first error.
func into[T any](ctx context.Context, c *pgx.Conn, err *error, sql string, args ...any) []T {
	if *err != nil {
		return nil
	}
	var all []T
	all, *err = rows[T](ctx, c, sql, args...)
	return all
}

func (b *books) readOrders(ctx context.Context, c *pgx.Conn, grace time.Duration) (err error) {
	b.orders = into[orderRow](ctx, c, &err, selectOrders, grace)
	b.items = group(into[itemRow](ctx, c, &err, selectItems), func(r itemRow) string { return r.Order })
	b.history = group(into[stepRow](ctx, c, &err, selectHistory), func(r stepRow) string { return r.Order })
	b.checkouts = into[checkoutRow](ctx, c, &err, selectCheckouts)
	return err
}

func (b *books) readPayments(ctx context.Context, c *pgx.Conn) (err error) {
	b.payments = index(into[paymentRow](ctx, c, &err, selectPayments), func(r paymentRow) string { return r.Order })
	b.transactions = into[transactionRow](ctx, c, &err, selectTransactions)
	b.refunds = into[refundRow](ctx, c, &err, selectRefunds)
	return err
}

func (b *books) readStock(ctx context.Context, c *pgx.Conn) (err error) {
	b.stock = into[stockRow](ctx, c, &err, selectStock)
	b.movements = into[movementRow](ctx, c, &err, selectMovements)
	b.holds = index(into[holdRow](ctx, c, &err, selectHolds), func(r holdRow) string { return r.Order })
	b.lines = group(into[lineRow](ctx, c, &err, selectLines), func(r lineRow) string { return r.Order })
	return err
}

func (b *books) readBoxes(ctx context.Context, service string, c *pgx.Conn) (err error) {
	b.outbox[service] = into[outboxRow](ctx, c, &err, selectOutbox)
	b.inbox[service] = map[string]bool{}
	if service == "user" { // it consumes nothing
		return err
	}
	for _, r := range into[struct{ ID string }](ctx, c, &err, selectInbox) {
		b.inbox[service][r.ID] = true
	}
	return err
}

func group[T any](all []T, key func(T) string) map[string][]T {
	m := map[string][]T{}
	for _, v := range all {
		m[key(v)] = append(m[key(v)], v)
	}
	return m
}

func index[T any](all []T, key func(T) string) map[string]T {
	m := map[string]T{}
	for _, v := range all {
		m[key(v)] = v
	}
	return m
}
