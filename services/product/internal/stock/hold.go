package stock

import (
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/internal/mutant"
)

// State is how far the stock of one order has come.
type State string

// The states of a hold. None: nothing was ever heard of the order.
const (
	None     State = ""
	Held     State = "held"
	Released State = "released"
	Reserved State = "reserved"
	Rejected State = "rejected"
	Shipped  State = "shipped"
)

// HeldLine is a line at the price, name and tax class that the hold answered.
type HeldLine struct {
	Line
	SKU, Name string
	UnitPrice money.Money
	TaxClass  string
}

// Hold is the stock of one order. Cancelled is final: whatever comes later
// holds and reserves nothing.
type Hold struct {
	OrderID   uuid.UUID
	UserID    uuid.UUID // the nil UUID when not known
	State     State
	Cancelled bool
	Lines     []HeldLine
	ExpiresAt time.Time
}

func (h Hold) lines() []Line {
	lines := make([]Line, len(h.Lines))
	for i, l := range h.Lines {
		lines[i] = l.Line
	}
	return lines
}

// Notice is what the order service is told of a decision.
type Notice int

// The notices. Silent: nothing to tell.
const (
	Silent Notice = iota
	ToldReserved
	ToldRejected
)

// ShortLine is a line that could not be had.
type ShortLine struct {
	Line
	Available int64
}

// Decision is what becomes of a hold. Lines, when set, are its new lines.
type Decision struct {
	State     State
	Cancelled bool
	Lines     []HeldLine
	Moves     []Movement
	Notice    Notice
	Short     []ShortLine
}

func (h Hold) stay() Decision { return Decision{State: h.State, Cancelled: h.Cancelled} }

// take moves every line at once, or tells which are short.
func take(wanted []Line, shelf Shelf, kind Kind) ([]Movement, []ShortLine) {
	var moves []Movement
	var short []ShortLine
	for _, l := range wanted {
		free := shelf[l.ProductID].Available()
		if free < l.Quantity && !mutant.On(mutant.NoStockGuard) {
			short = append(short, ShortLine{Line: l, Available: free})
			continue
		}
		m := Movement{ProductID: l.ProductID, Kind: kind}
		switch kind {
		case KindHold:
			m.Held = l.Quantity
		case KindReserve:
			m.Reserved = l.Quantity
		case KindShip:
			m.OnHand = -l.Quantity
		}
		moves = append(moves, m)
	}
	if short != nil {
		return nil, short
	}
	return moves, nil
}

func priced(wanted []Line, shelf Shelf) []HeldLine {
	lines := make([]HeldLine, len(wanted))
	for i, l := range wanted {
		it := shelf[l.ProductID]
		lines[i] = HeldLine{Line: l, SKU: it.SKU, Name: it.Name, UnitPrice: it.Price, TaxClass: it.TaxClass}
	}
	return lines
}

// each makes one movement a line of the hold.
func (h Hold) each(kind Kind, fill func(m *Movement, quantity int64)) []Movement {
	moves := make([]Movement, len(h.Lines))
	for i, l := range h.Lines {
		moves[i] = Movement{ProductID: l.ProductID, Kind: kind}
		fill(&moves[i], l.Quantity)
	}
	return moves
}

// Place decides on a first hold of sorted lines: all of it or, with Short set,
// nothing. A hold that exists stays as it is.
func Place(h Hold, wanted []Line, shelf Shelf) Decision {
	if h.State != None || h.Cancelled {
		return h.stay()
	}
	moves, short := take(wanted, shelf, KindHold)
	if short != nil {
		return Decision{State: None, Short: short}
	}
	return Decision{State: Held, Moves: moves, Lines: priced(wanted, shelf)}
}

// Release undoes a hold that is not yet a reservation. Nothing held leaves a
// mark all the same, so that a late hold is refused.
func Release(h Hold) Decision {
	switch h.State {
	case None:
		return Decision{State: Released}
	case Held:
		return Decision{State: Released, Cancelled: h.Cancelled, Moves: h.letGo(KindRelease)}
	}
	return h.stay()
}

func (h Hold) letGo(kind Kind) []Movement {
	return h.each(kind, func(m *Movement, q int64) { m.Held = -q })
}

// Confirm turns a hold into a reservation. When the hold is gone it tries the
// free stock; what cannot be had is rejected as a whole. lines are the order's
// own, used when nothing was ever held.
func Confirm(h Hold, lines []Line, shelf Shelf) Decision {
	if h.Cancelled {
		return h.stay()
	}
	switch h.State {
	case Held:
		return Decision{State: Reserved, Notice: ToldReserved,
			Moves: h.each(KindReserve, func(m *Movement, q int64) { m.Held, m.Reserved = -q, q })}
	case None, Released:
		return reserveFresh(h, lines, shelf)
	}
	return h.stay()
}

func reserveFresh(h Hold, lines []Line, shelf Shelf) Decision {
	wanted := SortLines(lines)
	if len(h.Lines) > 0 {
		wanted = h.lines()
	}
	moves, short := take(wanted, shelf, KindReserve)
	if short != nil {
		return Decision{State: Rejected, Notice: ToldRejected, Short: short}
	}
	d := Decision{State: Reserved, Notice: ToldReserved, Moves: moves}
	if len(h.Lines) == 0 {
		d.Lines = priced(wanted, shelf)
	}
	return d
}

// Cancel gives back what the order holds or has reserved, once. What was
// shipped stays shipped.
func Cancel(h Hold) Decision {
	d := Decision{State: h.State, Cancelled: true}
	switch h.State {
	case None:
		d.State = Released
	case Held:
		d.State, d.Moves = Released, h.letGo(KindRelease)
	case Reserved:
		d.State = Released
		d.Moves = h.each(KindUnreserve, func(m *Movement, q int64) { m.Reserved = -q })
	}
	return d
}

// Ship takes what is reserved off the shelf. An order ships only after this
// service has told that it is reserved, so any other state means that history
// was lost: what is held, or else what is free, leaves the shelf, since the goods
// are gone; false tells that there is nothing to take.
func Ship(h Hold, lines []Line, shelf Shelf) (Decision, bool) {
	switch {
	case h.State == Shipped:
		return h.stay(), true
	case h.State == Reserved:
		return Decision{State: Shipped, Cancelled: h.Cancelled,
			Moves: h.each(KindShip, func(m *Movement, q int64) { m.OnHand, m.Reserved = -q, -q })}, true
	case h.State == Held:
		return Decision{State: Shipped, Cancelled: h.Cancelled,
			Moves: h.each(KindShip, func(m *Movement, q int64) { m.OnHand, m.Held = -q, -q })}, true
	case h.Cancelled || h.State == Rejected:
		return h.stay(), false
	}
	wanted := SortLines(lines)
	moves, short := take(wanted, shelf, KindShip)
	if short != nil {
		return h.stay(), false
	}
	d := Decision{State: Shipped, Moves: moves}
	if len(h.Lines) == 0 {
		d.Lines = priced(wanted, shelf)
	}
	return d, true
}

// Expire ends a hold past its time, once the order service has said that no
// order stands behind it. Any other word of it leaves the hold alone.
func Expire(h Hold, order OrderState) Decision {
	if h.State != Held || !order.Gone() {
		return h.stay()
	}
	return Decision{State: Released, Cancelled: h.Cancelled || order == OrderCancelled, Moves: h.letGo(KindExpire)}
}

// OrderState is what the order service says of an order.
type OrderState string

// The words that end a hold.
const (
	OrderCancelled OrderState = "cancelled"
	OrderUnknown   OrderState = "unknown"
)

// Gone tells whether a hold for such an order may be undone.
func (s OrderState) Gone() bool { return s == OrderCancelled || s == OrderUnknown }

// Settled tells that no event moves stock of this order any more, save by mistake.
func (h Hold) Settled() bool {
	return h.State == Rejected || h.State == Shipped || (h.State == Released && h.Cancelled)
}
