package cart

import (
	"time"

	"github.com/google/uuid"
)

// View is a cart as its shopper sees it: the lines with what Product says of
// them now. Amounts are minor units of Currency.
type View struct {
	UserID    *uuid.UUID
	Version   int64
	Lines     []Line
	Changes   []Change
	Subtotal  int64
	Currency  string
	ExpiresAt *time.Time
	// Degraded: Product could not be asked; prices are those last seen, and
	// names and stock are missing.
	Degraded bool
}

// Line is one line of a View. Product is nil where it is not known now.
type Line struct {
	Item
	UnitPrice int64
	LineTotal int64
	Product   *Product
}

// ChangeKind says what moved since a product was put in.
type ChangeKind string

// The kinds of change.
const (
	PriceIncreased    ChangeKind = "price_increased"
	PriceDecreased    ChangeKind = "price_decreased"
	InsufficientStock ChangeKind = "insufficient_stock"
	OutOfStock        ChangeKind = "out_of_stock"
	NotAvailable      ChangeKind = "not_available"
)

// Change is one thing that moved. Was and Now are unit prices for the price
// kinds, and units (in the cart, in stock) for the stock kinds.
type Change struct {
	ProductID uuid.UUID
	Kind      ChangeKind
	Was, Now  int64
}

// NewView lays what Product says over a cart. With products nil, Product was
// not reached. The subtotal counts every line at the price shown.
func NewView(c Cart, products map[uuid.UUID]Product) (View, error) {
	v := View{
		UserID: c.UserID, Version: c.Version, Currency: c.Currency,
		Lines: make([]Line, 0, len(c.Items)), Changes: []Change{},
		Degraded: products == nil && len(c.Items) > 0,
	}
	if !c.ExpiresAt.IsZero() {
		v.ExpiresAt = &c.ExpiresAt
	}
	priced := make([]Item, 0, len(c.Items))
	for _, it := range c.Items {
		line := Line{Item: it, UnitPrice: it.UnitPriceAmount}
		if p, ok := products[it.ProductID]; ok {
			line.Product = &p
			line.UnitPrice = p.Price.Amount
		}
		line.LineTotal = line.UnitPrice * int64(it.Quantity)
		v.Lines = append(v.Lines, line)
		v.Changes = append(v.Changes, changesOf(line, v.Degraded)...)
		it.UnitPriceAmount = line.UnitPrice
		priced = append(priced, it)
	}
	var err error
	v.Subtotal, err = subtotal(priced, c.Currency)
	return v, err
}

func changesOf(l Line, degraded bool) []Change {
	var out []Change
	was := l.priceWhenAdded()
	switch {
	case l.UnitPrice > was:
		out = append(out, Change{l.ProductID, PriceIncreased, was, l.UnitPrice})
	case l.UnitPrice < was:
		out = append(out, Change{l.ProductID, PriceDecreased, was, l.UnitPrice})
	}
	if degraded {
		return out
	}
	units := int64(l.Quantity)
	switch {
	case l.Product == nil || !l.Product.Active():
		out = append(out, Change{l.ProductID, NotAvailable, units, 0})
	case l.Product.Available <= 0:
		out = append(out, Change{l.ProductID, OutOfStock, units, 0})
	case l.Product.Available < units:
		out = append(out, Change{l.ProductID, InsufficientStock, units, l.Product.Available})
	}
	return out
}
