// Package catalog asks Product, through the sidecar, for prices and for holds.
package catalog

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

const app = "product"

// Invoker posts JSON to another app. *sidecar.Client is one.
type Invoker interface {
	Invoke(ctx context.Context, app, path string, in, out any) error
}

// Client is the product service as Order sees it.
type Client struct {
	to Invoker
	// currency is the shop's: an amount of another is refused.
	currency string
}

// New makes a client.
func New(to Invoker, currency string) *Client { return &Client{to, currency} }

type lookupRequest struct {
	ProductIDs []uuid.UUID `json:"product_ids"`
}

type lookupAnswer struct {
	Products []struct {
		ID        uuid.UUID   `json:"id"`
		SKU       string      `json:"sku"`
		Name      string      `json:"name"`
		Price     money.Money `json:"price"`
		TaxClass  string      `json:"tax_class"`
		Status    string      `json:"status"`
		Available int64       `json:"available"`
	} `json:"products"`
}

// Lookup asks what products cost now. Unknown ones are missing.
func (c *Client) Lookup(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]checkout.Product, error) {
	var a lookupAnswer
	if err := c.to.Invoke(ctx, app, "/internal/products/lookup", lookupRequest{ids}, &a); err != nil {
		return nil, err
	}
	products := make(map[uuid.UUID]checkout.Product, len(a.Products))
	for _, p := range a.Products {
		if err := c.own(p.Price); err != nil {
			return nil, err
		}
		products[p.ID] = checkout.Product{
			Item:    order.Item{ProductID: p.ID, SKU: p.SKU, Name: p.Name, UnitPrice: p.Price.Amount, TaxClass: p.TaxClass},
			ForSale: p.Status == "active", Available: p.Available,
		}
	}
	return products, nil
}

func (c *Client) own(m money.Money) error {
	if m.Currency != c.currency || m.Amount < 0 {
		return fmt.Errorf("product: price %d %s in a shop of %s", m.Amount, m.Currency, c.currency)
	}
	return nil
}

type holdLine struct {
	ProductID uuid.UUID `json:"product_id"`
	Quantity  int64     `json:"quantity"`
}

type holdRequest struct {
	OrderID uuid.UUID  `json:"order_id"`
	UserID  uuid.UUID  `json:"user_id"`
	Lines   []holdLine `json:"lines"`
}

// holdAnswer joins the shapes of all results.
type holdAnswer struct {
	Result string `json:"result"`
	Lines  []struct {
		ProductID uuid.UUID   `json:"product_id"`
		SKU       string      `json:"sku"`
		Name      string      `json:"name"`
		Quantity  int64       `json:"quantity"`
		UnitPrice money.Money `json:"unit_price"`
		TaxClass  string      `json:"tax_class"`
		Requested int64       `json:"requested"`
		Available int64       `json:"available"`
		Reason    string      `json:"reason"`
	} `json:"lines"`
}

// Hold holds all lines or none and gives the prices that stand.
func (c *Client) Hold(ctx context.Context, orderID, user uuid.UUID, lines []checkout.Line) (checkout.Hold, error) {
	in := holdRequest{OrderID: orderID, UserID: user}
	for _, l := range lines {
		in.Lines = append(in.Lines, holdLine(l))
	}
	var a holdAnswer
	if err := c.to.Invoke(ctx, app, "/internal/holds/place", in, &a); err != nil {
		return checkout.Hold{}, err
	}
	var h checkout.Hold
	switch a.Result {
	case "undone":
		return h, nil
	case "held", "out_of_stock", "product_unavailable":
	default:
		return h, fmt.Errorf("product: unknown result %q of a hold", a.Result)
	}
	for _, l := range a.Lines {
		short := checkout.Shortage{ProductID: l.ProductID, Requested: l.Requested, Available: l.Available, Reason: l.Reason}
		switch a.Result {
		case "out_of_stock":
			h.OutOfStock = append(h.OutOfStock, short)
		case "product_unavailable":
			short.Requested = wanted(lines, l.ProductID)
			h.Unavailable = append(h.Unavailable, short)
		default:
			if err := c.own(l.UnitPrice); err != nil {
				return checkout.Hold{}, err
			}
			h.Items = append(h.Items, order.Item{ProductID: l.ProductID, SKU: l.SKU, Name: l.Name,
				Quantity: l.Quantity, UnitPrice: l.UnitPrice.Amount, TaxClass: l.TaxClass})
		}
	}
	return h, nil
}

func wanted(lines []checkout.Line, product uuid.UUID) int64 {
	for _, l := range lines {
		if l.ProductID == product {
			return l.Quantity
		}
	}
	return 0
}

type releaseRequest struct {
	OrderID uuid.UUID `json:"order_id"`
}

// Release ends a hold for good. Its results need no telling apart: whatever it
// was, nothing of a checkout that never committed is held after it.
func (c *Client) Release(ctx context.Context, orderID uuid.UUID) error {
	return c.to.Invoke(ctx, app, "/internal/holds/release", releaseRequest{orderID}, nil)
}
