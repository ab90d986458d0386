package cart

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

func (c *Cart) find(product uuid.UUID) int {
	return slices.IndexFunc(c.Items, func(it Item) bool { return it.ProductID == product })
}

// Add puts quantity more of a product into the cart, at its present price.
func (c *Cart) Add(p Product, quantity int, now time.Time) error {
	if quantity < 1 || quantity > MaxQuantity {
		return ErrQuantity
	}
	if i := c.find(p.ID); i >= 0 {
		return c.put(p, c.Items[i].Quantity+quantity, now)
	}
	return c.put(p, quantity, now)
}

// Set makes the quantity of a product's line what is asked; it reports whether
// anything moved, so that a repeated call writes nothing.
func (c *Cart) Set(p Product, quantity int, now time.Time) (bool, error) {
	if i := c.find(p.ID); i >= 0 {
		it := c.Items[i]
		if it.Quantity == quantity && it.UnitPriceAmount == p.Price.Amount && it.AddedPriceAmount == nil {
			return false, nil
		}
	}
	return true, c.put(p, quantity, now)
}

func (c *Cart) put(p Product, quantity int, now time.Time) error {
	if !p.Active() {
		return ErrProductNotAvailable
	}
	if quantity < 1 || quantity > MaxQuantity {
		return ErrQuantity
	}
	i := c.find(p.ID)
	if i < 0 {
		if len(c.Items) >= MaxLines {
			return ErrFull
		}
		c.Items = append(c.Items, Item{
			ProductID: p.ID, Quantity: quantity, UnitPriceAmount: p.Price.Amount, AddedAt: now,
		})
		return nil
	}
	c.Items[i].Quantity = quantity
	c.Items[i].UnitPriceAmount = p.Price.Amount
	c.Items[i].AddedPriceAmount = nil
	return nil
}

// Remove takes a product's line out and reports whether it was there.
func (c *Cart) Remove(product uuid.UUID) bool {
	i := c.find(product)
	if i < 0 {
		return false
	}
	c.Items = slices.Delete(c.Items, i, i+1)
	return true
}

// Clear takes all lines out and reports whether there were any.
func (c *Cart) Clear() bool {
	had := len(c.Items) > 0
	c.Items = []Item{}
	return had
}

// Reprice notes a product's new price and keeps the one that the shopper saw.
// It reports whether the cart changed.
func (c *Cart) Reprice(p Product) bool {
	i := c.find(p.ID)
	if i < 0 || c.Items[i].UnitPriceAmount == p.Price.Amount || p.Price.Currency != c.Currency {
		return false
	}
	it := &c.Items[i]
	seen := it.priceWhenAdded()
	it.UnitPriceAmount = p.Price.Amount
	it.AddedPriceAmount = &seen
	if seen == p.Price.Amount {
		it.AddedPriceAmount = nil
	}
	return true
}
