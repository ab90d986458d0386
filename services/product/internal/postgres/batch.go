package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

// send runs a batch in one round trip; an empty one costs none.
func send(ctx context.Context, db *pg.DB, batch *pgx.Batch) error {
	if batch.Len() == 0 {
		return nil
	}
	return db.Conn(ctx).SendBatch(ctx, batch).Close()
}

func nullID(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// queueMoves applies movements to the counters and writes them to the ledger.
func queueMoves(batch *pgx.Batch, shelf stock.Shelf, moves []stock.Movement, orderID *uuid.UUID, actor, reason string) {
	if len(moves) == 0 {
		return
	}
	flipped := map[uuid.UUID]bool{}
	for _, f := range stock.Flips(shelf, moves) {
		flipped[f.Item.ProductID] = true
	}
	n := len(moves)
	ids, kinds := make([]uuid.UUID, n), make([]string, n)
	onHand, held, reserved, flips := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i, m := range moves {
		ids[i], kinds[i] = m.ProductID, string(m.Kind)
		onHand[i], held[i], reserved[i] = m.OnHand, m.Held, m.Reserved
		if flipped[m.ProductID] {
			flips[i] = 1
		}
	}
	batch.Queue(moveInventory, ids, onHand, held, reserved, flips).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(n) {
			return errGuard
		}
		return nil
	})
	batch.Queue(insertMovements, ids, kinds, onHand, held, reserved, orderID, actor, reason)
}

func queueLines(batch *pgx.Batch, orderID uuid.UUID, lines []stock.HeldLine) {
	if len(lines) == 0 {
		return
	}
	n := len(lines)
	ids, quantities, amounts := make([]uuid.UUID, n), make([]int64, n), make([]int64, n)
	skus, names, currencies, taxes := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, l := range lines {
		ids[i], quantities[i], amounts[i] = l.ProductID, l.Quantity, l.UnitPrice.Amount
		skus[i], names[i], currencies[i], taxes[i] = l.SKU, l.Name, l.UnitPrice.Currency, l.TaxClass
	}
	batch.Queue(insertHoldLines, orderID, ids, quantities, skus, names, amounts, currencies, taxes)
}
