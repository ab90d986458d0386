package postgres

import (
	"context"

	"github.com/caravan-shop/caravan/services/internal/inbox"
)

// Once implements subscriber.Inbox.
func (s *Store) Once(ctx context.Context, consumer, eventID string, effect func(ctx context.Context) error) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		first, err := inbox.First(ctx, s.db, consumer, eventID)
		if err != nil || !first {
			return err
		}
		return effect(ctx)
	})
}
