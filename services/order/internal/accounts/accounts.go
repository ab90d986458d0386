// Package accounts asks User, through the sidecar, for the state of an account
// and for addresses to take a snapshot of.
package accounts

import (
	"context"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

const app = "user"

// Invoker posts JSON to another app. *sidecar.Client is one.
type Invoker interface {
	Invoke(ctx context.Context, app, path string, in, out any) error
}

// Client is the user service as Order sees it.
type Client struct{ to Invoker }

// New makes a client.
func New(to Invoker) *Client { return &Client{to} }

type lookupRequest struct {
	UserID     uuid.UUID   `json:"user_id"`
	AddressIDs []uuid.UUID `json:"address_ids"`
}

type lookupAnswer struct {
	Account   string `json:"account"`
	Addresses []struct {
		ID uuid.UUID `json:"id"`
		order.Address
	} `json:"addresses"`
}

// Lookup gives the addresses that are the user's own and not deleted.
func (c *Client) Lookup(ctx context.Context, user uuid.UUID, addresses []uuid.UUID) (checkout.Account, error) {
	var a lookupAnswer
	if err := c.to.Invoke(ctx, app, "/internal/addresses/lookup", lookupRequest{user, addresses}, &a); err != nil {
		return checkout.Account{}, err
	}
	account := checkout.Account{Active: a.Account == "active", Addresses: make(map[uuid.UUID]order.Address, len(a.Addresses))}
	for _, found := range a.Addresses {
		account.Addresses[found.ID] = found.Address
	}
	return account, nil
}
