package ordertwin

import (
	"context"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/desk"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// These adapt Neighbours to the ports of the use cases.
type (
	carts    struct{ n Neighbours }
	accounts struct{ n Neighbours }
	payments struct{ n Neighbours }
	catalog  struct{ n Neighbours }
)

// Read implements checkout.Carts.
func (c carts) Read(_ context.Context, user uuid.UUID) (checkout.Cart, error) {
	version, lines, err := c.n.ReadCart(user)
	cart := checkout.Cart{Version: version}
	for _, l := range lines {
		cart.Lines = append(cart.Lines, checkout.Line{ProductID: l.Product, Quantity: l.Quantity})
	}
	return cart, err
}

// Take implements checkout.Carts.
func (c carts) Take(_ context.Context, user, id uuid.UUID, version int64) (checkout.TakeResult, error) {
	result, err := c.n.TakeCart(user, id, version)
	return checkout.TakeResult(result), err
}

// Restore implements checkout.Carts.
func (c carts) Restore(_ context.Context, user, id uuid.UUID) error { return c.n.RestoreCart(user, id) }

// Lookup implements checkout.Accounts.
func (a accounts) Lookup(_ context.Context, user uuid.UUID, ids []uuid.UUID) (checkout.Account, error) {
	active, err := a.n.Account(user)
	account := checkout.Account{Active: active, Addresses: map[uuid.UUID]order.Address{}}
	for _, id := range ids {
		account.Addresses[id] = order.Address{Country: country}
	}
	return account, err
}

// Prepare implements checkout.Payments.
func (p payments) Prepare(_ context.Context, id, user uuid.UUID, m checkout.Means) (bool, error) {
	return p.n.Prepare(id, user, m.Token)
}

// Discard implements checkout.Payments.
func (p payments) Discard(_ context.Context, id uuid.UUID) error { return p.n.Discard(id) }

// Close implements desk.Payments.
func (p payments) Close(_ context.Context, id uuid.UUID) (desk.Closing, error) {
	answer, transaction, err := p.n.Close(id)
	return desk.Closing{Captured: answer == "captured", Transaction: transaction, Closed: answer == "closed"}, err
}

// Lookup implements checkout.Catalog; only quotes need it.
func (c catalog) Lookup(context.Context, []uuid.UUID) (map[uuid.UUID]checkout.Product, error) {
	return nil, nil
}

// Hold implements checkout.Catalog.
func (c catalog) Hold(_ context.Context, id, user uuid.UUID, wanted []checkout.Line) (checkout.Hold, error) {
	lines := make([]Line, len(wanted))
	for i, l := range wanted {
		lines[i] = Line{l.ProductID, l.Quantity}
	}
	h, err := c.n.Hold(id, user, lines)
	out := checkout.Hold{Items: inner(h.Items)}
	for _, s := range h.Short {
		out.OutOfStock = append(out.OutOfStock, checkout.Shortage{ProductID: s.Product, Available: s.Quantity})
	}
	return out, err
}

// Release implements checkout.Catalog.
func (c catalog) Release(_ context.Context, id uuid.UUID) error { return c.n.Release(id) }
