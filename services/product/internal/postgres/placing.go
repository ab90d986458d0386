package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

const insertHolds = `
INSERT INTO holds (order_id, user_id, state, expires_at, due_at)
SELECT d.order_id, nullif(d.user_id, '00000000-0000-0000-0000-000000000000'), 'held', now() + d.ttl, now() + d.ttl
FROM unnest($1::uuid[], $2::uuid[], $3::interval[]) AS d (order_id, user_id, ttl)
ON CONFLICT ON CONSTRAINT holds_pkey DO NOTHING
RETURNING order_id, expires_at`

const forgetHolds = `DELETE FROM holds WHERE order_id = ANY($1)`

// PlaceAll implements stock.Store. It is two round trips between BEGIN and
// COMMIT however many orders there are, unless one of them is a repetition.
func (s *Stock) PlaceAll(ctx context.Context, steps []stock.Step, fn func([]stock.Hold, stock.Shelf) ([]stock.Decision, []events.Event)) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		holds, shelf, err := s.openHolds(ctx, steps)
		if err != nil {
			return err
		}
		decisions, evs := fn(holds, shelf)
		batch := &pgx.Batch{}
		queuePlaced(batch, shelf, steps, holds, decisions)
		if err := s.db.Later(ctx, batch); err != nil {
			return fmt.Errorf("save holds: %w", err)
		}
		return s.tell(ctx, shelf, stock.Net(decisions), evs)
	})
}

// openHolds makes the holds that are new and locks the inventory. Holds that are
// there already are read without a lock: placing changes none of them.
func (s *Stock) openHolds(ctx context.Context, steps []stock.Step) ([]stock.Hold, stock.Shelf, error) {
	orders, users, ttls := make([]uuid.UUID, len(steps)), make([]uuid.UUID, len(steps)), make([]time.Duration, len(steps))
	var products []uuid.UUID
	for i, step := range steps {
		orders[i], users[i], ttls[i] = step.OrderID, step.First.UserID, step.TTL
		products = append(products, step.Products...)
	}
	expires, shelf := map[uuid.UUID]time.Time{}, stock.Shelf{}
	batch := &pgx.Batch{}
	batch.Queue(keepPlans)
	batch.Queue(insertHolds, orders, users, ttls).Query(func(rows pgx.Rows) error {
		var id uuid.UUID
		var at time.Time
		_, err := pgx.ForEachRow(rows, []any{&id, &at}, func() error { expires[id] = at.UTC(); return nil })
		return err
	})
	batch.Queue(lockItems, products).Query(func(rows pgx.Rows) error {
		items, err := pgx.CollectRows(rows, scanItem)
		for _, it := range items {
			shelf[it.ProductID] = it
		}
		return err
	})
	if err := send(ctx, s.db, batch); err != nil {
		return nil, nil, fmt.Errorf("open holds: %w", err)
	}
	holds := make([]stock.Hold, len(steps))
	for i, step := range steps {
		at, isNew := expires[step.OrderID]
		holds[i] = stock.Hold{OrderID: step.OrderID, UserID: step.First.UserID, ExpiresAt: at}
		if isNew {
			continue
		}
		var err error
		if holds[i], err = s.readHold(ctx, selectHold, step.OrderID); err != nil {
			return nil, nil, err
		}
	}
	return holds, shelf, nil
}

func queuePlaced(batch *pgx.Batch, shelf stock.Shelf, steps []stock.Step, holds []stock.Hold, decisions []stock.Decision) {
	var refused []uuid.UUID
	var lines []heldLine
	var entries []entry
	for i, d := range decisions {
		if holds[i].State == stock.None && d.State == stock.None {
			refused = append(refused, steps[i].OrderID)
		}
		lines = append(lines, linesOf(steps[i].OrderID, d.Lines)...)
		for _, m := range d.Moves {
			entries = append(entries, entry{m, steps[i].OrderID})
		}
	}
	queueLines(batch, lines)
	queueCounters(batch, shelf, stock.Net(decisions))
	queueLedger(batch, entries, steps[0].Actor, "")
	if refused != nil {
		batch.Queue(forgetHolds, refused)
	}
}
