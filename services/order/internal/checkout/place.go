package checkout

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/crashpoint"
	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// Service runs checkouts. Safe for concurrent use and beside its replicas.
type Service struct {
	Store    Store
	Carts    Carts
	Accounts Accounts
	Payments Payments
	Catalog  Catalog
	Tariffs  Tariffs

	NewID  func() uuid.UUID
	Now    func() time.Time
	Random io.Reader // of order numbers; safe for concurrent use
	Log    *slog.Logger

	Gate   *Gate         // who may run; nil: everybody
	Quoted *Quoted       // carts that need not be read again; nil: none
	Lease  time.Duration // how long one checkout may run
	PayBy  time.Duration

	scarce scarce
	shelf  shelf
}

// Request is what a customer wants to order.
type Request struct {
	UserID          uuid.UUID
	ShippingAddress uuid.UUID
	BillingAddress  uuid.UUID
	Means           Means
	ExpectedTotal   int64
}

// Render makes the answer that is kept with the order.
type Render func(o order.Order) (idempotency.Answer, error)

// Place runs a checkout to its end and gives the answer that the key keeps. On
// any refusal it undoes the steps taken, gives the key back and returns the
// fault. If this process dies on the way, Recover of any replica cleans up.
func (s *Service) Place(ctx context.Context, req Request, key idempotency.Key, render Render) (idempotency.Answer, error) {
	if s.Gate != nil {
		if err := s.Gate.enter(ctx); err != nil {
			return idempotency.Answer{}, err
		}
		defer s.Gate.leave()
	}
	cart, err := s.look(ctx, req.UserID, key)
	if err != nil {
		return idempotency.Answer{}, err
	}
	if cart == nil {
		cart = s.Quoted.recall(req.UserID, s.Now())
	}
	answer, err := s.run(ctx, req, key, render, cart)
	if cart == nil || !s.refusedFor(ctx, req.UserID, err, cart) {
		return answer, err
	}
	return s.run(ctx, req, key, render, nil)
}

// refusedFor tells whether a refusal may be due to the cart as it was: it has
// changed since.
func (s *Service) refusedFor(ctx context.Context, user uuid.UUID, refusal error, was *Cart) bool {
	if kind, _ := fault.KindOf(refusal); kind != fault.Conflict && kind != fault.Invalid {
		return false
	}
	if errors.Is(refusal, ErrInProgress) || errors.Is(refusal, idempotency.ErrInProgress) {
		return false // before any cart was asked about
	}
	ctx, cancel := context.WithTimeout(ctx, s.Lease)
	defer cancel()
	now, err := s.Carts.Read(ctx, user)
	return err == nil && now.Version != was.Version
}

// run is one try, with the cart if it is known.
func (s *Service) run(ctx context.Context, req Request, key idempotency.Key, render Render, cart *Cart) (idempotency.Answer, error) {
	r := &run{Service: s, req: req, key: key, render: render, cart: cart,
		c: Checkout{OrderID: s.NewID(), UserID: req.UserID}}
	earlier, err := s.Store.Begin(ctx, r.c, key, s.Lease)
	if err != nil {
		return idempotency.Answer{}, err
	}
	crashpoint.Hit("checkout.begun", "")
	// Past its lease a checkout can't commit: no use to work on.
	within, cancel := context.WithTimeout(ctx, s.Lease)
	defer cancel()
	if len(earlier) > 0 {
		r.cart = nil // it may come back now
	}
	if err = s.clearEarlier(within, earlier); err == nil {
		err = r.steps(within)
	}
	if err == nil {
		return r.answer, nil
	}
	// The client may be gone; what was begun is undone all the same.
	return r.abandon(context.WithoutCancel(ctx), err)
}

// clearEarlier undoes what a checkout of this customer left behind, so that its
// cart is back before it is read.
func (s *Service) clearEarlier(ctx context.Context, earlier []Checkout) error {
	for _, c := range earlier {
		if err := s.undoAll(ctx, c); err != nil {
			return ErrEarlierPending.Because(err)
		}
	}
	return nil
}

// run is one checkout on its way. The flags tell which neighbours may have done
// something that has to be undone.
type run struct {
	*Service
	c      Checkout
	req    Request
	key    idempotency.Key
	render Render
	answer idempotency.Answer

	cart    *Cart // nil: not read yet
	account Account

	prepared, held, taken bool
}

func (r *run) steps(ctx context.Context) error {
	if err := r.gather(ctx); err != nil {
		return err
	}
	items, err := r.hold(ctx)
	if err != nil {
		return err
	}
	country := r.account.Addresses[r.req.ShippingAddress].Country
	totals, err := r.Tariffs.Price(items, country)
	if err != nil {
		return err
	}
	if totals.Total != r.req.ExpectedTotal {
		return priceChanged(totals)
	}
	if err := r.Tariffs.Payable(totals); err != nil {
		return err
	}
	crashpoint.Hit("checkout.before_take", "")
	if err := r.take(ctx); err != nil {
		return err
	}
	crashpoint.Hit("checkout.before_commit", "")
	return r.commit(ctx, items, totals)
}

// gather asks three neighbours at once and waits for all of them: the first
// refusal in a fixed order is the answer, whichever came first.
func (r *run) gather(ctx context.Context) error {
	var wg sync.WaitGroup
	var cartErr, accountErr, meansErr error
	var known bool
	if r.cart == nil {
		r.cart = &Cart{}
		wg.Go(func() { *r.cart, cartErr = r.Carts.Read(ctx, r.c.UserID) })
	}
	wg.Go(func() {
		r.account, accountErr = r.Accounts.Lookup(ctx, r.c.UserID, []uuid.UUID{r.req.ShippingAddress, r.req.BillingAddress})
	})
	wg.Go(func() { known, meansErr = r.Payments.Prepare(ctx, r.c.OrderID, r.c.UserID, r.req.Means) })
	wg.Wait()
	r.prepared = known || meansErr != nil
	if err := errors.Join(cartErr, accountErr, meansErr); err != nil {
		return err
	}
	if !r.account.Active {
		return ErrAccount
	}
	if err := r.cart.orderable(); err != nil {
		return err
	}
	if !known {
		return ErrPaymentMethod
	}
	return r.account.has(map[string]uuid.UUID{
		"shipping_address_id": r.req.ShippingAddress, "billing_address_id": r.req.BillingAddress})
}

func (a Account) has(ids map[string]uuid.UUID) error {
	var missing []string
	for _, field := range []string{"shipping_address_id", "billing_address_id"} {
		id, asked := ids[field]
		if _, ok := a.Addresses[id]; asked && !ok {
			missing = append(missing, field)
		}
	}
	if len(missing) > 0 {
		return unknownAddress(missing...)
	}
	return nil
}

func (r *run) hold(ctx context.Context) ([]order.Item, error) {
	r.held = true
	h, err := r.Catalog.Hold(ctx, r.c.OrderID, r.c.UserID, r.cart.Lines)
	switch {
	case err != nil:
		return nil, err
	case len(h.OutOfStock) > 0:
		return nil, r.outOfStock(h.OutOfStock)
	case len(h.Unavailable) > 0:
		return nil, naming(ErrNotForSale, h.Unavailable)
	case len(h.Items) == 0:
		return nil, ErrUndone
	}
	return h.Items, nil
}

func (r *run) take(ctx context.Context) error {
	r.taken = true
	result, err := r.Carts.Take(ctx, r.c.UserID, r.c.OrderID, r.cart.Version)
	switch {
	case err != nil:
		return err
	case result == CartChanged:
		return ErrCartChanged
	case result != Taken:
		return ErrUndone
	}
	return nil
}

// numberTries bounds the search for a free order number: two in a row are
// taken about never.
const numberTries = 5

func (r *run) commit(ctx context.Context, items []order.Item, totals order.Totals) error {
	now := r.Now().UTC().Truncate(time.Microsecond) // what the database keeps
	p := order.Placement{
		ID: r.c.OrderID, UserID: r.c.UserID, Items: items, Totals: totals,
		ShippingAddressID: r.req.ShippingAddress, BillingAddressID: r.req.BillingAddress,
		ShippingAddress: r.account.Addresses[r.req.ShippingAddress],
		BillingAddress:  r.account.Addresses[r.req.BillingAddress],
		PayBy:           now.Add(r.PayBy),
	}
	by := order.Cause{Actor: "customer:" + r.c.UserID.String()}
	err := ErrNumberTaken
	for try := 0; try < numberTries && errors.Is(err, ErrNumberTaken); try++ {
		var nerr error
		if p.Number, nerr = order.NewNumber(r.Random); nerr != nil {
			return nerr
		}
		out := order.New(p, by, now)
		if r.answer, nerr = r.render(out.Order); nerr != nil {
			return nerr
		}
		err = r.Store.Commit(ctx, out, r.key, r.answer)
	}
	return err
}
