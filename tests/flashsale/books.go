package flashsale

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	selectConfirmed = `SELECT count(*) FROM orders AS o JOIN order_items AS i ON i.order_id = o.id
WHERE i.product_id = $1 AND o.status = 'confirmed' AND o.payment_status = 'captured' AND o.stock_status = 'reserved'`
	selectOrders = `SELECT o.id::text, o.user_id::text, o.total_amount, concat_ws('/', o.status, o.payment_status, o.stock_status)
FROM orders AS o JOIN order_items AS i ON i.order_id = o.id WHERE i.product_id = $1`
	selectStock        = `SELECT on_hand, held, reserved FROM product_inventory WHERE product_id = $1`
	selectTransactions = `SELECT id::text, order_id::text, status FROM transactions WHERE user_id = ANY($1::uuid[])`
)

// settled waits until so many orders are confirmed and reserved.
func (s *Sale) settled(ctx context.Context, orders int) error {
	conn, err := pgx.Connect(ctx, s.stack.Postgres["order"])
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for {
		var n int
		if err := conn.QueryRow(ctx, selectConfirmed, s.Product.ID).Scan(&n); err != nil {
			return err
		}
		if n >= orders {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d orders are confirmed and reserved: %w", n, orders, ctx.Err())
		case <-time.After(250 * time.Millisecond):
		}
	}
}

type order struct {
	ID, User string
	Total    int64
	State    string
}

type transaction struct{ ID, Order, State string }

// Check reads stores and ledger and lists what is not as it must be: every unit
// sold once, each to a buyer of its own who was charged once, and nobody else
// charged.
func (s *Sale) Check(ctx context.Context, out Outcome) ([]string, error) {
	var wrong []string
	hold := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	hold(len(out.Placed) == s.units, "%d orders were placed for %d units", len(out.Placed), s.units)
	hold(out.Refused == len(s.buyers)-s.units, "%d buyers were refused, want %d", out.Refused, len(s.buyers)-s.units)
	hold(len(out.Other) == 0, "%d other answers, such as %.100q", len(out.Other), slices.Compact(out.Other))

	orders, err := rows[order](ctx, s.stack.Postgres["order"], selectOrders, s.Product.ID)
	if err != nil {
		return nil, err
	}
	totals, users := map[string]int64{}, map[string]bool{}
	for _, o := range orders {
		hold(o.State == "confirmed/captured/reserved", "order %s is %s", o.ID, o.State)
		hold(slices.Contains(out.Placed, o.ID), "order %s was told to nobody", o.ID)
		hold(!users[o.User], "user %s has two orders", o.User)
		totals[o.ID], users[o.User] = o.Total, true
	}
	hold(len(orders) == s.units, "%d orders stand, want %d", len(orders), s.units)

	stock, err := rows[struct{ OnHand, Held, Reserved int64 }](ctx, s.stack.Postgres["product"], selectStock, s.Product.ID)
	if err != nil {
		return nil, err
	}
	n := int64(s.units)
	hold(len(stock) == 1 && stock[0].OnHand == n && stock[0].Held == 0 && stock[0].Reserved == n, "stock is %+v, want %d reserved", stock, n)
	charges, err := s.charges(ctx, totals)
	return append(wrong, charges...), err
}

// charges holds the provider's ledger and the log of transactions to the orders.
func (s *Sale) charges(ctx context.Context, totals map[string]int64) ([]string, error) {
	var wrong []string
	ids := make([]string, len(s.buyers))
	for i, b := range s.buyers {
		ids[i] = b.User.ID
	}
	log, err := rows[transaction](ctx, s.stack.Postgres["payment"], selectTransactions, ids)
	if err != nil {
		return nil, err
	}
	ours := map[string]bool{}
	for _, t := range log {
		ours[t.Order] = true
		if _, stands := totals[t.Order]; !stands || t.State != "captured" {
			wrong = append(wrong, fmt.Sprintf("transaction %s of order %s is %s", t.ID, t.Order, t.State))
		}
	}
	ledger, err := s.stack.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	charged := map[string]int{}
	for _, pi := range ledger.PaymentIntents {
		total, stands := totals[pi.OrderID]
		if !stands && !ours[pi.OrderID] {
			continue // somebody else's
		}
		charged[pi.OrderID]++
		if pi.Status != "succeeded" || pi.Amount != total || pi.AmountRefunded != 0 {
			wrong = append(wrong, fmt.Sprintf("intent %s of order %s is %s over %d, %d refunded; the order is of %d", pi.ID, pi.OrderID, pi.Status, pi.Amount, pi.AmountRefunded, total))
		}
	}
	for id := range totals {
		if charged[id] != 1 {
			wrong = append(wrong, fmt.Sprintf("order %s has %d intents", id, charged[id]))
		}
	}
	return wrong, nil
}

func rows[T any](ctx context.Context, dsn, sql string, args ...any) ([]T, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	r, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	return pgx.CollectRows(r, pgx.RowToStructByPos[T])
}
