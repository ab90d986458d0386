// Package catalog asks Product for what a cart shows.
package catalog

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
	"github.com/caravan-shop/caravan/services/internal/money"
)

// batch is how many products one lookup may name.
const batch = 1000

// Caller is the way to another service.
type Caller interface {
	// Invoke posts in to a path of another app and decodes the answer into out.
	Invoke(ctx context.Context, app, path string, in, out any) error
}

// What Product said is good for a glance for a moment: a shopper who adds a
// line and looks at the cart costs one question. Of more products than seenMost
// nothing is remembered.
const (
	seenFor  = time.Second
	seenMost = 5000
)

// Client implements cart.Catalog. Safe for concurrent use.
type Client struct {
	caller Caller
	now    func() time.Time
	mu     sync.Mutex
	seen   map[uuid.UUID]sight
}

type sight struct {
	product cart.Product
	at      time.Time
}

// New makes a client.
func New(c Caller, now func() time.Time) *Client {
	return &Client{caller: c, now: now, seen: map[uuid.UUID]sight{}}
}

type question struct {
	ProductIDs []uuid.UUID `json:"product_ids"`
}

type answer struct {
	Products []struct {
		ID        uuid.UUID   `json:"id"`
		SKU       string      `json:"sku"`
		Name      string      `json:"name"`
		Price     money.Money `json:"price"`
		Status    string      `json:"status"`
		Available int64       `json:"available"`
		Version   int64       `json:"version"`
	} `json:"products"`
}

// Lookup gives what Product says of the ids now; unknown ones are left out.
func (c *Client) Lookup(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]cart.Product, error) {
	out := make(map[uuid.UUID]cart.Product, len(ids))
	asked := c.now()
	for part := range slices.Chunk(ids, batch) {
		var a answer
		if err := c.caller.Invoke(ctx, "product", "/internal/products/lookup", question{part}, &a); err != nil {
			return nil, err
		}
		for _, p := range a.Products {
			out[p.ID] = cart.Product{
				ID: p.ID, SKU: p.SKU, Name: p.Name, Price: p.Price,
				Status: p.Status, Available: p.Available, Version: p.Version,
			}
		}
	}
	c.remember(out, asked)
	return out, nil
}

// Glance asks only for what was not seen a moment ago.
func (c *Client) Glance(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]cart.Product, error) {
	known, missing := c.recall(ids)
	if len(missing) == 0 {
		return known, nil
	}
	found, err := c.Lookup(ctx, missing)
	if err != nil {
		return nil, err
	}
	maps.Copy(found, known)
	return found, nil
}

func (c *Client) recall(ids []uuid.UUID) (known map[uuid.UUID]cart.Product, missing []uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, now := make(map[uuid.UUID]cart.Product, len(ids)), c.now()
	for _, id := range ids {
		if s, ok := c.seen[id]; ok && now.Sub(s.at) < seenFor {
			known[id] = s.product
		} else {
			missing = append(missing, id)
		}
	}
	return known, missing
}

func (c *Client) remember(found map[uuid.UUID]cart.Product, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen)+len(found) > seenMost {
		clear(c.seen)
	}
	for id, p := range found {
		c.seen[id] = sight{p, asked}
	}
}
