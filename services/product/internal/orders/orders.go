// Package orders asks the order service through the sidecar: what became of an
// order whose hold is due, and whether a reviewer bought a product.
package orders

import (
	"context"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/product/internal/product"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

const app = "order"

// Invoker calls a neighbour; its error means no answer.
type Invoker interface {
	Invoke(ctx context.Context, app, path string, in, out any) error
}

// Client asks the order service.
type Client struct{ via Invoker }

// New makes the client.
func New(via Invoker) *Client { return &Client{via: via} }

var (
	_ stock.Orders      = (*Client)(nil)
	_ product.Purchases = (*Client)(nil)
)

// States implements stock.Orders. An order left out of the answer has no state.
func (c *Client) States(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]stock.OrderState, error) {
	in := struct {
		OrderIDs []uuid.UUID `json:"order_ids"`
	}{ids}
	var out struct {
		Orders []struct {
			OrderID uuid.UUID        `json:"order_id"`
			Status  stock.OrderState `json:"status"`
		} `json:"orders"`
	}
	if err := c.via.Invoke(ctx, app, "/internal/orders/states", in, &out); err != nil {
		return nil, err
	}
	states := make(map[uuid.UUID]stock.OrderState, len(out.Orders))
	for _, o := range out.Orders {
		states[o.OrderID] = o.Status
	}
	return states, nil
}

// Purchased implements product.Purchases.
func (c *Client) Purchased(ctx context.Context, userID, productID uuid.UUID) (bool, error) {
	in := struct {
		UserID    uuid.UUID `json:"user_id"`
		ProductID uuid.UUID `json:"product_id"`
	}{userID, productID}
	var out struct {
		Purchased bool `json:"purchased"`
	}
	err := c.via.Invoke(ctx, app, "/internal/purchases/verify", in, &out)
	return out.Purchased, err
}
