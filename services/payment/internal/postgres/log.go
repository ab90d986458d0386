package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

const (
	selectTransaction = `
SELECT ` + attemptColumns + `, order_id, user_id, number, (SELECT code FROM payment_methods m WHERE m.id = payment_method_id)
FROM transactions`
	transactionByID  = selectTransaction + ` WHERE id = $1`
	transactionsPage = selectTransaction + `
WHERE ($1::uuid IS NULL OR user_id = $1) AND ($2::uuid IS NULL OR order_id = $2) AND ($3::text = '' OR status = $3)
    AND ($4::uuid IS NULL OR id < $4)
ORDER BY id DESC LIMIT $5`

	selectRefund = `SELECT ` + refundColumns + `, order_id, (SELECT number FROM payment_orders o WHERE o.order_id = refunds.order_id) FROM refunds`
	refundByID   = selectRefund + ` WHERE id = $1`
	refundsPage  = selectRefund + `
WHERE ($1::uuid IS NULL OR order_id = $1) AND ($2::text = '' OR status = $2) AND ($3::uuid IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4`

	selectKinds = `SELECT id, code, name FROM payment_methods WHERE enabled ORDER BY position`
	findOrderOf = `SELECT order_id FROM transactions WHERE id = $1 AND provider_payment_id IS NOT NULL`
	ordersUser  = `SELECT order_id FROM payment_orders WHERE user_id = $1 AND means_token <> '' ORDER BY order_id`
)

func scanTransaction(row pgx.CollectableRow) (payment.Transaction, error) {
	var t payment.Transaction
	err := row.Scan(append(attemptFields(&t.Attempt), &t.OrderID, &t.UserID, &t.Number, &t.Kind)...)
	return t, err
}

func scanRefundRow(row pgx.CollectableRow) (payment.RefundRow, error) {
	var r payment.RefundRow
	err := row.Scan(append(refundFields(&r.Refund), &r.OrderID, &r.Number)...)
	return r, err
}

// one reads a single row; missing is what its absence means.
func one[T any](ctx context.Context, s *Store, scan pgx.RowToFunc[T], missing error, sql string, args ...any) (T, error) {
	var zero T
	rows, err := s.db.Conn(ctx).Query(ctx, sql, args...)
	if err != nil {
		return zero, fmt.Errorf("read row: %w", err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return zero, missing
	}
	if err != nil {
		return zero, fmt.Errorf("read row: %w", err)
	}
	return v, nil
}

func many[T any](ctx context.Context, s *Store, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	vs, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	return vs, nil
}

// Transaction implements payment.Log.
func (s *Store) Transaction(ctx context.Context, id uuid.UUID) (payment.Transaction, error) {
	return one(ctx, s, scanTransaction, payment.ErrTransactionUnknown, transactionByID, id)
}

// Transactions implements payment.Log.
func (s *Store) Transactions(ctx context.Context, f payment.TransactionFilter) ([]payment.Transaction, error) {
	return many(ctx, s, scanTransaction, transactionsPage, pg.NullID(f.UserID), pg.NullID(f.OrderID), f.Status, pg.NullID(f.Before), f.Limit)
}

// Refund implements payment.Log.
func (s *Store) Refund(ctx context.Context, id uuid.UUID) (payment.RefundRow, error) {
	return one(ctx, s, scanRefundRow, payment.ErrRefundUnknown, refundByID, id)
}

// Refunds implements payment.Log.
func (s *Store) Refunds(ctx context.Context, f payment.RefundFilter) ([]payment.RefundRow, error) {
	return many(ctx, s, scanRefundRow, refundsPage, pg.NullID(f.OrderID), f.Status, pg.NullID(f.Before), f.Limit)
}

// Kinds implements payment.Log.
func (s *Store) Kinds(ctx context.Context) ([]payment.MethodKind, error) {
	return many(ctx, s, pgx.RowToStructByPos[payment.MethodKind], selectKinds)
}

// OrderOf implements payment.Orders. An attempt whose intent is not committed
// yet counts as not known: its notification has to come again.
func (s *Store) OrderOf(ctx context.Context, transaction uuid.UUID) (uuid.UUID, bool, error) {
	id, err := one(ctx, s, pgx.RowTo[uuid.UUID], pgx.ErrNoRows, findOrderOf, transaction)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, false, nil
	}
	return id, err == nil, err
}

// OfUser implements payment.Orders.
func (s *Store) OfUser(ctx context.Context, user uuid.UUID) ([]uuid.UUID, error) {
	return many(ctx, s, pgx.RowTo[uuid.UUID], ordersUser, user)
}
