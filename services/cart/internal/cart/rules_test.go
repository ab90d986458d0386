package cart

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/caravan-shop/caravan/services/internal/money"
)

const slide = 168 * time.Hour

func at(seconds int) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

// id makes the same id of the same number.
func id(n int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte{byte(n), byte(n >> 8)}) }

func product(n int, price int64) Product {
	return Product{ID: id(n), SKU: "$sku", Name: "$name", Price: money.New(price, "GBP"), Status: "active", Available: 50}
}

// quantities is a cart by product, without what time adds.
func quantities(items []Item) map[uuid.UUID]int {
	m := map[uuid.UUID]int{}
	for _, it := range items {
		m[it.ProductID] += it.Quantity
	}
	return m
}

// machine drives a cart by random requests and keeps beside it what must be
// in it.
type machine struct {
	cart   Cart
	model  map[uuid.UUID]int
	orders []uuid.UUID
	// takenBy is what each order holds; undone orders hold nothing for ever.
	takenBy map[uuid.UUID]map[uuid.UUID]int
	undone  map[uuid.UUID]bool
	// open are the takings that were not undone, oldest first; lost are those
	// whose content gave way to newer ones.
	open  []uuid.UUID
	lost  map[uuid.UUID]bool
	clock int
	last  int64
}

func (m *machine) commit(t *rapid.T, changed bool) {
	if !changed {
		return
	}
	m.clock++
	if err := m.cart.stamp(at(m.clock), slide, uuid.NewString()); err != nil {
		t.Fatal(err)
	}
	for i := range len(m.open) - keepContents {
		m.lost[m.open[i]] = true
	}
}

func (m *machine) add(t *rapid.T) {
	p := product(rapid.IntRange(1, 6).Draw(t, "product"), rapid.Int64Range(0, 5000).Draw(t, "price"))
	n := rapid.IntRange(-1, 6000).Draw(t, "quantity")
	err := m.cart.Add(p, n, at(m.clock))
	want := n >= 1 && m.model[p.ID]+n <= MaxQuantity
	if (err == nil) != want {
		t.Fatalf("add %d to %d: error %v, want success %v", n, m.model[p.ID], err, want)
	}
	if err == nil {
		m.model[p.ID] += n
		m.commit(t, true)
	}
}

func (m *machine) set(t *rapid.T) {
	p := product(rapid.IntRange(1, 6).Draw(t, "product"), rapid.Int64Range(0, 5000).Draw(t, "price"))
	n := rapid.IntRange(0, MaxQuantity+1).Draw(t, "quantity")
	changed, err := m.cart.Set(p, n, at(m.clock))
	if (err == nil) != (n >= 1 && n <= MaxQuantity) {
		t.Fatalf("set to %d: error %v", n, err)
	}
	if err == nil {
		m.model[p.ID] = n
		m.commit(t, changed)
	}
}

func (m *machine) remove(t *rapid.T) {
	p := id(rapid.IntRange(1, 6).Draw(t, "product"))
	_, was := m.model[p]
	if got := m.cart.Remove(p); got != was {
		t.Fatalf("remove: got %v, want %v", got, was)
	}
	delete(m.model, p)
	m.commit(t, was)
}

// order is a new one or one of the last few: what is older is forgotten, which
// is within the rules, as one checkout of a user runs at a time.
func (m *machine) order(t *rapid.T) uuid.UUID {
	if len(m.orders) > 0 && rapid.Bool().Draw(t, "again") {
		return rapid.SampledFrom(m.orders[max(0, len(m.orders)-4):]).Draw(t, "order")
	}
	o := id(1000 + len(m.orders))
	m.orders = append(m.orders, o)
	return o
}

func (m *machine) take(t *rapid.T) {
	o := m.order(t)
	version := m.cart.Version - int64(rapid.IntRange(0, 1).Draw(t, "behind"))
	before := m.cart.clone()
	got, changed := m.cart.Take(o, version, at(m.clock))
	_, had := m.takenBy[o]
	switch {
	case m.undone[o]:
		expect(t, got, TakeUndone, changed, false)
	case had:
		expect(t, got, TakeTaken, changed, false)
	case version != before.Version || len(m.model) == 0:
		expect(t, got, TakeChanged, changed, false)
	default:
		expect(t, got, TakeTaken, changed, true)
		m.takenBy[o] = m.model
		m.open = append(m.open, o)
		m.model = map[uuid.UUID]int{}
	}
	m.commit(t, changed)
}

func (m *machine) restore(t *rapid.T) {
	o := m.order(t)
	got, changed := m.cart.Restore(o, at(m.clock))
	held, had := m.takenBy[o]
	switch {
	case m.undone[o]:
		if changed {
			t.Fatal("a repeated restore changed the cart")
		}
	case had && !m.lost[o]:
		expect(t, got, RestoreRestored, changed, true)
		for p, n := range held {
			m.model[p] = min(m.model[p]+n, MaxQuantity)
		}
	default:
		expect(t, got, RestoreNothing, changed, true)
	}
	m.undone[o] = true
	m.open = slices.DeleteFunc(m.open, func(other uuid.UUID) bool { return other == o })
	m.commit(t, changed)
}

func expect[T comparable](t *rapid.T, got, want T, changed, wantChanged bool) {
	if got != want || changed != wantChanged {
		t.Fatalf("got %v (changed %v), want %v (changed %v)", got, changed, want, wantChanged)
	}
}

func (m *machine) check(t *rapid.T) {
	if d := cmp.Diff(m.model, quantities(m.cart.Items)); d != "" {
		t.Fatalf("content differs (-want +got):\n%s", d)
	}
	var sum int64
	for _, it := range m.cart.Items {
		sum += it.UnitPriceAmount * int64(it.Quantity)
	}
	if m.cart.Version > 0 && m.cart.SubtotalAmount != sum {
		t.Fatalf("subtotal %d, want %d", m.cart.SubtotalAmount, sum)
	}
	if m.cart.Version < m.last {
		t.Fatalf("version went back from %d to %d", m.last, m.cart.Version)
	}
	m.last = m.cart.Version
	storable(t, m.cart)
}

// TestCartKeepsWhatWasAskedFor holds a cart against a model over random
// requests: content, totals, versions, exactly-once takes and restores.
func TestCartKeepsWhatWasAskedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		user := id(1)
		m := &machine{
			cart: empty(&user, "GBP"), model: map[uuid.UUID]int{},
			takenBy: map[uuid.UUID]map[uuid.UUID]int{}, undone: map[uuid.UUID]bool{}, lost: map[uuid.UUID]bool{},
		}
		t.Repeat(map[string]func(*rapid.T){
			"": m.check, "add": m.add, "set": m.set, "remove": m.remove, "take": m.take, "restore": m.restore,
		})
	})
}

// plain is what a string of a document may be: the state store evaluates a
// value as an expression, in which a leading $ means something.
var plain = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z:.+-]*$`)

type fataler interface {
	Fatalf(format string, args ...any)
}

func storable(t fataler, c Cart) {
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	walk(t, v)
}

func walk(t fataler, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if !plain.MatchString(regexp.MustCompile(`_`).ReplaceAllString(name, "")) {
				t.Fatalf("member %q can't be stored", name)
			}
			walk(t, member)
		}
	case []any:
		for _, member := range v {
			walk(t, member)
		}
	case string:
		if !plain.MatchString(v) {
			t.Fatalf("%q is free text and can't be stored", v)
		}
	case float64:
		if v != float64(int64(v)) || v >= 1<<53 {
			t.Fatalf("%v is no integer below 2^53", v)
		}
	}
}

func TestDocumentHoldsNoFreeText(t *testing.T) {
	user := id(1)
	c := empty(&user, "GBP")
	for _, rule := range []func(){
		func() { _ = c.Add(product(1, 5), 2, at(0)) },
		func() { c.remember(NewCall("/v1/cart/items", `$where: "1"`, []byte(`{"$a":1}`)), at(0)) },
		func() { c.Reprice(product(1, 7)) },
		func() {
			c.Absorb(Guest("$token").guest, []Item{{ProductID: id(1), Quantity: 1}}, map[uuid.UUID]Product{id(1): product(1, 3)}, at(0))
		},
		func() { _, _ = c.Close(id(2)) },
		func() { c.Take(id(3), c.Version, at(0)) },
		func() { c.Restore(id(4), at(0)) },
		func() { now := at(0); c.ErasedAt = &now },
	} {
		rule()
		if err := c.stamp(at(1), slide, uuid.NewString()); err != nil {
			t.Fatal(err)
		}
		storable(t, c)
	}
}

func TestLimits(t *testing.T) {
	user := id(1)
	c := empty(&user, "GBP")
	for n := range MaxLines {
		if err := c.Add(product(n, 1), 1, at(0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Add(product(MaxLines, 1), 1, at(0)); !errors.Is(err, ErrFull) {
		t.Errorf("line %d: got %v, want %v", MaxLines+1, err, ErrFull)
	}
	if err := c.Add(product(0, 1), 1, at(0)); err != nil {
		t.Errorf("more of what is there: %v", err)
	}
	archived := product(5, 1)
	archived.Status = "archived"
	if err := c.Add(archived, 1, at(0)); !errors.Is(err, ErrProductNotAvailable) {
		t.Errorf("archived product: got %v, want %v", err, ErrProductNotAvailable)
	}
	dear := empty(&user, "GBP")
	if err := dear.Add(product(1, 1<<52), 2, at(0)); err != nil {
		t.Fatal(err)
	}
	if err := dear.stamp(at(1), slide, "w"); !errors.Is(err, ErrTotalTooLarge) {
		t.Errorf("total of 2^53: got %v, want %v", err, ErrTotalTooLarge)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	user := id(1)
	c := empty(&user, "GBP")
	for n := range 300 {
		_ = c.Add(product(n%3, 1), 1, at(n))
		c.remember(NewCall("r", string(rune(n)), nil), at(n))
		c.Merged = append(c.Merged, Merged{Guest: "g", At: at(n)})
		if _, took := c.Take(id(5000+n), c.Version, at(n)); !took {
			t.Fatal("not taken")
		}
		c.Restore(id(9000+n), at(n))
		if err := c.stamp(at(n), slide, uuid.NewString()); err != nil {
			t.Fatal(err)
		}
	}
	contents := 0
	for _, taken := range c.Taken {
		if len(taken.Items) > 0 {
			contents++
		}
	}
	got := []int{len(c.Calls), len(c.Writes), len(c.Taken), contents, len(c.Undone), len(c.Merged)}
	if d := cmp.Diff([]int{keepCalls, keepWrites, keepTaken, keepContents, keepUndone, keepMerged}, got); d != "" {
		t.Errorf("what is remembered (-want +got):\n%s", d)
	}
	if seen, _ := c.Seen(NewCall("r", string(rune(299)), nil), at(299+24*3600)); seen {
		t.Error("a key of a day ago still counts")
	}
}
