// Package postgres keeps the identity domain in user_service_db. Every statement
// on that database is here, one a constant; no rule of the domain is.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations is the schema, for `user migrate` and for tests.
func Migrations() (fs.FS, error) { return fs.Sub(migrations, "migrations") }

// Store implements the ports of the domain. Safe for concurrent use.
type Store struct {
	db      *pg.DB
	box     *outbox.Box
	revoked func(sessions []uuid.UUID)
}

// New makes a store. revoked is called with the ids of sessions once their end
// has been committed; it must be quick.
func New(db *pg.DB, box *outbox.Box, revoked func([]uuid.UUID)) *Store {
	return &Store{db: db, box: box, revoked: revoked}
}

// InTx implements user.Transactor.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.InTx(ctx, fn)
}

func (s *Store) exec(ctx context.Context, what, sql string, args ...any) (int64, error) {
	tag, err := s.db.Conn(ctx).Exec(ctx, sql, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, domainError(err))
	}
	return tag.RowsAffected(), nil
}

// one reads a single row, or answers absent.
func one[T any](ctx context.Context, s *Store, what string, absent error, scan pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, sql, args...)
	if err != nil {
		var zero T
		return zero, fmt.Errorf("%s: %w", what, err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return v, absent
	}
	if err != nil {
		return v, fmt.Errorf("%s: %w", what, err)
	}
	return v, nil
}

func many[T any](ctx context.Context, s *Store, what string, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	vs, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return vs, nil
}
