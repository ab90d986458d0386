package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/caravan-shop/caravan/tests/shop"
)

const (
	visa     = "pm_card_visa"
	declined = "pm_card_chargeDeclined"
	// visits is how often one account shops before another person comes.
	visits = 6
)

// customer shops, one account after the other, until the storm is over.
func (r *run) customer(ctx, weather context.Context, dice *rand.Rand) {
	for weather.Err() == nil {
		s, err := r.register(ctx)
		if err != nil {
			r.book.answered("gave up: register")
			continue
		}
		for range visits {
			if weather.Err() != nil {
				break
			}
			r.visit(ctx, s, dice)
		}
		if dice.IntN(8) == 0 {
			r.leave(ctx, s)
		}
	}
}

// register is safe to repeat: a second answer may only say that the address is taken.
func (r *run) register(ctx context.Context) (*shop.Shopper, error) {
	email, password := shop.Unique("storm")+"@example.com", shop.Unique("pw")
	resp, err := r.persist(ctx, "POST", "user", "/v1/users", map[string]string{
		"email": email, "password": password, "first_name": "Stormy", "last_name": "Shopper"})
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusCreated && resp.Code() != "email_taken" {
		r.book.breach("register: %d %.200s", resp.Status, resp.Body)
		return nil, fmt.Errorf("register: status %d", resp.Status)
	}
	s := &shop.Shopper{Client: r.http, Email: email, Password: password}
	if resp, err = r.persist(ctx, "POST", "user", "/v1/sessions", map[string]string{"email": email, "password": password}); err != nil {
		return nil, err
	}
	if err := r.created(resp, "sign in", &s.Session); err != nil {
		return nil, err
	}
	var address struct {
		ID string `json:"id"`
	}
	resp, err = r.persist(ctx, "POST", "user", "/v1/users/me/addresses", map[string]any{
		"recipient": "Stormy Shopper", "line1": "1 Analytical Way", "city": "London", "postal_code": "SW1A 1AA",
		"country": "GB", "is_default_shipping": true, "is_default_billing": true}, s.Token(), shop.IdempotencyKey(shop.Unique("address")))
	if err != nil {
		return nil, err
	}
	err = r.created(resp, "address", &address)
	s.AddressID = address.ID
	return s, err
}

// created holds an answer to 201; anything else, from a shop that answers at all, is a breach.
func (r *run) created(resp *shop.Response, what string, out any) error {
	if resp.Status != http.StatusCreated {
		r.book.breach("%s: %d %.200s", what, resp.Status, resp.Body)
		return fmt.Errorf("%s: status %d", what, resp.Status)
	}
	return resp.Into(out)
}

// visit is one order, and what a customer may do with it.
func (r *run) visit(ctx context.Context, s *shop.Shopper, dice *rand.Rand) {
	p, units := r.shelf.pick(dice), int64(1+dice.IntN(3))
	resp, err := r.persist(ctx, "PUT", "cart", "/v1/cart/items/"+p.ID, map[string]any{"quantity": units}, s.Token())
	if err != nil || resp.Status != http.StatusOK {
		r.book.answered("visit ended: cart " + outcome(resp, err))
		return
	}
	if dice.IntN(3) == 0 {
		_, _ = r.http.Do(ctx, "GET", "product", "/v1/search?q=lantern", nil)
	}
	o, card := r.place(ctx, s, dice)
	if o == nil {
		r.emptyCart(ctx, s)
		return
	}
	switch {
	case card == declined && dice.IntN(2) == 0:
		r.payAgain(ctx, s, o)
	case dice.IntN(4) == 0:
		r.cancel(ctx, s, o)
	}
}

func outcome(resp *shop.Response, err error) string {
	if err != nil {
		return "no answer"
	}
	return fmt.Sprintf("%d %s", resp.Status, resp.Code())
}

// emptyCart lets the next visit begin anew after a refusal.
func (r *run) emptyCart(ctx context.Context, s *shop.Shopper) {
	_, _ = r.persist(ctx, "DELETE", "cart", "/v1/cart", nil, s.Token())
}

// place asks for an order under one key until the answer is known.
func (r *run) place(ctx context.Context, s *shop.Shopper, dice *rand.Rand) (*shop.Order, string) {
	card := visa
	if dice.IntN(5) == 0 {
		card = declined
	}
	resp, err := r.persist(ctx, "POST", "order", "/v1/quotes", map[string]string{"shipping_address_id": s.AddressID}, s.Token())
	if err != nil || resp.Status != http.StatusOK {
		r.book.answered("visit ended: quote " + outcome(resp, err))
		return nil, card
	}
	var q struct {
		Totals shop.Totals `json:"totals"`
	}
	if err := resp.Into(&q); err != nil {
		r.book.breach("quote: %v", err)
		return nil, card
	}
	key := shop.Unique("storm")
	r.book.attempt(s.User.ID, key)
	resp, err = r.persist(ctx, "POST", "order", "/v1/orders", s.OrderBody(card, q.Totals.Total), s.Token(), shop.IdempotencyKey(key))
	if err != nil || resp.Status != http.StatusCreated {
		r.book.answered("visit ended: order " + outcome(resp, err))
		return nil, card
	}
	var o shop.Order
	if err := resp.Into(&o); err != nil {
		r.book.breach("order: %v", err)
		return nil, card
	}
	if o.Totals.Total != q.Totals.Total {
		r.book.breach("order %s costs %d, accepted was %d", o.ID, o.Totals.Total.Amount, q.Totals.Total.Amount)
	}
	r.book.placed(&o, told{UserID: s.User.ID, Key: key, Email: s.Email, Number: o.Number, Total: o.Totals.Total.Amount})
	return &o, card
}

// payAgain tries another card; a 409 says that the order waits for none (yet).
func (r *run) payAgain(ctx context.Context, s *shop.Shopper, o *shop.Order) {
	resp, err := r.persist(ctx, "POST", "payment", "/v1/orders/"+o.ID+"/payment-attempts",
		map[string]any{"payment": map[string]string{"method": "card", "token": visa}}, s.Token(), shop.IdempotencyKey(shop.Unique("again")))
	r.book.answered("pay again: " + outcome(resp, err))
}

func (r *run) cancel(ctx context.Context, s *shop.Shopper, o *shop.Order) {
	resp, err := r.persist(ctx, "POST", "order", "/v1/orders/"+o.ID+"/cancel",
		map[string]string{"reason": "the weather"}, s.Token(), shop.IdempotencyKey(shop.Unique("cancel")))
	if err == nil && resp.Status == http.StatusOK {
		r.book.cancelled(o.ID)
		return
	}
	r.book.answered("cancel: " + outcome(resp, err))
}

// leave erases the account; its orders that are not shipped are then cancelled.
func (r *run) leave(ctx context.Context, s *shop.Shopper) {
	r.book.left(s.User.ID)
	resp, err := r.persist(ctx, "DELETE", "user", "/v1/users/me", nil, s.Token())
	r.book.answered("erase: " + outcome(resp, err))
}
