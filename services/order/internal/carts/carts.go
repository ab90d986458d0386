// Package carts asks Cart, through the sidecar, for a customer's cart, takes it
// for an order and gives it back.
package carts

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/order/internal/checkout"
)

const app = "cart"

// Invoker posts JSON to another app. *sidecar.Client is one.
type Invoker interface {
	Invoke(ctx context.Context, app, path string, in, out any) error
}

// Client is the cart service as Order sees it.
type Client struct{ to Invoker }

// New makes a client.
func New(to Invoker) *Client { return &Client{to} }

type readRequest struct {
	UserID uuid.UUID `json:"user_id"`
}

type readAnswer struct {
	Result  string `json:"result"`
	Version int64  `json:"version"`
	Items   []struct {
		ProductID uuid.UUID `json:"product_id"`
		Quantity  int64     `json:"quantity"`
	} `json:"items"`
}

// Read gives the cart as it is; without lines if there is nothing in it.
func (c *Client) Read(ctx context.Context, user uuid.UUID) (checkout.Cart, error) {
	var a readAnswer
	if err := c.to.Invoke(ctx, app, "/internal/carts/read", readRequest{user}, &a); err != nil {
		return checkout.Cart{}, err
	}
	switch a.Result {
	case "empty":
		return checkout.Cart{}, nil
	case "ok":
	default:
		return checkout.Cart{}, fmt.Errorf("cart: unknown result %q of a read", a.Result)
	}
	cart := checkout.Cart{Version: a.Version}
	for _, it := range a.Items {
		cart.Lines = append(cart.Lines, checkout.Line{ProductID: it.ProductID, Quantity: it.Quantity})
	}
	return cart, nil
}

type takeRequest struct {
	UserID  uuid.UUID `json:"user_id"`
	OrderID uuid.UUID `json:"order_id"`
	Version int64     `json:"version"`
}

type result struct {
	Result string `json:"result"`
}

// Take empties the cart for an order if it still is at the version.
func (c *Client) Take(ctx context.Context, user, orderID uuid.UUID, version int64) (checkout.TakeResult, error) {
	var a result
	if err := c.to.Invoke(ctx, app, "/internal/carts/take", takeRequest{user, orderID, version}, &a); err != nil {
		return "", err
	}
	switch r := checkout.TakeResult(a.Result); r {
	case checkout.Taken, checkout.CartChanged, checkout.TakeUndone:
		return r, nil
	}
	return "", fmt.Errorf("cart: unknown result %q of a take", a.Result)
}

type restoreRequest struct {
	UserID  uuid.UUID `json:"user_id"`
	OrderID uuid.UUID `json:"order_id"`
}

// Restore puts back what the order took, once, and bars a later take.
func (c *Client) Restore(ctx context.Context, user, orderID uuid.UUID) error {
	return c.to.Invoke(ctx, app, "/internal/carts/restore", restoreRequest{user, orderID}, nil)
}
