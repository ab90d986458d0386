package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	insertErased = `INSERT INTO erased_users (user_id) VALUES ($1) ON CONFLICT ON CONSTRAINT erased_users_pkey DO NOTHING`
	// The kept answers show addresses, those to staff who shipped or cancelled an
	// order of the person too.
	dropAnswers = `
DELETE FROM idempotency_keys WHERE user_id = $1 OR position(convert_to('"user_id":"' || $1::uuid::text, 'UTF8') IN body) > 0`
	selectNaming = `SELECT id FROM orders WHERE user_id = $1 AND NOT erased ORDER BY id`
)

// Forget remembers a deleted user and gives the orders that still name the
// person. From here on no checkout of that user commits.
func (s *Store) Forget(ctx context.Context, user uuid.UUID) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	batch := &pgx.Batch{}
	batch.Queue(lockPerson, user)
	batch.Queue(insertErased, user)
	batch.Queue(dropAnswers, user)
	batch.Queue(selectNaming, user).Query(func(rows pgx.Rows) (err error) {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err := s.db.Conn(ctx).SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("forget user: %w", err)
	}
	return ids, nil
}
