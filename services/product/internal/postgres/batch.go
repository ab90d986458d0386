package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caravan-shop/caravan/services/internal/mutant"
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

// entry is a movement of the ledger with the order that it is for, if any.
type entry struct {
	stock.Movement
	orderID uuid.UUID
}

// queueMoves applies movements, at most one a product, to the counters and
// writes them to the ledger.
func queueMoves(batch *pgx.Batch, shelf stock.Shelf, moves []stock.Movement, orderID uuid.UUID, actor, reason string) {
	entries := make([]entry, len(moves))
	for i, m := range moves {
		entries[i] = entry{m, orderID}
	}
	queueCounters(batch, shelf, moves)
	queueLedger(batch, entries, actor, reason)
}

// columns are movements by column.
type columns struct {
	ids                    []uuid.UUID
	kinds                  []string
	onHand, held, reserved []int64
}

func (c *columns) add(m stock.Movement) {
	c.ids, c.kinds = append(c.ids, m.ProductID), append(c.kinds, string(m.Kind))
	c.onHand, c.held, c.reserved = append(c.onHand, m.OnHand), append(c.held, m.Held), append(c.reserved, m.Reserved)
}

func queueCounters(batch *pgx.Batch, shelf stock.Shelf, moves []stock.Movement) {
	if len(moves) == 0 {
		return
	}
	flipped := map[uuid.UUID]bool{}
	for _, f := range stock.Flips(shelf, moves) {
		flipped[f.Item.ProductID] = true
	}
	var c columns
	flips := make([]int64, len(moves))
	for i, m := range moves {
		c.add(m)
		if flipped[m.ProductID] {
			flips[i] = 1
		}
	}
	move := moveInventory
	if mutant.On(mutant.NoStockGuard) {
		move = moveUnguarded
	}
	batch.Queue(move, c.ids, c.onHand, c.held, c.reserved, flips).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(len(moves)) {
			return errGuard
		}
		return nil
	})
}

func queueLedger(batch *pgx.Batch, entries []entry, actor, reason string) {
	if len(entries) == 0 {
		return
	}
	var c columns
	orders := make([]uuid.UUID, len(entries))
	for i, e := range entries {
		c.add(e.Movement)
		orders[i] = e.orderID
	}
	batch.Queue(insertMovements, c.ids, c.kinds, c.onHand, c.held, c.reserved, orders, actor, reason)
}

// heldLine is a line of a hold with its order.
type heldLine struct {
	stock.HeldLine
	orderID uuid.UUID
}

func linesOf(orderID uuid.UUID, lines []stock.HeldLine) []heldLine {
	out := make([]heldLine, len(lines))
	for i, l := range lines {
		out[i] = heldLine{l, orderID}
	}
	return out
}

func queueLines(batch *pgx.Batch, lines []heldLine) {
	if len(lines) == 0 {
		return
	}
	n := len(lines)
	orders, ids, quantities, amounts := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]int64, n), make([]int64, n)
	skus, names, currencies, taxes := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, l := range lines {
		orders[i], ids[i], quantities[i], amounts[i] = l.orderID, l.ProductID, l.Quantity, l.UnitPrice.Amount
		skus[i], names[i], currencies[i], taxes[i] = l.SKU, l.Name, l.UnitPrice.Currency, l.TaxClass
	}
	batch.Queue(insertHoldLines, orders, ids, quantities, skus, names, amounts, currencies, taxes)
}
