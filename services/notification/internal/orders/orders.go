// Package orders asks Order whether an order still waits for its payment.
package orders

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	app        = "order"
	statesPath = "/internal/orders/states"
)

// Invoker calls another service. Its error means that there was no answer, or
// one that is no success.
type Invoker interface {
	Invoke(ctx context.Context, app, path string, in, out any) error
}

// Client implements notification.Orders.
type Client struct {
	invoker  Invoker
	patience time.Duration
}

// New makes a client; patience bounds one call.
func New(invoker Invoker, patience time.Duration) *Client {
	return &Client{invoker: invoker, patience: patience}
}

type statesAnswer struct {
	Orders []state `json:"orders"`
}

type state struct {
	OrderID       uuid.UUID `json:"order_id"`
	Status        string    `json:"status"`
	PaymentStatus string    `json:"payment_status"`
}

// AwaitsPayment implements notification.Orders: the order is created and
// nothing was captured. An order that Order does not know waits for nothing.
func (c *Client) AwaitsPayment(ctx context.Context, orderID uuid.UUID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	var a statesAnswer
	in := map[string]any{"order_ids": []uuid.UUID{orderID}}
	if err := c.invoker.Invoke(ctx, app, statesPath, in, &a); err != nil {
		return false, fmt.Errorf("orders: %s: %w", statesPath, err)
	}
	for _, s := range a.Orders {
		if s.OrderID == orderID {
			return s.Status == "created" && unpaid(s.PaymentStatus), nil
		}
	}
	return false, fmt.Errorf("orders: %s: the answer does not name the order", statesPath)
}

// unpaid is true before a capture. Order may hear of a failure later than
// Notification does, so its status may still be pending.
func unpaid(paymentStatus string) bool {
	switch paymentStatus {
	case "", "pending", "requires_action", "failed":
		return true
	default:
		return false
	}
}
