package cart

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Content is what an order reads of a cart.
type Content struct {
	Version  int64
	Items    []Item
	Currency string
}

// Read gives a user's cart to an order; ok is false for an empty one. A copy
// from the cache will do: Take compares the version with the store's.
func (s *Carts) Read(ctx context.Context, user uuid.UUID) (Content, bool, error) {
	c, err := s.read(ctx, User(user))
	if errors.Is(err, ErrErased) {
		return Content{}, false, nil
	}
	if err != nil || len(c.Items) == 0 {
		return Content{}, false, err
	}
	return Content{Version: c.Version, Items: c.Items, Currency: c.Currency}, true, nil
}

// Take hands the content over to an order, exactly once.
func (s *Carts) Take(ctx context.Context, user, order uuid.UUID, version int64) (TakeResult, error) {
	result := TakeChanged
	_, err := s.change(ctx, User(user), s.TTL, func(c *Cart, now time.Time) (bool, error) {
		var changed bool
		result, changed = c.Take(order, version, now)
		return changed, nil
	})
	if errors.Is(err, ErrErased) {
		return TakeChanged, nil
	}
	if err != nil {
		return "", err
	}
	if result == TakeChanged {
		// The order may have read a copy that is behind: the next one must not.
		s.Cache.Drop(ctx, user)
	}
	return result, nil
}

// Restore puts back what an undone order took.
func (s *Carts) Restore(ctx context.Context, user, order uuid.UUID) (RestoreResult, error) {
	result := RestoreNothing
	_, err := s.change(ctx, User(user), s.TTL, func(c *Cart, now time.Time) (bool, error) {
		var changed bool
		result, changed = c.Restore(order, now)
		return changed, nil
	})
	if errors.Is(err, ErrErased) {
		return RestoreNothing, nil
	}
	return result, err
}

// Export gives the whole document of a user; ok is false where there is none.
func (s *Carts) Export(ctx context.Context, user uuid.UUID) (Cart, bool, error) {
	c, _, err := s.load(ctx, User(user), s.now())
	if errors.Is(err, ErrErased) {
		return Cart{}, false, nil
	}
	if err != nil {
		return Cart{}, false, asFault(err)
	}
	return c, c.Version > 0, nil
}
