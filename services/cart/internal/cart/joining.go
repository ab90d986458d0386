package cart

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
)

// closedFor is how long an emptied guest cart bars its token, so that a write
// that was under way at the merge can't bring the old content back.
const closedFor = time.Hour

func isRefusal(err error) bool { return fault.CodeOf(err) != "" }

// Merge brings a guest's cart into a user's. It closes the guest cart, adds
// its lines to the user's once, then empties it; a crash between two steps
// leaves what the repeated call completes. A token that is not known (expired,
// or merged long ago) merges nothing.
func (s *Carts) Merge(ctx context.Context, ask Ask, token string) (Outcome, error) {
	guest := Guest(token)
	lines, products, err := s.closeGuest(ctx, ask, guest)
	if errors.Is(err, ErrCartToken) {
		return s.apply(ctx, ask, func(*Cart, time.Time) (bool, error) { return false, nil })
	}
	if err != nil {
		return Outcome{}, asFault(err)
	}
	out, err := s.apply(ctx, ask, func(c *Cart, now time.Time) (bool, error) {
		return c.Absorb(guest.guest, lines, products, now), nil
	})
	if err != nil {
		return Outcome{}, err
	}
	if err := s.emptyGuest(ctx, guest, *ask.Owner.userID()); err != nil {
		s.Log.WarnContext(ctx, "merged guest cart is left to expire", "error", err)
	}
	return out, nil
}

// closeGuest asks Product first: a guest cart that can't be merged now stays
// open.
func (s *Carts) closeGuest(ctx context.Context, ask Ask, guest Owner) ([]Item, map[uuid.UUID]Product, error) {
	into := *ask.Owner.userID()
	products := map[uuid.UUID]Product{}
	for range maxTries {
		c, tag, err := s.Store.Load(ctx, guest.Key())
		if err != nil {
			return nil, nil, err
		}
		now := s.now()
		if tag == "" || c.Expired(now) {
			return nil, nil, ErrCartToken
		}
		if err := s.lookupMissing(ctx, c.Items, products); err != nil {
			return nil, nil, err
		}
		closing, err := c.Close(into)
		if err != nil || !closing {
			return c.Items, products, err
		}
		if err := c.stamp(now, 0, s.NewID().String()); err != nil {
			return nil, nil, err
		}
		err = s.Store.Save(ctx, guest.Key(), c, tag, max(c.ExpiresAt.Sub(now), time.Second))
		if err == nil {
			return c.Items, products, nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, nil, err
		}
	}
	return nil, nil, ErrBusy
}

func (s *Carts) lookupMissing(ctx context.Context, items []Item, known map[uuid.UUID]Product) error {
	var ids []uuid.UUID
	for _, it := range items {
		if _, ok := known[it.ProductID]; !ok {
			ids = append(ids, it.ProductID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	products, err := s.Catalog.Lookup(ctx, ids)
	maps.Copy(known, products)
	return err
}

func (s *Carts) emptyGuest(ctx context.Context, guest Owner, into uuid.UUID) error {
	c, tag, err := s.Store.Load(ctx, guest.Key())
	if err != nil || tag == "" || len(c.Items) == 0 && c.MergedInto != nil {
		return err
	}
	now := s.now()
	closed := empty(nil, s.Currency)
	closed.Version, closed.CreatedAt, closed.MergedInto = c.Version, c.CreatedAt, &into
	if err := closed.stamp(now, closedFor, s.NewID().String()); err != nil {
		return err
	}
	return s.Store.Save(ctx, guest.Key(), closed, tag, closedFor)
}
