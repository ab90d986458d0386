package cart

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// erasedFor outlives every token and event of an erased user by far; the store
// wants an end for each document.
const erasedFor = 10 * 365 * 24 * time.Hour

// Erase forgets a user's cart. A mark stays under its key: it holds the bare
// id and keeps a request that is late from making a new cart.
func (s *Carts) Erase(ctx context.Context, user uuid.UUID) error {
	_, err := s.change(ctx, User(user), 0, func(c *Cart, now time.Time) (bool, error) {
		mark := empty(&user, s.Currency)
		mark.Version, mark.CreatedAt, mark.ErasedAt = c.Version, now, &now
		mark.ExpiresAt = now.Add(erasedFor)
		*c = mark
		return true, nil
	})
	if errors.Is(err, ErrErased) {
		return nil
	}
	return err
}

// Finder finds carts by what is in them. It reads a copy that may be a moment
// behind; whoever acts on its answer decides by the document itself.
type Finder interface {
	// Holding gives the keys of carts that hold a product, in order of key,
	// after the given one.
	Holding(ctx context.Context, product uuid.UUID, after string, limit int) ([]string, error)
	// Expiring gives carts with lines whose time ends before until, soonest
	// first, after the given mark.
	Expiring(ctx context.Context, from, until time.Time, after ExpiringMark, limit int) ([]Expiring, error)
}

// Expiring is a cart that is about to be forgotten.
type Expiring struct {
	Key            string
	UserID         *uuid.UUID
	Lines          int
	SubtotalAmount int64
	Currency       string
	ExpiresAt      time.Time
	TTL            time.Time
}

// ExpiringMark is a place in the list of expiring carts.
type ExpiringMark struct {
	TTL time.Time `json:"t"`
	Key string    `json:"k"`
}

const repriceBatch = 200

// Reprice notes a product's present price in every cart that holds it. The
// end of a cart's life does not move: nobody touched it.
func (s *Carts) Reprice(ctx context.Context, f Finder, product uuid.UUID) (int, error) {
	products, err := s.Catalog.Lookup(ctx, []uuid.UUID{product})
	if err != nil {
		return 0, err
	}
	p, ok := products[product]
	if !ok {
		return 0, nil
	}
	changed, after := 0, ""
	for {
		keys, err := f.Holding(ctx, product, after, repriceBatch)
		if err != nil || len(keys) == 0 {
			return changed, err
		}
		for _, key := range keys {
			done, err := s.repriceOne(ctx, key, p)
			if err != nil {
				return changed, err
			}
			if done {
				changed++
			}
		}
		after = keys[len(keys)-1]
	}
}

func (s *Carts) repriceOne(ctx context.Context, key string, p Product) (bool, error) {
	o, ok := ownerOf(key)
	if !ok {
		return false, nil
	}
	done := false
	_, err := s.change(ctx, o, 0, func(c *Cart, _ time.Time) (bool, error) {
		done = c.Reprice(p)
		return done, nil
	})
	// Gone, erased or too dear to total since it was found: nothing to note.
	if isRefusal(err) && !errors.Is(err, ErrStore) && !errors.Is(err, ErrBusy) {
		return false, nil
	}
	return done, err
}
