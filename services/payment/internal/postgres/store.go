// Package postgres keeps Payment's tables. It decides nothing: what a row may
// become is computed by package payment while the order's row is locked here.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the schema's, in order.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// Store implements the ports of package payment. Safe for concurrent use.
type Store struct {
	db    *pg.DB
	box   *outbox.Box
	now   func() time.Time
	newID func() uuid.UUID
	wake  chan struct{}
}

// wakeUps is how many commits may wake workers at once; further ones are found
// by those that are awake.
const wakeUps = 64

// New makes a store over a database whose migrations are applied.
func New(db *pg.DB, box *outbox.Box, now func() time.Time, newID func() uuid.UUID) *Store {
	return &Store{db: db, box: box, now: now, newID: newID, wake: make(chan struct{}, wakeUps)}
}

// InTx implements payment.Transactor.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.InTx(ctx, fn)
}

// Woken delivers a token for each commit that left work at the provider.
func (s *Store) Woken() <-chan struct{} { return s.wake }

func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Store) clock() payment.Clock {
	return payment.Clock{Now: s.now().UTC().Truncate(time.Microsecond), NewID: s.newID}
}

// Apply implements payment.Orders.
func (s *Store) Apply(ctx context.Context, id uuid.UUID, in payment.Input) (payment.Order, error) {
	var after payment.Order
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		before, err := s.lock(ctx, id)
		if err != nil {
			return err
		}
		var evs []events.Event
		after, evs, err = payment.Apply(before.Order, in, s.clock())
		if err != nil || reflect.DeepEqual(before.Order, after) {
			return err
		}
		return s.save(ctx, before.Order, after, evs, dueNow(after))
	})
	return after, err
}

// due says when a worker has to look at the order, and whether it keeps its lease.
type due struct {
	ever      bool
	after     time.Duration
	keepLease bool // by the worker that saves
	dropLease bool
}

func dueNow(o payment.Order) due {
	step := payment.Next(o, nil)
	return due{ever: step.Kind != payment.StepNone || step.Again > 0}
}

// locked is an order as its row was found, under a lock or not.
type locked struct {
	payment.Order
	lease  uuid.UUID
	nudges int64
}

const (
	ensureOrder = `INSERT INTO payment_orders (order_id, state) VALUES ($1, 'prepared') ON CONFLICT ON CONSTRAINT payment_orders_pkey DO NOTHING`

	orderColumns = `order_id, user_id, number, amount, currency, state, means_kind, means_token, means_customer, means_saved_id,
    placed_at, lease_id, nudges`
	selectOrder     = `SELECT ` + orderColumns + ` FROM payment_orders WHERE order_id = $1`
	selectForUpdate = selectOrder + ` FOR UPDATE`

	attemptColumns = `id, attempt, amount, currency, refunded_amount, status, failure_code, next_action, surplus,
    provider_payment_id, intent, method_token, method_customer, saved_method_id, version, created_at, updated_at`
	selectAttempts = `SELECT ` + attemptColumns + ` FROM transactions WHERE order_id = $1 ORDER BY attempt`

	refundColumns = `id, transaction_id, kind, amount, currency, reason, requested_by, status, failure_code,
    provider_refund_id, version, created_at, updated_at`
	selectRefunds = `SELECT ` + refundColumns + ` FROM refunds WHERE order_id = $1 ORDER BY id`
)

// lock makes the order's row if there is none and reads all of the order under it.
func (s *Store) lock(ctx context.Context, id uuid.UUID) (locked, error) {
	batch := &pgx.Batch{}
	batch.Queue(ensureOrder, id)
	if err := s.db.Later(ctx, batch); err != nil {
		return locked{}, fmt.Errorf("make order row: %w", err)
	}
	return s.read(ctx, selectForUpdate, id)
}

// Find implements payment.Orders.
func (s *Store) Find(ctx context.Context, id uuid.UUID) (payment.Order, error) {
	l, err := s.read(ctx, selectOrder, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return payment.Order{}, payment.ErrOrderUnknown
	}
	return l.Order, err
}

// read reads an order with what belongs to it, in one round trip; statement gets its
// row and says whether it is locked.
func (s *Store) read(ctx context.Context, statement string, id uuid.UUID) (locked, error) {
	batch := &pgx.Batch{}
	batch.Queue(statement, id)
	batch.Queue(selectAttempts, id)
	batch.Queue(selectRefunds, id)
	res := s.db.Conn(ctx).SendBatch(ctx, batch)
	defer func() { _ = res.Close() }()
	l, err := scanOrder(res.QueryRow())
	if err != nil {
		return locked{}, fmt.Errorf("read order: %w", err)
	}
	return l, readRows(res, &l.Order)
}

func readRows(res pgx.BatchResults, o *payment.Order) error {
	rows, err := res.Query()
	if err != nil {
		return fmt.Errorf("read transactions: %w", err)
	}
	if o.Attempts, err = pgx.CollectRows(rows, scanAttempt); err != nil {
		return fmt.Errorf("read transactions: %w", err)
	}
	if rows, err = res.Query(); err != nil {
		return fmt.Errorf("read refunds: %w", err)
	}
	if o.Refunds, err = pgx.CollectRows(rows, scanRefund); err != nil {
		return fmt.Errorf("read refunds: %w", err)
	}
	return nil
}

func scanOrder(row pgx.Row) (locked, error) {
	var l locked
	var user, saved, lease *uuid.UUID
	var placed *time.Time
	err := row.Scan(&l.ID, &user, &l.Number, &l.Amount, &l.Currency, &l.State, &l.Means.Kind, &l.Means.Token,
		&l.Means.Customer, &saved, &placed, &lease, &l.nudges)
	l.UserID, l.Means.SavedID, l.lease = value(user), value(saved), value(lease)
	l.PlacedAt = value(placed).UTC()
	return l, err
}

func scanAttempt(row pgx.CollectableRow) (payment.Attempt, error) {
	var a payment.Attempt
	err := row.Scan(attemptFields(&a)...)
	return a, err
}

// attemptFields are the destinations of attemptColumns.
func attemptFields(a *payment.Attempt) []any {
	a.Means.Kind = payment.KindCard
	return []any{
		&a.ID, &a.Number, &a.Amount, &a.Currency, &a.RefundedAmount, &a.Status, &a.FailureCode, &a.NextAction, &a.Surplus,
		orEmpty{&a.ProviderID}, &a.Intent, &a.Means.Token, &a.Means.Customer, orNil{&a.Means.SavedID},
		&a.Version, utc{&a.CreatedAt}, utc{&a.UpdatedAt},
	}
}

func scanRefund(row pgx.CollectableRow) (payment.Refund, error) {
	var r payment.Refund
	err := row.Scan(refundFields(&r)...)
	return r, err
}

// refundFields are the destinations of refundColumns.
func refundFields(r *payment.Refund) []any {
	return []any{
		&r.ID, &r.TransactionID, &r.Kind, &r.Amount, &r.Currency, &r.Reason, orNil{&r.RequestedBy}, &r.Status, &r.FailureCode,
		orEmpty{&r.ProviderID}, &r.Version, utc{&r.CreatedAt}, utc{&r.UpdatedAt},
	}
}
