package stock

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/fault"
)

// Refusals of this package.
var (
	ErrProductNotFound = fault.New(fault.NotFound, "product_not_found", "There is no such product.")
	ErrBelowCommitted  = fault.New(fault.Conflict, "below_committed", "Less would remain than is held and reserved for orders.")
	ErrDeltaZero       = fault.New(fault.Invalid, "delta_invalid", "The delta must be a whole number other than zero, below 10^12 either way.")
	ErrReasonMissing   = fault.New(fault.Invalid, "reason_invalid", "Give a reason of 1 to 500 characters.")
	ErrLinesInvalid    = fault.New(fault.Invalid, "lines_invalid", "Give 1 to 1,200 lines of different products, each of 1 to 9,999.")
	// ErrNothingToShip tells of goods that left without ever being reserved.
	ErrNothingToShip = errors.New("stock: order shipped, but nothing of it was reserved")
)

// Step names the rows of one decision: the hold of an order, made as First if
// there is none yet, and the inventory of its lines and of Products besides.
type Step struct {
	OrderID  uuid.UUID
	First    Hold
	TTL      time.Duration // how long a hold made as First lasts
	Products []uuid.UUID
	Wanted   []Line // of a hold to be placed, sorted
	Actor    string
}

// Store keeps counters, ledger and holds. A method joins a transaction that is
// in the context.
type Store interface {
	// Decide locks the hold and then the inventory rows in product id order, calls
	// fn and saves what it decides with its events, all in one transaction. The hold
	// given to fn has State None when the order is new. An error of fn undoes all.
	Decide(ctx context.Context, step Step, fn func(Hold, Shelf) (Decision, []events.Event, error)) error
	// PlaceAll inserts a hold for each step, of different orders by order id, or
	// reads the one that is there; locks the inventory of all steps in product id
	// order and calls fn once, with holds in the order of steps. A new hold whose
	// decision has State None leaves no trace. All in one transaction of its own.
	PlaceAll(ctx context.Context, steps []Step, fn func([]Hold, Shelf) ([]Decision, []events.Event)) error
	// Move locks the inventory rows in product id order and applies what fn returns.
	// The Shelf lacks products that do not exist.
	Move(ctx context.Context, ids []uuid.UUID, actor, reason string, fn func(Shelf) ([]Movement, []events.Event, error)) error
	// Items reads without locks, in the order of ids; unknown ones are left out.
	Items(ctx context.Context, ids []uuid.UUID) ([]Item, error)
	// ClaimDue picks holds past due and puts their next turn off by the lease.
	ClaimDue(ctx context.Context, limit int, lease time.Duration) ([]uuid.UUID, error)
}

// Orders asks the order service. An error means no answer.
type Orders interface {
	States(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]OrderState, error)
}

// Service is the use cases of stock.
type Service struct {
	store   Store
	orders  Orders
	holdTTL time.Duration
	log     *slog.Logger
	placing placing
}

// New makes the service; holds last for holdTTL before their order is asked about.
func New(store Store, orders Orders, holdTTL time.Duration, log *slog.Logger) *Service {
	return &Service{store: store, orders: orders, holdTTL: holdTTL, log: log}
}

// FlipEvents tells of products that came into stock or went out of it.
func FlipEvents(shelf Shelf, moves []Movement) []events.Event {
	var evs []events.Event
	for _, f := range Flips(shelf, moves) {
		data := events.ProductData{ProductID: f.Item.ProductID, SKU: f.Item.SKU, Version: f.Item.Version, Changed: []string{"in_stock"}}
		if f.InStock {
			evs = append(evs, &events.ProductUpdated{ProductData: data})
		} else {
			evs = append(evs, &events.ProductOutOfStock{ProductData: data})
		}
	}
	return evs
}

// noticeEvents is the flips first, in product id order, then the word to Order:
// one fixed order, since each key's counter row is locked.
func noticeEvents(h Hold, d Decision, shelf Shelf) []events.Event {
	evs := FlipEvents(shelf, d.Moves)
	data := events.InventoryData{OrderID: h.OrderID}
	switch d.Notice {
	case ToldReserved:
		for _, m := range d.Moves {
			data.Lines = append(data.Lines, events.StockLine{ProductID: m.ProductID, Quantity: m.Reserved})
		}
		evs = append(evs, &events.InventoryReserved{InventoryData: data})
	case ToldRejected:
		for _, s := range d.Short {
			data.Lines = append(data.Lines, events.StockLine{ProductID: s.ProductID, Quantity: s.Quantity, Short: s.Quantity - s.Available})
		}
		evs = append(evs, &events.InventoryRejected{InventoryData: data})
	}
	return evs
}

// Lookup gives items in the order of ids; unknown ones are left out.
func (s *Service) Lookup(ctx context.Context, ids []uuid.UUID) ([]Item, error) {
	return s.store.Items(ctx, ids)
}

// Counters of one product; ErrProductNotFound if there is none.
func (s *Service) Counters(ctx context.Context, id uuid.UUID) (Item, error) {
	items, err := s.store.Items(ctx, []uuid.UUID{id})
	if err != nil {
		return Item{}, err
	}
	if len(items) == 0 {
		return Item{}, ErrProductNotFound
	}
	return items[0], nil
}

const maxDelta = int64(1e12)

// Adjust adds delta to what is on the shelf and gives the counters after it.
func (s *Service) Adjust(ctx context.Context, id uuid.UUID, delta int64, reason, actor string) (Counters, error) {
	if delta == 0 || delta > maxDelta || delta < -maxDelta {
		return Counters{}, ErrDeltaZero
	}
	if reason == "" || len([]rune(reason)) > 500 {
		return Counters{}, ErrReasonMissing
	}
	var after Counters
	err := s.store.Move(ctx, []uuid.UUID{id}, actor, reason, func(shelf Shelf) ([]Movement, []events.Event, error) {
		item, ok := shelf[id]
		if !ok {
			return nil, nil, ErrProductNotFound
		}
		if item.Available()+delta < 0 {
			return nil, nil, ErrBelowCommitted
		}
		m := Movement{ProductID: id, Kind: KindAdjust, OnHand: delta}
		after = item.after(m)
		return []Movement{m}, FlipEvents(shelf, []Movement{m}), nil
	})
	return after, err
}
