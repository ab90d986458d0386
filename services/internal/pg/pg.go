// Package pg opens a service's own PostgreSQL database and runs transactions
// that travel in the context, so that an effect, its events, its inbox mark and
// the answer kept for an idempotency key commit together. It must not know any
// table.
package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
)

// Querier is what a store needs of a pool or of a transaction.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error)
}

// Options bound what one service may take of the server.
type Options struct {
	// MaxConns is the pool's size; 0 means 16.
	MaxConns int32
}

// DB is a pool of connections to one database. Safe for concurrent use.
type DB struct{ pool *pgxpool.Pool }

// Statements and locks may not wait for ever: a stuck neighbour in the
// database must show as an error that the caller retries.
const (
	statementTimeout = "10000"
	lockTimeout      = "5000"
	idleInTxTimeout  = "30000"
)

// Open connects lazily: a database that is away shows at the first statement.
func Open(ctx context.Context, dsn string, o Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database url: %w", err)
	}
	if o.MaxConns == 0 {
		o.MaxConns = 16
	}
	cfg.MaxConns = o.MaxConns
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.HealthCheckPeriod = 15 * time.Second
	cfg.ConnConfig.ConnectTimeout = 3 * time.Second
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = statementTimeout
	cfg.ConnConfig.RuntimeParams["lock_timeout"] = lockTimeout
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = idleInTxTimeout
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.Tracer = otelpgx.NewTracer()
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap()) // else ids travel as text, in twenty allocations each
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &DB{pool: pool}, nil
}

// Close waits for the connections that are in use.
func (db *DB) Close() { db.pool.Close() }

// Pool is for what needs a connection of its own, such as a session lock.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

type txKey struct{ db *DB }

// hooksKey finds the innermost open transaction, whatever its database.
type hooksKey struct{}

// InTx runs fn in one read-committed transaction, which statements reach by
// Conn(ctx). Called inside another InTx of the same DB it joins that one: the
// outermost commits, and not once a joined fn has failed, whoever caught that.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if open, joined := ctx.Value(txKey{db}).(*openTx); joined {
		err := fn(ctx)
		if err != nil && open.refused == nil {
			open.refused = err
		}
		return err
	}
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	open := &openTx{pool: db.pool, conn: conn}
	defer open.release(ctx)
	inner := context.WithValue(context.WithValue(ctx, txKey{db}, open), hooksKey{}, open)
	if err := fn(inner); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if open.refused != nil {
		return fmt.Errorf("part of the transaction failed: %w", open.refused)
	}
	if err := open.commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, hook := range open.hooks {
		hook()
	}
	return nil
}

// Conn gives the transaction in the context, else the pool.
func (db *DB) Conn(ctx context.Context) Querier {
	if open, ok := ctx.Value(txKey{db}).(*openTx); ok {
		return open
	}
	return db.pool
}

// Later has the transaction in the context run statements that nobody waits for:
// they travel with its next statement or its COMMIT, where their callbacks run and
// an error of theirs comes back. That or a callback that refuses undoes the
// transaction, even if the caller goes on, but what stood behind the statement has run
// by then and may have waited for locks.
// Outside a transaction they run at once.
func (db *DB) Later(ctx context.Context, b *pgx.Batch) error {
	if open, ok := ctx.Value(txKey{db}).(*openTx); ok {
		open.later = append(open.later, b.QueuedQueries...)
		return nil
	}
	return db.pool.SendBatch(ctx, b).Close()
}

// NullID is an id as an argument of a statement; the nil UUID is NULL.
func NullID(id uuid.UUID) uuid.NullUUID { return uuid.NullUUID{UUID: id, Valid: id != uuid.Nil} }

// AfterCommit runs fn once the transaction in the context has committed, and
// never if it does not; outside a transaction it runs at once. fn must not block.
func AfterCommit(ctx context.Context, fn func()) {
	if open, ok := ctx.Value(hooksKey{}).(*openTx); ok {
		open.hooks = append(open.hooks, fn)
		return
	}
	fn()
}

// ConstraintOf names the constraint that refused a statement.
func ConstraintOf(err error) (string, bool) {
	var pe *pgconn.PgError
	if errors.As(err, &pe) && pe.ConstraintName != "" {
		return pe.ConstraintName, true
	}
	return "", false
}

// Transient tells whether the same work may succeed later unchanged: the
// server is away, or it gave up a statement in favour of another.
func Transient(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		switch pe.Code {
		case "40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300", "25P03":
			return true
		}
		return len(pe.Code) > 2 && pe.Code[:2] == "08"
	}
	var ce *pgconn.ConnectError
	return errors.As(err, &ce) || pgconn.Timeout(err) || pgconn.SafeToRetry(err) || isConnLoss(err)
}
