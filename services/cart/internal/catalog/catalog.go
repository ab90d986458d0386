// Package catalog asks Product for what a cart shows.
package catalog

import (
	"context"
	"slices"

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

// Client implements cart.Catalog.
type Client struct{ caller Caller }

// New makes a client.
func New(c Caller) *Client { return &Client{c} }

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
	return out, nil
}
