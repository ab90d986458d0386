package stock_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

var mug, cup = uuid.MustParse("01990000-0000-7000-8000-000000000001"), uuid.MustParse("01990000-0000-7000-8000-000000000002")

func held(state stock.State, cancelled bool) stock.Hold {
	h := stock.Hold{State: state, Cancelled: cancelled}
	if state != stock.None {
		h.Lines = []stock.HeldLine{{Line: stock.Line{ProductID: mug, Quantity: 2}}}
	}
	return h
}

func full() stock.Shelf {
	return stock.Shelf{mug: {ProductID: mug, Counters: stock.Counters{OnHand: 9, Held: 2, Reserved: 2}}}
}

func empty() stock.Shelf {
	return stock.Shelf{mug: {ProductID: mug, Counters: stock.Counters{OnHand: 4, Held: 2, Reserved: 2}}}
}

// Every state meets every event: what becomes of it, what moves, who is told.
func TestTransitions(t *testing.T) {
	type move = stock.Movement
	lines := []stock.Line{{ProductID: mug, Quantity: 2}}
	confirm := func(h stock.Hold) stock.Decision { return stock.Confirm(h, lines, full()) }
	confirmSoldOut := func(h stock.Hold) stock.Decision { return stock.Confirm(h, lines, empty()) }
	gone := func(h stock.Hold) stock.Decision { return stock.Expire(h, stock.OrderUnknown) }
	stands := func(h stock.Hold) stock.Decision { return stock.Expire(h, "created") }
	for _, tc := range []struct {
		event     string
		do        func(stock.Hold) stock.Decision
		from      stock.State
		cancelled bool
		to        stock.State
		moves     move
		notice    stock.Notice
	}{
		{"release", stock.Release, stock.None, false, stock.Released, move{}, stock.Silent},
		{"release", stock.Release, stock.Held, false, stock.Released, move{Held: -2}, stock.Silent},
		{"release", stock.Release, stock.Reserved, false, stock.Reserved, move{}, stock.Silent},
		{"release", stock.Release, stock.Released, false, stock.Released, move{}, stock.Silent},
		{"confirm", confirm, stock.Held, false, stock.Reserved, move{Held: -2, Reserved: 2}, stock.ToldReserved},
		{"confirm", confirm, stock.None, false, stock.Reserved, move{Reserved: 2}, stock.ToldReserved},
		{"confirm", confirm, stock.Released, false, stock.Reserved, move{Reserved: 2}, stock.ToldReserved},
		{"confirm", confirm, stock.Released, true, stock.Released, move{}, stock.Silent},
		{"confirm", confirm, stock.Held, true, stock.Held, move{}, stock.Silent},
		{"confirm", confirm, stock.Reserved, false, stock.Reserved, move{}, stock.Silent},
		{"confirm", confirm, stock.Shipped, false, stock.Shipped, move{}, stock.Silent},
		{"confirm sold out", confirmSoldOut, stock.None, false, stock.Rejected, move{}, stock.ToldRejected},
		{"confirm sold out", confirmSoldOut, stock.Released, false, stock.Rejected, move{}, stock.ToldRejected},
		{"confirm sold out", confirmSoldOut, stock.Held, false, stock.Reserved, move{Held: -2, Reserved: 2}, stock.ToldReserved},
		{"confirm sold out", confirmSoldOut, stock.Rejected, false, stock.Rejected, move{}, stock.Silent},
		{"cancel", stock.Cancel, stock.None, false, stock.Released, move{}, stock.Silent},
		{"cancel", stock.Cancel, stock.Held, false, stock.Released, move{Held: -2}, stock.Silent},
		{"cancel", stock.Cancel, stock.Reserved, false, stock.Released, move{Reserved: -2}, stock.Silent},
		{"cancel", stock.Cancel, stock.Shipped, false, stock.Shipped, move{}, stock.Silent},
		{"cancel", stock.Cancel, stock.Released, true, stock.Released, move{}, stock.Silent},
		{"expire", gone, stock.Held, false, stock.Released, move{Held: -2}, stock.Silent},
		{"expire", gone, stock.Reserved, false, stock.Reserved, move{}, stock.Silent},
		{"expire, order stands", stands, stock.Held, false, stock.Held, move{}, stock.Silent},
	} {
		d := tc.do(held(tc.from, tc.cancelled))
		var sum move
		for _, m := range d.Moves {
			sum.OnHand, sum.Held, sum.Reserved = sum.OnHand+m.OnHand, sum.Held+m.Held, sum.Reserved+m.Reserved
		}
		if d.State != tc.to || sum != tc.moves || d.Notice != tc.notice {
			t.Errorf("%s in %q (cancelled %v): got %q moving %+v, notice %d; want %q moving %+v, notice %d",
				tc.event, tc.from, tc.cancelled, d.State, sum, d.Notice, tc.to, tc.moves, tc.notice)
		}
	}
}

func TestShipping(t *testing.T) {
	lines := []stock.Line{{ProductID: mug, Quantity: 2}}
	for _, tc := range []struct {
		hold  stock.Hold
		ok    bool
		moves []stock.Movement
	}{
		{held(stock.Reserved, false), true, []stock.Movement{{ProductID: mug, Kind: stock.KindShip, OnHand: -2, Reserved: -2}}},
		{held(stock.Held, false), true, []stock.Movement{{ProductID: mug, Kind: stock.KindShip, OnHand: -2, Held: -2}}},
		{held(stock.None, false), true, []stock.Movement{{ProductID: mug, Kind: stock.KindShip, OnHand: -2}}},
		{held(stock.Shipped, false), true, nil},
		{held(stock.Released, true), false, nil},
		{held(stock.Rejected, false), false, nil},
	} {
		d, ok := stock.Ship(tc.hold, lines, full())
		if ok != tc.ok || !slices.Equal(d.Moves, tc.moves) {
			t.Errorf("ship in %q: got %v %+v, want %v %+v", tc.hold.State, ok, d.Moves, tc.ok, tc.moves)
		}
	}
}

// Whatever comes in whatever order: counters stay legal, a cancelled order ends
// with nothing, and a hold never moves more than it took.
func TestAnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shelf := stock.Shelf{}
		for _, id := range []uuid.UUID{mug, cup} {
			shelf[id] = stock.Item{ProductID: id, Counters: stock.Counters{OnHand: rapid.Int64Range(0, 4).Draw(t, "units")}}
		}
		lines := []stock.Line{{ProductID: mug, Quantity: 2}, {ProductID: cup, Quantity: 1}}
		holds := map[int]*stock.Hold{0: {}, 1: {}, 2: {}}
		apply := func(h *stock.Hold, d stock.Decision) {
			for _, m := range d.Moves {
				it := shelf[m.ProductID]
				it.OnHand, it.Held, it.Reserved = it.OnHand+m.OnHand, it.Held+m.Held, it.Reserved+m.Reserved
				if it.OnHand < 0 || it.Held < 0 || it.Reserved < 0 || it.Available() < 0 {
					t.Fatalf("counters %+v after %+v", it.Counters, m)
				}
				shelf[m.ProductID] = it
			}
			if h.Cancelled && !d.Cancelled {
				t.Fatalf("a cancelled order came back: %+v", d)
			}
			h.State, h.Cancelled = d.State, d.Cancelled
			if d.Lines != nil {
				h.Lines = d.Lines
			}
		}
		for range rapid.IntRange(1, 20).Draw(t, "events") {
			h := holds[rapid.IntRange(0, 2).Draw(t, "order")]
			switch rapid.IntRange(0, 5).Draw(t, "event") {
			case 0:
				apply(h, stock.Place(*h, lines, shelf))
			case 1:
				apply(h, stock.Confirm(*h, lines, shelf))
			case 2:
				apply(h, stock.Cancel(*h))
			case 3:
				apply(h, stock.Release(*h))
			case 4:
				apply(h, stock.Expire(*h, stock.OrderCancelled))
			case 5:
				if h.State == stock.Reserved {
					d, _ := stock.Ship(*h, lines, shelf)
					apply(h, d)
				}
			}
		}
		for _, h := range holds {
			apply(h, stock.Cancel(*h))
		}
		for id, it := range shelf {
			if it.Held != 0 || it.Reserved != 0 {
				t.Fatalf("all orders cancelled or shipped, %s has %+v", id, it.Counters)
			}
		}
	})
}
