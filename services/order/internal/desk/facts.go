package desk

import (
	"context"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// Note takes in a fact that another service tells by an event, once. It fails
// with order.ErrNotFound for an order that does not exist: orders come to be by
// their placing alone, before any event about them.
func (d *Desk) Note(ctx context.Context, eventID, source string, id uuid.UUID, f order.Fact) error {
	return d.Writer.Once(ctx, eventID, func(ctx context.Context) error {
		_, err := d.apply(ctx, id, f, order.Cause{Actor: source, EventID: eventID})
		return err
	})
}

// Erase forgets a person: what is not shipped is cancelled, what has ended loses
// its addresses, and a parcel on its way keeps them until it arrives.
func (d *Desk) Erase(ctx context.Context, eventID, source string, user uuid.UUID) error {
	return d.Writer.Once(ctx, eventID, func(ctx context.Context) error {
		ids, err := d.Writer.Forget(ctx, user)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := d.apply(ctx, id, order.PersonErased{}, order.Cause{Actor: source, EventID: eventID}); err != nil {
				return err
			}
		}
		return nil
	})
}
