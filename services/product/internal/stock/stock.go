// Package stock owns what is on the shelf: counters, the ledger of movements
// behind them, and the holds and reservations of orders. Every decision is a
// pure function of what is locked; the store applies it. It must not know HTTP,
// SQL or Kafka.
package stock

import (
	"bytes"
	"slices"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/money"
)

// Counters are the units of one product. Available is never negative.
type Counters struct{ OnHand, Held, Reserved int64 }

// Available is what a new hold may take.
func (c Counters) Available() int64 { return c.OnHand - c.Held - c.Reserved }

// Committed is what the shelf may not go below.
func (c Counters) Committed() int64 { return c.Held + c.Reserved }

func (c Counters) after(m Movement) Counters {
	return Counters{OnHand: c.OnHand + m.OnHand, Held: c.Held + m.Held, Reserved: c.Reserved + m.Reserved}
}

// Item is a product as an order needs it, read together with its counters.
type Item struct {
	Counters
	ProductID uuid.UUID
	SKU, Name string
	Price     money.Money
	TaxClass  string
	Status    string
	Version   int64
}

// Shelf is what was locked for a decision, by product.
type Shelf map[uuid.UUID]Item

// Line is a quantity of one product.
type Line struct {
	ProductID uuid.UUID
	Quantity  int64
}

// Kind says why a counter moved.
type Kind string

// The kinds of movement.
const (
	KindCount     Kind = "count"     // the shelf was counted
	KindAdjust    Kind = "adjust"    // staff added or took
	KindHold      Kind = "hold"      // an order is being placed
	KindRelease   Kind = "release"   // a hold was undone
	KindExpire    Kind = "expire"    // a hold outlived its order
	KindReserve   Kind = "reserve"   // an order is paid
	KindUnreserve Kind = "unreserve" // a paid order was cancelled
	KindShip      Kind = "ship"      // the goods left
)

// Movement is one row of the ledger: what was added to each counter.
type Movement struct {
	ProductID              uuid.UUID
	Kind                   Kind
	OnHand, Held, Reserved int64
}

// Flip tells that a product came into stock or went out of it.
type Flip struct {
	Item    Item
	InStock bool
}

// Flips compares availability before and after the movements, by product id.
// A caller gives at most one movement a product.
func Flips(shelf Shelf, moves []Movement) []Flip {
	var flips []Flip
	for _, m := range moves {
		before := shelf[m.ProductID]
		after := before.after(m)
		if (before.Available() > 0) != (after.Available() > 0) {
			flips = append(flips, Flip{Item: before, InStock: after.Available() > 0})
		}
	}
	slices.SortFunc(flips, func(a, b Flip) int { return compareIDs(a.Item.ProductID, b.Item.ProductID) })
	return flips
}

// compareIDs is PostgreSQL's order of uuids: rows are locked in it.
func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// SortLines gives the lines in the order in which their rows are locked.
func SortLines(lines []Line) []Line {
	sorted := slices.Clone(lines)
	slices.SortFunc(sorted, func(a, b Line) int { return compareIDs(a.ProductID, b.ProductID) })
	return sorted
}

// Products are the ids of the lines.
func Products(lines []Line) []uuid.UUID {
	ids := make([]uuid.UUID, len(lines))
	for i, l := range lines {
		ids[i] = l.ProductID
	}
	return ids
}
