package checkout

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caravan-shop/caravan/services/internal/idempotency"
)

// undoWithin bounds one undo; the store's claim on it lasts longer.
const undoWithin = 8 * time.Second

// recoverBatch is how many checkouts are undone at once.
const recoverBatch = 16

// abandon ends a checkout that failed with cause. From the moment that the row
// says so the order can't commit, so what is undone stays undone.
func (r *run) abandon(ctx context.Context, cause error) (idempotency.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, undoWithin)
	defer cancel()
	fate, err := r.Store.Abandon(ctx, r.c.OrderID)
	if err != nil {
		// The row runs on; Recover finds it past its lease.
		r.Log.Warn("checkout left to recovery", "order_id", r.c.OrderID, "error", err)
		return idempotency.Answer{}, cause
	}
	key := &r.key
	switch fate {
	case Placed: // the commit went through although its answer was lost
		return r.answer, nil
	case Superseded: // by now the key may be in other hands
		key = nil
	}
	undone := r.undo(ctx)
	if undone != nil {
		r.Log.Warn("undo left to recovery", "order_id", r.c.OrderID, "error", undone)
	}
	if err := r.Store.Settle(ctx, r.c.OrderID, key, undone == nil); err != nil {
		r.Log.Warn("settling left to recovery", "order_id", r.c.OrderID, "error", err)
	}
	return idempotency.Answer{}, cause
}

// undo reverts the steps that this run may have taken.
func (r *run) undo(ctx context.Context) error {
	var steps []func(context.Context) error
	if r.prepared {
		steps = append(steps, func(ctx context.Context) error { return r.Payments.Discard(ctx, r.c.OrderID) })
	}
	if r.held {
		steps = append(steps, func(ctx context.Context) error { return r.Catalog.Release(ctx, r.c.OrderID) })
	}
	if r.taken {
		steps = append(steps, func(ctx context.Context) error { return r.Carts.Restore(ctx, r.c.UserID, r.c.OrderID) })
	}
	return together(ctx, steps...)
}

// undoAll reverts every step of a checkout of which nothing else is known. Each
// call leaves a mark at the neighbour that refuses the step if it comes late.
func (s *Service) undoAll(ctx context.Context, c Checkout) error {
	err := together(ctx,
		func(ctx context.Context) error { return s.Payments.Discard(ctx, c.OrderID) },
		func(ctx context.Context) error { return s.Catalog.Release(ctx, c.OrderID) },
		func(ctx context.Context) error { return s.Carts.Restore(ctx, c.UserID, c.OrderID) },
	)
	if err != nil {
		return err
	}
	return s.Store.Settle(ctx, c.OrderID, nil, true)
}

// together runs the steps at once and waits for all: one that fails must not
// stop the others.
func together(ctx context.Context, steps ...func(context.Context) error) error {
	errs := make([]error, len(steps))
	var wg sync.WaitGroup
	for i, step := range steps {
		wg.Go(func() { errs[i] = step(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Recover undoes the checkouts that are past their lease and those whose undo
// failed before. A neighbour that is away leaves the rest for a later turn.
func (s *Service) Recover(ctx context.Context) error {
	for {
		due, err := s.Store.Overdue(ctx, recoverBatch)
		if err != nil || len(due) == 0 {
			return err
		}
		if err := s.undoEach(ctx, due); err != nil {
			return err
		}
	}
}

func (s *Service) undoEach(ctx context.Context, due []Checkout) error {
	within, cancel := context.WithTimeout(ctx, undoWithin)
	defer cancel()
	steps := make([]func(context.Context) error, 0, len(due))
	for _, c := range due {
		steps = append(steps, func(ctx context.Context) error { return s.undoAll(ctx, c) })
	}
	return together(within, steps...)
}
