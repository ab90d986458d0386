package cart

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/caravan-shop/caravan/services/internal/fault"
)

// A change that loses against other replicas tries again, a bounded number of
// times; one whose store fails gives up sooner.
const (
	maxTries    = 24
	maxFailures = 3
	firstPause  = 4 * time.Millisecond
	longPause   = 150 * time.Millisecond
)

// rule changes a cart, or says that there is nothing to change. It may run
// more than once, on a fresh copy each time.
type rule func(c *Cart, now time.Time) (changed bool, err error)

// change applies a rule by compare-and-set. A lost answer is no lost write:
// each write leaves its id in the document, and a retry that finds it knows.
// A positive slide moves the cart's end of life.
func (s *Carts) change(ctx context.Context, o Owner, slide time.Duration, r rule) (Cart, error) {
	return s.changeFrom(ctx, nil, o, slide, r)
}

// changeFrom is change, but first tries on a document that was read a moment ago.
func (s *Carts) changeFrom(ctx context.Context, found *document, o Owner, slide time.Duration, r rule) (Cart, error) {
	release, waited, err := s.locks.acquire(ctx, o.Key())
	if err != nil {
		return Cart{}, ErrBusy.Because(err)
	}
	defer release()
	w := write{carts: s, owner: o, slide: slide, id: s.NewID().String()}
	if !waited { // else whoever was before us has changed it
		w.found = found
	}
	for failures := 0; w.tries < maxTries; w.tries++ {
		if err := pause(ctx, w.tries); err != nil {
			return Cart{}, ErrBusy.Because(err)
		}
		c, done, err := w.try(ctx, r)
		if done || fault.CodeOf(err) != "" {
			return c, err
		}
		if errors.Is(err, ErrConflict) {
			continue
		}
		if failures++; failures >= maxFailures || ctx.Err() != nil {
			return Cart{}, ErrStore.Because(err)
		}
	}
	return Cart{}, ErrBusy.After(time.Second)
}

// write is one change under way.
type write struct {
	carts *Carts
	owner Owner
	slide time.Duration
	id    string
	mark  string
	tries int
	found *document // for the first try
}

// load reads the document, or takes the one that is known already.
func (w *write) load(ctx context.Context, now time.Time) (Cart, string, error) {
	if w.found == nil {
		return w.carts.load(ctx, w.owner, now)
	}
	known := *w.found
	w.found = nil
	c, err := w.carts.amountsTo(w.owner, known.cart, known.tag, now)
	return c, known.tag, err
}

func (w *write) try(ctx context.Context, r rule) (Cart, bool, error) {
	now := w.carts.now()
	c, tag, err := w.load(ctx, now)
	if err != nil {
		return Cart{}, false, err
	}
	if c.wrote(w.id) {
		w.settle(ctx, c)
		return c, true, nil
	}
	next := c.clone()
	changed, err := r(&next, now)
	if err != nil {
		return Cart{}, true, err
	}
	if !changed {
		return c, true, nil
	}
	if err := next.stamp(now, w.slide, w.id); err != nil {
		return Cart{}, true, err
	}
	if !w.owner.IsGuest() {
		w.mark = w.carts.Cache.Block(ctx, w.owner.user)
	}
	ttl := max(next.ExpiresAt.Sub(now), time.Second)
	if err := w.carts.Store.Save(ctx, w.owner.Key(), next, tag, ttl); err != nil {
		return Cart{}, false, err
	}
	w.settle(ctx, next)
	return next, true, nil
}

func (w *write) settle(ctx context.Context, c Cart) {
	if !w.owner.IsGuest() && w.mark != "" {
		w.carts.Cache.Settle(ctx, w.owner.user, w.mark, c)
	}
}

// load reads an owner's document from the store and says what it amounts to:
// an expired one is an empty cart, whose tag is still needed to replace it.
func (s *Carts) load(ctx context.Context, o Owner, now time.Time) (Cart, string, error) {
	c, tag, err := s.Store.Load(ctx, o.Key())
	if err != nil {
		return Cart{}, "", err
	}
	c, err = s.amountsTo(o, c, tag, now)
	return c, tag, err
}

func (s *Carts) amountsTo(o Owner, c Cart, tag string, now time.Time) (Cart, error) {
	gone := tag == "" || c.Expired(now)
	switch {
	case o.IsGuest() && (gone || c.MergedInto != nil):
		return Cart{}, ErrCartToken
	case gone:
		return empty(o.userID(), s.Currency), nil
	case c.ErasedAt != nil:
		return Cart{}, ErrErased
	}
	return c, nil
}

// pause waits before a retry, longer each time, never two writers alike.
func pause(ctx context.Context, tries int) error {
	if tries == 0 {
		return nil
	}
	ceiling := min(firstPause<<min(tries, 8), longPause)
	t := time.NewTimer(firstPause/2 + rand.N(ceiling))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
