package cart

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestView(t *testing.T) {
	user := id(1)
	c := empty(&user, "GBP")
	for n := 1; n <= 6; n++ {
		if err := c.Add(product(n, 100), 10, at(0)); err != nil {
			t.Fatal(err)
		}
	}
	c.Reprice(product(2, 120)) // noted by the event, then the price fell again
	if err := c.stamp(at(1), slide, "w"); err != nil {
		t.Fatal(err)
	}
	now := map[uuid.UUID]Product{}
	for n, p := range map[int]Product{1: product(1, 130), 2: product(2, 90), 3: product(3, 100), 4: product(4, 100), 5: product(5, 100)} {
		now[id(n)] = p
	}
	edit := func(n int, f func(*Product)) { p := now[id(n)]; f(&p); now[id(n)] = p }
	edit(3, func(p *Product) { p.Available = 4 })
	edit(4, func(p *Product) { p.Available = 0 })
	edit(5, func(p *Product) { p.Status = "archived" })

	v, err := NewView(c, now)
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{
		{id(1), PriceIncreased, 100, 130},
		{id(2), PriceDecreased, 100, 90},
		{id(3), InsufficientStock, 10, 4},
		{id(4), OutOfStock, 10, 0},
		{id(5), NotAvailable, 10, 0},
		{id(6), NotAvailable, 10, 0},
	}
	if d := cmp.Diff(want, v.Changes); d != "" {
		t.Errorf("changes differ (-want +got):\n%s", d)
	}
	if v.Subtotal != 10*(130+90+4*100) || v.Degraded {
		t.Errorf("subtotal %d, degraded %v", v.Subtotal, v.Degraded)
	}

	blind, err := NewView(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]Change{{id(2), PriceIncreased, 100, 120}}, blind.Changes); d != "" {
		t.Errorf("changes without Product differ (-want +got):\n%s", d)
	}
	if !blind.Degraded || blind.Subtotal != 10*(5*100+120) {
		t.Errorf("without Product: subtotal %d, degraded %v", blind.Subtotal, blind.Degraded)
	}
}

func TestTouchingALineAcceptsItsPrice(t *testing.T) {
	user := id(1)
	c := empty(&user, "GBP")
	p := product(1, 100)
	if err := c.Add(p, 1, at(0)); err != nil {
		t.Fatal(err)
	}
	p.Price.Amount = 150
	if !c.Reprice(p) || c.Reprice(p) {
		t.Fatal("a price is noted once")
	}
	if got := c.Items[0].priceWhenAdded(); got != 100 {
		t.Fatalf("price when added: got %d, want 100", got)
	}
	if changed, err := c.Set(p, 1, at(1)); !changed || err != nil {
		t.Fatalf("set: %v, %v", changed, err)
	}
	if got := c.Items[0].priceWhenAdded(); got != 150 {
		t.Errorf("after the shopper's touch: got %d, want 150", got)
	}
	p.Price.Amount = 100
	c.Reprice(p)
	p.Price.Amount = 150
	c.Reprice(p)
	if c.Items[0].AddedPriceAmount != nil {
		t.Error("a price that came back is no drift")
	}
}

func TestAbsorb(t *testing.T) {
	stock := func(n int, available int64, status string) Product {
		p := product(n, 10)
		p.Available, p.Status = available, status
		return p
	}
	products := map[uuid.UUID]Product{
		id(1): stock(1, 6, "active"), id(2): stock(2, 1, "active"), id(3): stock(3, 0, "active"),
		id(4): stock(4, 9, "archived"), id(5): stock(5, 20000, "active"), id(7): stock(7, 3, "active"),
	}
	user := id(100)
	c := empty(&user, "GBP")
	for n, q := range map[int]int{1: 3, 2: 5, 5: 9000} {
		if err := c.Add(product(n, 10), q, at(0)); err != nil {
			t.Fatal(err)
		}
	}
	var lines []Item
	for n, q := range map[int]int{1: 5, 2: 2, 3: 2, 4: 2, 5: 5000, 6: 1, 7: 2} {
		lines = append(lines, Item{ProductID: id(n), Quantity: q})
	}
	if !c.Absorb("guest", lines, products, at(1)) {
		t.Fatal("not absorbed")
	}
	// 1: capped by stock; 2: never lowered; 3, 4, 6: not to be had; 5: the line's limit.
	want := map[uuid.UUID]int{id(1): 6, id(2): 5, id(5): MaxQuantity, id(7): 2}
	if d := cmp.Diff(want, quantities(c.Items)); d != "" {
		t.Errorf("merged cart differs (-want +got):\n%s", d)
	}
	if c.Absorb("guest", lines, products, at(2)) {
		t.Error("a guest cart came in twice")
	}
}
