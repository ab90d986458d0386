// Package payments hands the means of payment to Payment, through the sidecar,
// and has it close what will not be paid. Nothing of the means stays here.
package payments

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/desk"
)

const app = "payment"

// Invoker posts JSON to another app. *sidecar.Client is one.
type Invoker interface {
	Invoke(ctx context.Context, app, path string, in, out any) error
}

// Client is the payment service as Order sees it.
type Client struct{ to Invoker }

// New makes a client.
func New(to Invoker) *Client { return &Client{to} }

type means struct {
	Method               string     `json:"method,omitempty"`
	Token                string     `json:"token,omitempty"`
	SavedPaymentMethodID *uuid.UUID `json:"saved_payment_method_id,omitempty"`
}

type prepareRequest struct {
	OrderID uuid.UUID `json:"order_id"`
	UserID  uuid.UUID `json:"user_id"`
	Payment means     `json:"payment"`
}

type result struct {
	Result        string    `json:"result"`
	TransactionID uuid.UUID `json:"transaction_id"`
}

// Prepare hands the means over; false: unknown, or somebody else's.
func (c *Client) Prepare(ctx context.Context, orderID, user uuid.UUID, m checkout.Means) (bool, error) {
	in := prepareRequest{OrderID: orderID, UserID: user, Payment: means{Method: "card", Token: m.Token}}
	if m.SavedID != uuid.Nil {
		in.Payment = means{SavedPaymentMethodID: &m.SavedID}
	}
	var a result
	if err := c.to.Invoke(ctx, app, "/internal/payments/prepare", in, &a); err != nil {
		return false, err
	}
	switch a.Result {
	case "prepared":
		return true, nil
	case "payment_method_unknown":
		return false, nil
	}
	return false, fmt.Errorf("payment: unknown result %q of a preparation", a.Result)
}

type closeRequest struct {
	OrderID uuid.UUID `json:"order_id"`
	Reason  string    `json:"reason"`
}

func (c *Client) close(ctx context.Context, orderID uuid.UUID, reason string) (result, error) {
	var a result
	err := c.to.Invoke(ctx, app, "/internal/payments/close", closeRequest{orderID, reason}, &a)
	return a, err
}

// Discard makes Payment forget the means of an order that never was.
func (c *Client) Discard(ctx context.Context, orderID uuid.UUID) error {
	a, err := c.close(ctx, orderID, "undone")
	if err == nil && a.Result != "closed" {
		// Payment charges by order.created alone, which was never written.
		err = fmt.Errorf("payment: result %q for an order that never was", a.Result)
	}
	return err
}

// Close asks how the payment of an order ends, now that its time is over.
func (c *Client) Close(ctx context.Context, orderID uuid.UUID) (desk.Closing, error) {
	a, err := c.close(ctx, orderID, "unpaid")
	if err != nil {
		return desk.Closing{}, err
	}
	switch a.Result {
	case "captured":
		return desk.Closing{Captured: true, Transaction: a.TransactionID}, nil
	case "closed":
		return desk.Closing{Closed: true}, nil
	case "open":
		return desk.Closing{}, nil
	}
	return desk.Closing{}, fmt.Errorf("payment: unknown result %q of a closing", a.Result)
}
