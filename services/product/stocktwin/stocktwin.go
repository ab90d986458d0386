// Package stocktwin is Product's stock for the simulator: the real decisions and
// use cases of internal/stock over a database in memory. Only the simulator may
// import it.
package stocktwin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/internal/twin"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

// Line is a quantity of one product.
type Line struct {
	Product  uuid.UUID
	Quantity int64
}

// Priced is a line at the price that the hold answered.
type Priced struct {
	Line
	SKU, Name, TaxClass string
	Price               int64
}

// Placement is the answer to a hold: its lines, or why there is none.
type Placement struct {
	Result string
	Lines  []Priced
	Short  []Line // with what is free
}

// Counters are the units of one product.
type Counters struct{ OnHand, Held, Reserved int64 }

// Hold is what is kept of one order.
type Hold struct {
	State     string
	Cancelled bool
	Lines     []Priced
}

// States asks the order service; an error means no answer.
type States func(ctx context.Context, orders []uuid.UUID) (map[uuid.UUID]string, error)

// Twin is the service. Not safe for concurrent use.
type Twin struct {
	*twin.DB
	svc   *stock.Service
	ttl   time.Duration
	items map[uuid.UUID]stock.Item
	holds map[uuid.UUID]stock.Hold
	due   map[uuid.UUID]time.Time
	moved map[uuid.UUID]stock.Counters // sums of the ledger
}

// New makes a service without products.
func New(db *twin.DB, ttl time.Duration, states States) *Twin {
	t := &Twin{DB: db, ttl: ttl, items: map[uuid.UUID]stock.Item{}, holds: map[uuid.UUID]stock.Hold{},
		due: map[uuid.UUID]time.Time{}, moved: map[uuid.UUID]stock.Counters{}}
	t.svc = stock.New(t, asker(states), ttl, slog.New(slog.DiscardHandler))
	return t
}

type asker States

// States implements stock.Orders.
func (a asker) States(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]stock.OrderState, error) {
	words, err := a(ctx, ids)
	out := map[uuid.UUID]stock.OrderState{}
	for id, word := range words {
		out[id] = stock.OrderState(word)
	}
	return out, err
}

// Stock puts a new product on the shelf.
func (t *Twin) Stock(id uuid.UUID, sku string, price, units int64, currency string) {
	counters := stock.Counters{OnHand: units}
	t.items[id] = stock.Item{ProductID: id, SKU: sku, Name: sku, Status: "active", TaxClass: "standard",
		Price: money.New(price, currency), Counters: counters, Version: 1}
	t.moved[id] = counters
}

// Reprice changes a price.
func (t *Twin) Reprice(id uuid.UUID, price int64, currency string) {
	it := t.items[id]
	it.Price = money.New(price, currency)
	t.items[id] = it
}

// Adjust adds to what is on the shelf, as staff do.
func (t *Twin) Adjust(ctx context.Context, id uuid.UUID, delta int64) error {
	_, err := t.svc.Adjust(ctx, id, delta, "counted", "staff")
	return err
}

// errRefused undoes the transaction of a hold that was refused.
var errRefused = errors.New("stocktwin: refused")

// Place holds all lines of an order or none. The core decides; the batching of
// the real use case is left out, so that runs repeat exactly.
func (t *Twin) Place(ctx context.Context, order, user uuid.UUID, lines []Line) (Placement, error) {
	wanted := stock.SortLines(inner(lines))
	var p Placement
	step := stock.Step{OrderID: order, First: stock.Hold{UserID: user, State: stock.Held}, TTL: t.ttl, Products: stock.Products(wanted)}
	err := t.Decide(ctx, step, func(h stock.Hold, shelf stock.Shelf) (stock.Decision, []events.Event, error) {
		switch h.State {
		case stock.None:
		case stock.Held, stock.Reserved, stock.Shipped:
			p = Placement{Result: string(stock.ResultHeld), Lines: outer(h.Lines)}
			return stock.Decision{}, nil, errRefused // nothing to write
		default:
			p = Placement{Result: string(stock.ResultUndone)}
			return stock.Decision{}, nil, errRefused
		}
		d := stock.Place(h, wanted, shelf)
		if d.Short != nil {
			p = Placement{Result: string(stock.ResultOutOfStock)}
			for _, s := range d.Short {
				p.Short = append(p.Short, Line{s.ProductID, s.Available})
			}
			return stock.Decision{}, nil, errRefused
		}
		p = Placement{Result: string(stock.ResultHeld), Lines: outer(d.Lines)}
		return d, stock.FlipEvents(shelf, d.Moves), nil
	})
	if errors.Is(err, errRefused) {
		err = nil
	}
	return p, err
}

// PlaceAll implements stock.Store.
func (t *Twin) PlaceAll(context.Context, []stock.Step, func([]stock.Hold, stock.Shelf) ([]stock.Decision, []events.Event)) error {
	return errors.New("stocktwin: holds are placed one by one")
}

// Release undoes the hold of an order that never was.
func (t *Twin) Release(ctx context.Context, order uuid.UUID) error {
	_, err := t.svc.Release(ctx, order)
	return err
}

// ExpireDue ends holds past due that no order stands behind.
func (t *Twin) ExpireDue(ctx context.Context) error {
	_, err := t.svc.ExpireDue(ctx)
	return err
}

// Take takes an event in, once.
func (t *Twin) Take(ctx context.Context, id string, e events.Event) error {
	return t.Once(ctx, id, func(ctx context.Context) error {
		switch e := e.(type) {
		case *events.OrderConfirmed:
			return t.svc.Confirmed(ctx, e.OrderID, linesOf(e.OrderData))
		case *events.OrderCancelled:
			return t.svc.Cancelled(ctx, e.OrderID)
		case *events.OrderShipped:
			return t.svc.Shipped(ctx, e.OrderID, linesOf(e.OrderData))
		}
		return nil
	})
}

func linesOf(d events.OrderData) []stock.Line {
	var lines []stock.Line
	for _, it := range d.Items {
		lines = append(lines, stock.Line{ProductID: it.ProductID, Quantity: it.Quantity})
	}
	return lines
}

func inner(lines []Line) []stock.Line {
	out := make([]stock.Line, len(lines))
	for i, l := range lines {
		out[i] = stock.Line{ProductID: l.Product, Quantity: l.Quantity}
	}
	return out
}

func outer(lines []stock.HeldLine) []Priced {
	out := make([]Priced, len(lines))
	for i, l := range lines {
		out[i] = Priced{Line: Line{l.ProductID, l.Quantity}, SKU: l.SKU, Name: l.Name, TaxClass: l.TaxClass, Price: l.UnitPrice.Amount}
	}
	return out
}

// Counters are those of every product, with the sums of their movements.
func (t *Twin) Counters() (now, ledger map[uuid.UUID]Counters) {
	now, ledger = map[uuid.UUID]Counters{}, map[uuid.UUID]Counters{}
	for id, it := range t.items {
		now[id], ledger[id] = Counters(it.Counters), Counters(t.moved[id])
	}
	return now, ledger
}

// Each shows the counters of each product, in no order.
func (t *Twin) Each(show func(id uuid.UUID, c Counters)) {
	for id, it := range t.items {
		show(id, Counters(it.Counters))
	}
}

// Hold gives what is kept of an order; State is "" for one never heard of.
func (t *Twin) Hold(order uuid.UUID) Hold {
	h := t.holds[order]
	return Hold{State: string(h.State), Cancelled: h.Cancelled, Lines: outer(h.Lines)}
}

// Orders lists the orders that have a hold, in order of their ids.
func (t *Twin) Orders() []uuid.UUID { return sortedKeys(t.holds) }

func sortedKeys[V any](m map[uuid.UUID]V) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// errCheck stands for the CHECK constraints on the counters.
var errCheck = errors.New("stocktwin: a counter would be negative")

func (t *Twin) shelf(ids ...uuid.UUID) stock.Shelf {
	shelf := stock.Shelf{}
	for _, id := range ids {
		if it, ok := t.items[id]; ok {
			if t.Flaws.NoStockGuard {
				it.OnHand += 1 << 20 // whatever is asked for seems to be there
			}
			shelf[id] = it
		}
	}
	return shelf
}

func (t *Twin) apply(moves []stock.Movement) error {
	for _, m := range moves {
		it := t.items[m.ProductID]
		it.Counters = stock.Counters{OnHand: it.OnHand + m.OnHand, Held: it.Held + m.Held, Reserved: it.Reserved + m.Reserved}
		if !t.Flaws.NoStockGuard && (it.OnHand < 0 || it.Held < 0 || it.Reserved < 0 || it.Available() < 0) {
			return fmt.Errorf("%w: %+v", errCheck, it.Counters)
		}
		twin.Put(t.DB, t.items, m.ProductID, it)
		sum := t.moved[m.ProductID]
		sum = stock.Counters{OnHand: sum.OnHand + m.OnHand, Held: sum.Held + m.Held, Reserved: sum.Reserved + m.Reserved}
		twin.Put(t.DB, t.moved, m.ProductID, sum)
	}
	return nil
}

// Decide implements stock.Store.
func (t *Twin) Decide(ctx context.Context, s stock.Step, fn func(stock.Hold, stock.Shelf) (stock.Decision, []events.Event, error)) error {
	return t.InTx(ctx, func(context.Context) error {
		h, known := t.holds[s.OrderID]
		if !known {
			h = stock.Hold{OrderID: s.OrderID, UserID: s.First.UserID}
			if s.TTL > 0 {
				h.ExpiresAt = t.Now().Add(s.TTL)
			}
		}
		ids := slices.Clone(s.Products)
		for _, l := range h.Lines {
			ids = append(ids, l.ProductID)
		}
		d, evs, err := fn(h, t.shelf(ids...))
		if err != nil {
			return err
		}
		h.State, h.Cancelled = d.State, d.Cancelled
		if d.Lines != nil {
			h.Lines = d.Lines
		}
		twin.Put(t.DB, t.holds, s.OrderID, h)
		if h.State == stock.Held {
			twin.Put(t.DB, t.due, s.OrderID, h.ExpiresAt)
		} else {
			twin.Drop(t.DB, t.due, s.OrderID)
		}
		if err := t.apply(d.Moves); err != nil {
			return err
		}
		t.Append(evs...)
		return nil
	})
}

// Move implements stock.Store.
func (t *Twin) Move(ctx context.Context, ids []uuid.UUID, _, _ string, fn func(stock.Shelf) ([]stock.Movement, []events.Event, error)) error {
	return t.InTx(ctx, func(context.Context) error {
		moves, evs, err := fn(t.shelf(ids...))
		if err != nil {
			return err
		}
		if err := t.apply(moves); err != nil {
			return err
		}
		t.Append(evs...)
		return nil
	})
}

// Items implements stock.Store.
func (t *Twin) Items(_ context.Context, ids []uuid.UUID) ([]stock.Item, error) {
	var out []stock.Item
	for _, id := range ids {
		if it, ok := t.items[id]; ok {
			out = append(out, it)
		}
	}
	return out, nil
}

// ClaimDue implements stock.Store.
func (t *Twin) ClaimDue(_ context.Context, limit int, lease time.Duration) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	for _, id := range sortedKeys(t.due) {
		if len(ids) < limit && !t.due[id].After(t.Now()) {
			ids = append(ids, id)
			t.due[id] = t.Now().Add(lease)
		}
	}
	return ids, nil
}

// Prices gives each product at its present price.
func (t *Twin) Prices() []Priced {
	var all []Priced
	for _, id := range sortedKeys(t.items) {
		it := t.items[id]
		all = append(all, Priced{Line: Line{Product: id}, SKU: it.SKU, Name: it.Name, TaxClass: it.TaxClass, Price: it.Price.Amount})
	}
	return all
}
