package stock

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

const (
	expireBatch  = 200
	longestLease = 15 * time.Second
	shortestRest = time.Second
)

// lease is how long a due hold rests before it is asked about again: after a
// crash, no answer, or an order that still stands. It shrinks with the holds.
func (s *Service) lease() time.Duration { return min(longestLease, max(shortestRest, s.holdTTL)) }

// ExpireDue asks the order service about holds past due and ends those that no
// order stands behind. Without an answer they wait. Safe with any number of
// replicas. It tells how many ended.
func (s *Service) ExpireDue(ctx context.Context) (int, error) {
	ids, err := s.store.ClaimDue(ctx, expireBatch, s.lease())
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	states, err := s.orders.States(ctx, ids)
	if err != nil {
		s.log.Warn("orders of due holds not known, waiting", "holds", len(ids), "error", err)
		return 0, nil
	}
	ended := 0
	var errs []error
	for _, id := range ids {
		if !states[id].Gone() {
			continue
		}
		if err := s.expire(ctx, id, states[id]); err != nil {
			errs = append(errs, err)
			continue
		}
		ended++
	}
	return ended, errors.Join(errs...)
}

func (s *Service) expire(ctx context.Context, orderID uuid.UUID, order OrderState) error {
	step := Step{OrderID: orderID, First: Hold{State: Released}, Actor: "expiry"}
	return s.store.Decide(ctx, step, func(h Hold, shelf Shelf) (Decision, []events.Event, error) {
		d := Expire(h, order)
		return d, noticeEvents(h, d, shelf), nil
	})
}
