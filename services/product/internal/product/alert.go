package product

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
)

// Alert is a customer who waits for a product to be back in stock.
type Alert struct {
	ProductID uuid.UUID
	UserID    uuid.UUID
	CreatedAt time.Time
}

// ErrInStock refuses an alert for what can be bought now.
var ErrInStock = fault.New(fault.Conflict, "in_stock", "The product is in stock.")

// AlertStore keeps alerts. Each is gone with the event that tells.
type AlertStore interface {
	// AddAlert adds an alert, or gives the one that is there. The product's stock
	// cannot change meanwhile. ErrNotFound, ErrInStock, ErrUserErased.
	AddAlert(ctx context.Context, productID, userID uuid.UUID) (a Alert, isNew bool, err error)
	// RemoveAlert removes it if it is there.
	RemoveAlert(ctx context.Context, productID, userID uuid.UUID) error
}

// Alerts is the use cases of back-in-stock alerts.
type Alerts struct {
	store    AlertStore
	products Reader
}

// NewAlerts makes the use cases.
func NewAlerts(store AlertStore, products Reader) *Alerts {
	return &Alerts{store: store, products: products}
}

// Add notes that the user waits for the product.
func (s *Alerts) Add(ctx context.Context, productID, userID uuid.UUID) (Alert, bool, error) {
	if err := s.sold(ctx, productID); err != nil {
		return Alert{}, false, err
	}
	return s.store.AddAlert(ctx, productID, userID)
}

// Remove forgets that the user waits; there may be nothing to forget.
func (s *Alerts) Remove(ctx context.Context, productID, userID uuid.UUID) error {
	if _, err := visible(false)(s.products.Product(ctx, productID)); err != nil {
		return err
	}
	return s.store.RemoveAlert(ctx, productID, userID)
}

// sold tells whether a product is one that may come back: drafts are not known
// to customers, and what is archived never returns.
func (s *Alerts) sold(ctx context.Context, productID uuid.UUID) error {
	p, err := visible(false)(s.products.Product(ctx, productID))
	if err == nil && p.Status == Archived {
		err = ErrNotFound
	}
	return err
}
