// Package subscriber takes in the events that concern carts.
package subscriber

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/delivery"
)

// Eraser forgets a user's cart. It is safe to repeat.
type Eraser interface {
	Erase(ctx context.Context, user uuid.UUID) error
}

// Worklist notes durably that a product's carts are to be looked through.
type Worklist interface {
	Add(ctx context.Context, product uuid.UUID, at time.Time) error
}

// Handlers is the table of topics. Both handlers only make the present state
// so, whatever came before: an event delivered twice, or late, changes nothing.
func Handlers(carts Eraser, prices Worklist, now func() time.Time) map[string]delivery.Handler {
	return map[string]delivery.Handler{
		events.TopicUserDeleted:    erase(carts),
		events.TopicProductUpdated: reprice(prices, now),
	}
}

func erase(carts Eraser) delivery.Handler {
	return func(ctx context.Context, e delivery.Event) error {
		data, err := delivery.Decode[events.UserData](e)
		if err != nil {
			return err
		}
		if data.UserID == uuid.Nil {
			return delivery.Poison("no user_id")
		}
		return carts.Erase(ctx, data.UserID)
	}
}

func reprice(prices Worklist, now func() time.Time) delivery.Handler {
	return func(ctx context.Context, e delivery.Event) error {
		data, err := delivery.Decode[events.ProductData](e)
		if err != nil {
			return err
		}
		if data.ProductID == uuid.Nil {
			return delivery.Poison("no product_id")
		}
		if !mayMovePrice(data.Changed) {
			return nil
		}
		return prices.Add(ctx, data.ProductID, now())
	}
}

// mayMovePrice holds unless the event says that something else changed.
func mayMovePrice(changed []string) bool {
	return len(changed) == 0 || slices.ContainsFunc(changed, func(f string) bool {
		return strings.HasPrefix(f, "price")
	})
}
