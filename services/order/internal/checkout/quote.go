package checkout

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// Quote is what an order of the present cart would have.
type Quote struct {
	Items  []QuotedItem
	Totals order.Totals
}

// QuotedItem is one line of a quote.
type QuotedItem struct {
	order.Item
	// InStock tells whether the quantity could be held now; a quote holds nothing.
	InStock bool
}

// Quote prices the present cart. Shipping is to the one address, billing to the
// other, which may be nil.
func (s *Service) Quote(ctx context.Context, user, shipping uuid.UUID, billing *uuid.UUID) (Quote, error) {
	ask := map[string]uuid.UUID{"shipping_address_id": shipping}
	ids := []uuid.UUID{shipping}
	if billing != nil {
		ask["billing_address_id"] = *billing
		ids = append(ids, *billing)
	}
	var cart Cart
	var account Account
	var cartErr, accountErr error
	var wg sync.WaitGroup
	wg.Go(func() { cart, cartErr = s.Carts.Read(ctx, user) })
	wg.Go(func() { account, accountErr = s.Accounts.Lookup(ctx, user, ids) })
	wg.Wait()
	if err := errors.Join(cartErr, accountErr); err != nil {
		return Quote{}, err
	}
	if !account.Active {
		return Quote{}, ErrAccount
	}
	if err := cart.orderable(); err != nil {
		return Quote{}, err
	}
	if err := account.has(ask); err != nil {
		return Quote{}, err
	}
	q, err := s.price(ctx, cart, account.Addresses[shipping].Country)
	if err == nil {
		s.Quoted.keep(user, cart, s.Now())
	}
	return q, err
}

func (s *Service) price(ctx context.Context, cart Cart, country string) (Quote, error) {
	ids := make([]uuid.UUID, 0, len(cart.Lines))
	for _, l := range cart.Lines {
		ids = append(ids, l.ProductID)
	}
	products, err := s.Catalog.Lookup(ctx, ids)
	if err != nil {
		return Quote{}, err
	}
	items, stock := make([]order.Item, 0, len(ids)), make([]bool, 0, len(ids))
	var gone []Shortage
	for _, l := range cart.Lines {
		p, known := products[l.ProductID]
		if !known || !p.ForSale {
			gone = append(gone, Shortage{ProductID: l.ProductID, Requested: l.Quantity, Reason: "not for sale"})
			continue
		}
		p.Item.Quantity = l.Quantity
		items, stock = append(items, p.Item), append(stock, p.Available >= l.Quantity)
	}
	if len(gone) > 0 {
		return Quote{}, naming(ErrNotForSale, gone)
	}
	totals, err := s.Tariffs.Price(items, country)
	if err != nil {
		return Quote{}, err
	}
	q := Quote{Totals: totals}
	for i, it := range items {
		q.Items = append(q.Items, QuotedItem{it, stock[i]})
	}
	return q, nil
}
