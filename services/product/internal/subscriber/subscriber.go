// Package subscriber takes events in: what orders mean for stock, the end of a
// user, and the service's own product events, by which the copies of products
// follow. A handler does database work alone and marks the event in the inbox in
// the same transaction.
package subscriber

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/internal/inbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

const consumer = "product"

// Stock is what orders do to stock.
type Stock interface {
	Confirmed(ctx context.Context, orderID uuid.UUID, lines []stock.Line) error
	Cancelled(ctx context.Context, orderID uuid.UUID) error
	Shipped(ctx context.Context, orderID uuid.UUID, lines []stock.Line) error
}

// Eraser takes a user's name off what this service keeps.
type Eraser interface {
	Erase(ctx context.Context, userID uuid.UUID) error
}

// Marker queues products whose copies are behind.
type Marker interface {
	MarkAll(ctx context.Context, id uuid.UUID) error
	// MarkAlerts queues a product that may be back in stock for those who wait.
	MarkAlerts(ctx context.Context, id uuid.UUID) error
}

// Table is the handlers by topic. queued is called once a product has been
// queued for its copies.
func Table(db *pg.DB, s Stock, eraser Eraser, marker Marker, queued func()) map[string]delivery.Handler {
	once := func(fn delivery.Handler) delivery.Handler {
		return func(ctx context.Context, e delivery.Event) error {
			return db.InTx(ctx, func(ctx context.Context) error {
				first, err := inbox.First(ctx, db, consumer, e.ID)
				if err != nil || !first {
					return err
				}
				return fn(ctx, e)
			})
		}
	}
	follow := once(func(ctx context.Context, e delivery.Event) error {
		data, err := delivery.Decode[events.ProductData](e)
		if err != nil {
			return err
		}
		pg.AfterCommit(ctx, queued)
		if slices.Contains(data.Changed, "in_stock") || slices.Contains(data.Changed, "status") {
			if err := marker.MarkAlerts(ctx, data.ProductID); err != nil {
				return err
			}
		}
		return marker.MarkAll(ctx, data.ProductID)
	})
	return map[string]delivery.Handler{
		events.TopicOrderConfirmed:    once(confirmed(s)),
		events.TopicOrderCancelled:    once(cancelled(s)),
		events.TopicOrderShipped:      once(shipped(s)),
		events.TopicUserDeleted:       once(erased(eraser)),
		events.TopicProductCreated:    follow,
		events.TopicProductUpdated:    follow,
		events.TopicProductOutOfStock: follow,
	}
}

// orderOf reads an order event; one that names no order or product can never
// succeed.
func orderOf(e delivery.Event) (uuid.UUID, []stock.Line, error) {
	data, err := delivery.Decode[events.OrderData](e)
	if err != nil {
		return uuid.Nil, nil, err
	}
	if data.OrderID == uuid.Nil {
		return uuid.Nil, nil, delivery.Poison("no order_id")
	}
	sums, lines := map[uuid.UUID]int{}, []stock.Line{}
	for _, it := range data.Items {
		if it.ProductID == uuid.Nil || it.Quantity < 1 {
			return uuid.Nil, nil, delivery.Poison("an item without product or quantity")
		}
		if i, again := sums[it.ProductID]; again {
			lines[i].Quantity += it.Quantity
			continue
		}
		sums[it.ProductID] = len(lines)
		lines = append(lines, stock.Line{ProductID: it.ProductID, Quantity: it.Quantity})
	}
	return data.OrderID, lines, nil
}

func confirmed(s Stock) delivery.Handler {
	return func(ctx context.Context, e delivery.Event) error {
		id, lines, err := orderOf(e)
		if err != nil {
			return err
		}
		return s.Confirmed(ctx, id, lines)
	}
}

func cancelled(s Stock) delivery.Handler {
	return func(ctx context.Context, e delivery.Event) error {
		id, _, err := orderOf(e)
		if err != nil {
			return err
		}
		return s.Cancelled(ctx, id)
	}
}

func shipped(s Stock) delivery.Handler {
	return func(ctx context.Context, e delivery.Event) error {
		id, lines, err := orderOf(e)
		if err != nil {
			return err
		}
		err = s.Shipped(ctx, id, lines)
		if errors.Is(err, stock.ErrNothingToShip) {
			return delivery.Poison("order %s shipped, nothing of it was reserved", id)
		}
		return err
	}
}

func erased(eraser Eraser) delivery.Handler {
	return func(ctx context.Context, e delivery.Event) error {
		data, err := delivery.Decode[events.UserData](e)
		if err != nil {
			return err
		}
		if data.UserID == uuid.Nil {
			return delivery.Poison("no user_id")
		}
		return eraser.Erase(ctx, data.UserID)
	}
}
