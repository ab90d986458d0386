package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/internal/pg"
)

// Copies of products that follow by the projection queue.
const (
	ProjectionSearch = "search"
	ProjectionCache  = "cache"
)

// Projections is the queue of products whose copies are behind.
type Projections struct{ db *pg.DB }

// NewProjections makes the queue.
func NewProjections(db *pg.DB) *Projections { return &Projections{db: db} }

const markProducts = `
INSERT INTO projection_queue (projection, product_id)
SELECT projection, id FROM unnest($1::uuid[]) AS ids (id) CROSS JOIN unnest($2::text[]) AS ps (projection)`

// The margin covers transactions that were open when the rebuild began.
const markChangedSince = `
INSERT INTO projection_queue (projection, product_id)
SELECT 'search', p.id FROM products p JOIN product_inventory i ON i.product_id = p.id
WHERE p.changed_at > now() - $1::interval OR i.flipped_at > now() - $1::interval`

const claimQueue = `
SELECT id, product_id FROM projection_queue WHERE projection = $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED`

const deleteQueue = `DELETE FROM projection_queue WHERE id = ANY($1)`

// Mark queues products for every projection named.
func (q *Projections) Mark(ctx context.Context, ids []uuid.UUID, projections ...string) error {
	if _, err := q.db.Conn(ctx).Exec(ctx, markProducts, ids, projections); err != nil {
		return fmt.Errorf("queue products: %w", err)
	}
	return nil
}

// MarkChanged queues for the index what changed within the last while.
func (q *Projections) MarkChanged(ctx context.Context, within time.Duration) error {
	if _, err := q.db.Conn(ctx).Exec(ctx, markChangedSince, within); err != nil {
		return fmt.Errorf("queue changed products: %w", err)
	}
	return nil
}

// Drain hands the oldest queued products, each once, to fn and takes them off
// the queue when fn has succeeded. It tells how many rows went. Replicas drain
// side by side.
func (q *Projections) Drain(ctx context.Context, projection string, limit int, fn func(ctx context.Context, ids []uuid.UUID) error) (int, error) {
	taken := 0
	err := q.db.InTx(ctx, func(ctx context.Context) error {
		rows, err := q.db.Conn(ctx).Query(ctx, claimQueue, projection, limit)
		if err != nil {
			return fmt.Errorf("claim queue: %w", err)
		}
		var queued []int64
		var ids []uuid.UUID
		seen := map[uuid.UUID]bool{}
		var n int64
		var id uuid.UUID
		_, err = pgx.ForEachRow(rows, []any{&n, &id}, func() error {
			queued = append(queued, n)
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
			return nil
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := fn(ctx, ids); err != nil {
			return err
		}
		taken = len(queued)
		if _, err := q.db.Conn(ctx).Exec(ctx, deleteQueue, queued); err != nil {
			return fmt.Errorf("shorten queue: %w", err)
		}
		return nil
	})
	return taken, err
}

// MarkAll queues a product for every copy.
func (q *Projections) MarkAll(ctx context.Context, id uuid.UUID) error {
	return q.Mark(ctx, []uuid.UUID{id}, ProjectionSearch, ProjectionCache)
}

// MarkAlerts queues a product that may be back in stock for those who wait.
func (q *Projections) MarkAlerts(ctx context.Context, id uuid.UUID) error {
	return q.Mark(ctx, []uuid.UUID{id}, ProjectionAlerts)
}
