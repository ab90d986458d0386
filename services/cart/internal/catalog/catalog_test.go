package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/cart/internal/catalog"
)

// neighbour answers as Product does, in JSON.
type neighbour struct {
	unknown uuid.UUID
	calls   int
	err     error
}

func (n *neighbour) Invoke(_ context.Context, app, path string, in, out any) error {
	n.calls++
	if n.err != nil {
		return n.err
	}
	if app != "product" || path != "/internal/products/lookup" {
		return fmt.Errorf("called %s%s", app, path)
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	var q struct {
		ProductIDs []string `json:"product_ids"`
	}
	if err := json.Unmarshal(raw, &q); err != nil {
		return err
	}
	found := []map[string]any{}
	for _, id := range q.ProductIDs {
		if id != n.unknown.String() {
			found = append(found, map[string]any{
				"id": id, "sku": "A", "name": "B", "price": map[string]any{"amount": 5, "currency": "GBP"},
				"tax_class": "standard", "status": "active", "available": 3, "version": 2,
			})
		}
	}
	raw, err = json.Marshal(map[string]any{"products": found})
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

func TestLookup(t *testing.T) {
	ids := make([]uuid.UUID, 1200)
	for i := range ids {
		ids[i] = uuid.New()
	}
	n := &neighbour{unknown: ids[7]}
	got, err := catalog.New(n, time.Now).Lookup(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := got[ids[7]]; ok || len(got) != 1199 || n.calls != 2 {
		t.Errorf("got %d products in %d calls, want 1199 in 2", len(got), n.calls)
	}
	if p := got[ids[0]]; p.Price.Amount != 5 || p.Available != 3 || !p.Active() {
		t.Errorf("product: %+v", p)
	}
	n.err = errors.New("away")
	if _, err := catalog.New(n, time.Now).Lookup(t.Context(), ids); !errors.Is(err, n.err) {
		t.Errorf("got %v, want %v", err, n.err)
	}
}

func TestGlanceRemembersForAMoment(t *testing.T) {
	now := time.Unix(0, 0)
	n := &neighbour{}
	c := catalog.New(n, func() time.Time { return now })
	a, b := uuid.New(), uuid.New()
	glance := func(calls int, ids ...uuid.UUID) {
		t.Helper()
		got, err := c.Glance(t.Context(), ids)
		if err != nil || len(got) != len(ids) || n.calls != calls {
			t.Errorf("got %d products, %v, after %d calls; want %d after %d", len(got), err, n.calls, len(ids), calls)
		}
	}
	if _, err := c.Lookup(t.Context(), []uuid.UUID{a}); err != nil {
		t.Fatal(err)
	}
	glance(1, a)
	glance(2, a, b)
	if _, err := c.Lookup(t.Context(), []uuid.UUID{a}); err != nil || n.calls != 3 {
		t.Errorf("a lookup answered from memory: %d calls, %v", n.calls, err)
	}
	now = now.Add(time.Second)
	glance(4, a, b)
}
