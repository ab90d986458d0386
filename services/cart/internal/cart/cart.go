// Package cart owns the shopping cart: what is in it, who may change it, and
// how it is handed to an order exactly once. The functions on Cart are pure;
// Carts wraps them in loading, compare-and-set and caching. It knows neither
// HTTP nor Dapr.
//
// A cart document holds ids, integers, times and hashes only. The state store
// evaluates a stored value as an expression, so free text would not survive in
// it: names and stock are asked from Product when a cart is read.
package cart

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/money"
)

// Limits of one cart.
const (
	MaxLines    = 1200
	MaxQuantity = 9999
)

// Cart is the document of one shopper. UserID is nil for a guest.
type Cart struct {
	UserID         *uuid.UUID `json:"user_id"`
	Version        int64      `json:"version"`
	Items          []Item     `json:"items"`
	SubtotalAmount int64      `json:"subtotal_amount"`
	Currency       string     `json:"currency"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	ExpiresAt      time.Time  `json:"expires_at"`

	// ErasedAt marks what is left of an erased user's cart: it refuses all.
	ErasedAt *time.Time `json:"erased_at,omitempty"`
	// MergedInto closes a guest cart on its way into this user's cart.
	MergedInto *uuid.UUID `json:"merged_into,omitempty"`

	Taken  []Taken  `json:"taken,omitempty"`
	Undone []Undone `json:"undone,omitempty"`
	Merged []Merged `json:"merged,omitempty"`
	Calls  []Call   `json:"calls,omitempty"`
	// Writes are the ids of the last writes: a writer whose answer was lost
	// finds its own id here and knows that the write landed.
	Writes []string `json:"writes,omitempty"`
}

// Item is one line. UnitPriceAmount is the price last seen, in minor units.
type Item struct {
	ProductID       uuid.UUID `json:"product_id"`
	Quantity        int       `json:"quantity"`
	UnitPriceAmount int64     `json:"unit_price_amount"`
	AddedAt         time.Time `json:"added_at"`
	// AddedPriceAmount is the price that the shopper saw, where it has moved
	// since; touching the line accepts the new price.
	AddedPriceAmount *int64 `json:"added_price_amount,omitempty"`
}

// priceWhenAdded is what a drift is measured against.
func (i Item) priceWhenAdded() int64 {
	if i.AddedPriceAmount != nil {
		return *i.AddedPriceAmount
	}
	return i.UnitPriceAmount
}

// Product is what Product says of one of its products now.
type Product struct {
	ID        uuid.UUID
	SKU       string
	Name      string
	Price     money.Money
	Status    string
	Available int64
	Version   int64
}

// Active tells whether the product may be put in a cart.
func (p Product) Active() bool { return p.Status == "active" }

// empty is a cart that is not stored yet.
func empty(user *uuid.UUID, currency string) Cart {
	return Cart{UserID: user, Items: []Item{}, Currency: currency}
}

// clone lets a rule change a cart without reaching the loaded one.
func (c Cart) clone() Cart {
	c.Items = append([]Item{}, c.Items...)
	c.Taken = slices.Clone(c.Taken)
	c.Undone = slices.Clone(c.Undone)
	c.Merged = slices.Clone(c.Merged)
	c.Calls = slices.Clone(c.Calls)
	c.Writes = slices.Clone(c.Writes)
	return c
}

// Expired tells whether the cart's time is over; the store sweeps late.
func (c Cart) Expired(now time.Time) bool {
	return !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt)
}

// Units counts the units of all lines.
func (c Cart) Units() int {
	n := 0
	for _, it := range c.Items {
		n += it.Quantity
	}
	return n
}

// stamp prepares a changed cart for its write: next version, new totals, and,
// where slide is positive, a new end of life.
func (c *Cart) stamp(now time.Time, slide time.Duration, writeID string) error {
	subtotal, err := subtotal(c.Items, c.Currency)
	if err != nil {
		return err
	}
	c.SubtotalAmount = subtotal
	if c.Version == 0 {
		// A version is never used twice, even where an expired cart begins
		// anew: it starts at the clock, which runs faster than versions do.
		c.Version = now.UnixMilli()
		c.CreatedAt = now
	} else {
		c.Version++
	}
	c.UpdatedAt = now
	if slide > 0 {
		c.ExpiresAt = now.Add(slide)
	}
	c.Writes = append(c.Writes, writeID)
	c.prune(now)
	return nil
}

func subtotal(items []Item, currency string) (int64, error) {
	sum := money.New(0, currency)
	for _, it := range items {
		line, err := money.New(it.UnitPriceAmount, currency).Times(int64(it.Quantity))
		if err != nil {
			return 0, ErrTotalTooLarge
		}
		if sum, err = sum.Add(line); err != nil {
			return 0, ErrTotalTooLarge
		}
	}
	return sum.Amount, nil
}
