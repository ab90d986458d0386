package stock

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// Bounds of one order, as the cart has them.
const (
	maxLines    = 1200
	maxQuantity = 9999
)

// Result is the answer to a hold.
type Result string

// The answers. Undone: the order was released or cancelled before.
const (
	ResultHeld        Result = "held"
	ResultOutOfStock  Result = "out_of_stock"
	ResultUnavailable Result = "product_unavailable"
	ResultUndone      Result = "undone"
)

// Unavailable is a line of a product that cannot be ordered.
type Unavailable struct {
	ProductID uuid.UUID
	Reason    string // unknown, draft or archived
}

// Placement is what a hold came to.
type Placement struct {
	Result      Result
	ExpiresAt   time.Time
	Lines       []HeldLine
	Short       []ShortLine
	Unavailable []Unavailable
}

// errRefused undoes the transaction of a hold that was refused.
var errRefused = errors.New("stock: hold refused")

const statusActive = "active"

func unavailable(wanted []Line, shelf Shelf) []Unavailable {
	var out []Unavailable
	for _, l := range wanted {
		item, known := shelf[l.ProductID]
		switch {
		case !known:
			out = append(out, Unavailable{l.ProductID, "unknown"})
		case item.Status != statusActive:
			out = append(out, Unavailable{l.ProductID, item.Status})
		}
	}
	return out
}

// Place holds all lines of an order or none. Repeated, it gives the first
// answer again; a refusal leaves no trace and may be asked again. It commits by
// itself, with neighbours that ask at the same time, and joins no transaction.
func (s *Service) Place(ctx context.Context, orderID, userID uuid.UUID, lines []Line) (Placement, error) {
	wanted, err := checkLines(lines)
	if err != nil {
		return Placement{}, err
	}
	return s.placeTogether(ctx, Step{OrderID: orderID, First: Hold{UserID: userID, State: Held}, TTL: s.holdTTL, Wanted: wanted,
		Products: Products(wanted), Actor: "order"})
}

// placeAlone is Place in a transaction that nobody shares.
func (s *Service) placeAlone(ctx context.Context, step Step) (Placement, error) {
	var p Placement
	err := s.store.Decide(ctx, step, func(h Hold, shelf Shelf) (Decision, []events.Event, error) {
		var d Decision
		if p, d = place(h, step.Wanted, shelf); d.State == None {
			return Decision{}, nil, errRefused
		}
		return d, FlipEvents(shelf, d.Moves), nil
	})
	if err != nil && !errors.Is(err, errRefused) {
		return Placement{}, err
	}
	return p, nil
}

// place decides on a hold and words the answer. State None is a refusal.
func place(h Hold, wanted []Line, shelf Shelf) (Placement, Decision) {
	if h.State != None {
		return repeated(h), h.stay()
	}
	if bad := unavailable(wanted, shelf); bad != nil {
		return Placement{Result: ResultUnavailable, Unavailable: bad}, Decision{}
	}
	d := Place(h, wanted, shelf)
	if d.Short != nil {
		return Placement{Result: ResultOutOfStock, Short: d.Short}, Decision{}
	}
	return Placement{Result: ResultHeld, ExpiresAt: h.ExpiresAt, Lines: d.Lines}, d
}

func repeated(h Hold) Placement {
	switch h.State {
	case Held, Reserved, Shipped:
		return Placement{Result: ResultHeld, ExpiresAt: h.ExpiresAt, Lines: h.Lines}
	}
	return Placement{Result: ResultUndone}
}

func checkLines(lines []Line) ([]Line, error) {
	if len(lines) == 0 || len(lines) > maxLines {
		return nil, ErrLinesInvalid
	}
	sorted := SortLines(lines)
	for i, l := range sorted {
		if l.Quantity < 1 || l.Quantity > maxQuantity || (i > 0 && sorted[i-1].ProductID == l.ProductID) {
			return nil, ErrLinesInvalid
		}
	}
	return sorted, nil
}

// ReleaseResult is the answer to a release.
type ReleaseResult string

// The answers to a release.
const (
	ReleaseDone     ReleaseResult = "released"
	ReleaseNothing  ReleaseResult = "nothing"
	ReleaseReserved ReleaseResult = "reserved"
)

// Release undoes the hold of an order whose placing failed, and forbids a late one.
func (s *Service) Release(ctx context.Context, orderID uuid.UUID) (ReleaseResult, error) {
	var result ReleaseResult
	step := Step{OrderID: orderID, First: Hold{State: Released}, Actor: "order"}
	err := s.store.Decide(ctx, step, func(h Hold, shelf Shelf) (Decision, []events.Event, error) {
		d := Release(h)
		switch h.State {
		case Held, Released:
			result = ReleaseDone
		case Reserved, Shipped:
			result = ReleaseReserved
		default:
			result = ReleaseNothing
		}
		return d, noticeEvents(h, d, shelf), nil
	})
	return result, err
}

// Confirmed is order.confirmed: the hold becomes a reservation.
func (s *Service) Confirmed(ctx context.Context, orderID uuid.UUID, lines []Line) error {
	step := Step{OrderID: orderID, First: Hold{State: Released}, Products: Products(lines), Actor: "order.confirmed"}
	return s.store.Decide(ctx, step, func(h Hold, shelf Shelf) (Decision, []events.Event, error) {
		d := Confirm(h, lines, shelf)
		return d, noticeEvents(h, d, shelf), nil
	})
}

// Cancelled is order.cancelled: whatever is held or reserved comes back, once.
func (s *Service) Cancelled(ctx context.Context, orderID uuid.UUID) error {
	step := Step{OrderID: orderID, First: Hold{State: Released, Cancelled: true}, Actor: "order.cancelled"}
	return s.store.Decide(ctx, step, func(h Hold, shelf Shelf) (Decision, []events.Event, error) {
		d := Cancel(h)
		return d, noticeEvents(h, d, shelf), nil
	})
}

// Shipped is order.shipped: the goods leave the shelf. ErrNothingToShip is final.
func (s *Service) Shipped(ctx context.Context, orderID uuid.UUID, lines []Line) error {
	step := Step{OrderID: orderID, First: Hold{State: Released}, Products: Products(lines), Actor: "order.shipped"}
	return s.store.Decide(ctx, step, func(h Hold, shelf Shelf) (Decision, []events.Event, error) {
		d, ok := Ship(h, lines, shelf)
		if !ok {
			return Decision{}, nil, ErrNothingToShip
		}
		return d, noticeEvents(h, d, shelf), nil
	})
}
