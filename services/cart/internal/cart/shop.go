package cart

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Ask is whose cart a request is about and under which conditions.
type Ask struct {
	Owner Owner
	// Call is set for a request with an Idempotency-Key.
	Call *Call
	// IfMatch is a version tag, "*" for any stored cart, or empty.
	IfMatch string

	// found is the document as Admit read it: the change that follows begins with
	// it, as its compare-and-set shows whether it still stands.
	found *document
}

// document is a cart as the store has it, with the tag that a write must name.
type document struct {
	cart Cart
	tag  string
}

// Outcome is a cart after a request. Replayed: an earlier request with the
// same key had the effect.
type Outcome struct {
	Cart     Cart
	Replayed bool
}

// Tag is the ETag of a cart.
func (c Cart) Tag() string { return `"` + strconv.FormatInt(c.Version, 10) + `"` }

func (c Cart) matches(tag string) bool {
	return tag == "" || tag == c.Tag() || (tag == "*" && c.Version > 0)
}

// Open makes a guest cart and gives its token, once.
func (s *Carts) Open(ctx context.Context) (string, error) {
	token, err := newToken(s.Random)
	if err != nil {
		return "", err
	}
	now := s.now()
	c := empty(nil, s.Currency)
	if err := c.stamp(now, s.TTL, s.NewID().String()); err != nil {
		return "", err
	}
	if err := s.Store.Save(ctx, Guest(token).Key(), c, "", s.TTL); err != nil {
		return "", ErrStore.Because(err)
	}
	return token, nil
}

// Show gives the cart with the present names, prices and stock. Without
// Product it gives what it has: a shopper would rather see the cart than none.
func (s *Carts) Show(ctx context.Context, o Owner) (View, error) {
	c, err := s.read(ctx, o)
	if err != nil {
		return View{}, err
	}
	if len(c.Items) == 0 {
		return NewView(c, map[uuid.UUID]Product{})
	}
	products, err := s.Catalog.Glance(ctx, productIDs(c.Items))
	if err != nil {
		s.Log.WarnContext(ctx, "cart shown without product data", "error", err)
		products = nil
	}
	return NewView(c, products)
}

// read gives the cart for showing: from the cache, else from the store.
func (s *Carts) read(ctx context.Context, o Owner) (Cart, error) {
	ticket := ""
	if !o.IsGuest() {
		c, t, ok := s.Cache.Get(ctx, o.user)
		if ok {
			return s.amountsTo(o, c, "cached", s.now())
		}
		ticket = t
	}
	c, tag, err := s.Store.Load(ctx, o.Key())
	if err != nil {
		return Cart{}, ErrStore.Because(err)
	}
	if ticket != "" && tag != "" {
		s.Cache.Fill(ctx, o.user, ticket, c)
	}
	return s.amountsTo(o, c, tag, s.now())
}

// Admit makes the checks that come before a body is looked at: a replayed key
// (the outcome is then final), the guest's token, the precondition. They are
// made again when the change that the answered Ask asks for is applied.
func (s *Carts) Admit(ctx context.Context, ask Ask) (Ask, Outcome, error) {
	if ask.Call == nil && ask.IfMatch == "" && !ask.Owner.IsGuest() {
		return ask, Outcome{}, nil
	}
	now := s.now()
	doc, tag, err := s.Store.Load(ctx, ask.Owner.Key())
	if err != nil {
		return ask, Outcome{}, ErrStore.Because(err)
	}
	ask.found = &document{doc, tag}
	c, err := s.amountsTo(ask.Owner, doc, tag, now)
	if err != nil {
		return ask, Outcome{}, err
	}
	replayed, err := ask.check(&c, now)
	return ask, Outcome{Cart: c, Replayed: replayed}, err
}

func (a Ask) check(c *Cart, now time.Time) (replayed bool, err error) {
	if a.Call != nil {
		if seen, err := c.Seen(*a.Call, now); seen || err != nil {
			return seen && err == nil, err
		}
	}
	if !c.matches(a.IfMatch) {
		return false, ErrStale
	}
	return false, nil
}

// apply changes a cart under the conditions of the request.
func (s *Carts) apply(ctx context.Context, ask Ask, r rule) (Outcome, error) {
	replayed := false
	c, err := s.changeFrom(ctx, ask.found, ask.Owner, s.TTL, func(c *Cart, now time.Time) (bool, error) {
		var err error
		if replayed, err = ask.check(c, now); replayed || err != nil {
			return false, err
		}
		changed, err := r(c, now)
		if err == nil && ask.Call != nil {
			c.remember(*ask.Call, now)
			changed = true
		}
		return changed, err
	})
	return Outcome{Cart: c, Replayed: replayed}, err
}

// Add puts more of a product into the cart.
func (s *Carts) Add(ctx context.Context, ask Ask, product uuid.UUID, quantity int) (Outcome, error) {
	if quantity < 1 || quantity > MaxQuantity {
		return Outcome{}, ErrQuantity
	}
	p, err := s.onSale(ctx, product)
	if err != nil {
		return Outcome{}, err
	}
	return s.apply(ctx, ask, func(c *Cart, now time.Time) (bool, error) {
		return true, c.Add(p, quantity, now)
	})
}

// Put makes the quantity of a product what is asked.
func (s *Carts) Put(ctx context.Context, ask Ask, product uuid.UUID, quantity int) (Outcome, error) {
	if quantity < 1 || quantity > MaxQuantity {
		return Outcome{}, ErrQuantity
	}
	p, err := s.onSale(ctx, product)
	if err != nil {
		return Outcome{}, err
	}
	return s.apply(ctx, ask, func(c *Cart, now time.Time) (bool, error) {
		return c.Set(p, quantity, now)
	})
}

// Remove takes a product out; one that is not in the cart is no error.
func (s *Carts) Remove(ctx context.Context, ask Ask, product uuid.UUID) (Outcome, error) {
	return s.apply(ctx, ask, func(c *Cart, _ time.Time) (bool, error) {
		return c.Remove(product), nil
	})
}

// Clear empties the cart. The document stays: what it remembers of keys and
// checkouts must outlive its lines.
func (s *Carts) Clear(ctx context.Context, ask Ask) (Outcome, error) {
	return s.apply(ctx, ask, func(c *Cart, _ time.Time) (bool, error) {
		return c.Clear(), nil
	})
}

func (s *Carts) onSale(ctx context.Context, id uuid.UUID) (Product, error) {
	products, err := s.Catalog.Lookup(ctx, []uuid.UUID{id})
	if err != nil {
		return Product{}, err
	}
	p, ok := products[id]
	if !ok {
		return Product{}, ErrProductUnknown
	}
	if !p.Active() {
		return Product{}, ErrProductNotAvailable
	}
	return p, nil
}

func productIDs(items []Item) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(items))
	for _, it := range items {
		ids = append(ids, it.ProductID)
	}
	return ids
}

// asFault keeps a refusal and makes a store's failure one.
func asFault(err error) error {
	if err == nil || errors.Is(err, ErrStore) || isRefusal(err) {
		return err
	}
	return ErrStore.Because(err)
}
