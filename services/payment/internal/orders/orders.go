// Package orders asks the order service through the sidecar what became of
// orders that were charged for.
package orders

import (
	"context"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/payment/internal/audit"
)

// Invoker calls a neighbour; its error means no answer.
type Invoker interface {
	Invoke(ctx context.Context, app, path string, in, out any) error
}

// Client asks the order service.
type Client struct{ via Invoker }

// New makes the client.
func New(via Invoker) *Client { return &Client{via: via} }

var _ audit.Orders = (*Client)(nil)

// States implements audit.Orders.
func (c *Client) States(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]audit.State, error) {
	in := struct {
		OrderIDs []uuid.UUID `json:"order_ids"`
	}{ids}
	var out struct {
		Orders []struct {
			OrderID       uuid.UUID `json:"order_id"`
			Status        string    `json:"status"`
			PaymentStatus string    `json:"payment_status"`
		} `json:"orders"`
	}
	if err := c.via.Invoke(ctx, "order", "/internal/orders/states", in, &out); err != nil {
		return nil, err
	}
	states := make(map[uuid.UUID]audit.State, len(out.Orders))
	for _, o := range out.Orders {
		states[o.OrderID] = audit.State{Status: o.Status, PaymentStatus: o.PaymentStatus}
	}
	return states, nil
}
