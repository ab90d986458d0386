package tests

import (
	"net/http"

	"github.com/caravan-shop/caravan/tests/shop"
)

// What the probes are tried on: each gives the values of a path's parameters.

// made creates a thing and gives its id.
func (c *cast) made(as *shop.Shopper, status int, app, path string, body any) []string {
	c.t.Helper()
	var thing struct {
		ID string `json:"id"`
	}
	_, err := as.Want(c.ctx, status, &thing, "POST", app, path, body, as.Token(), shop.IdempotencyKey(shop.Unique("thing")))
	c.must(err)
	return []string{thing.ID}
}

func (c *cast) victim() []string { return []string{shopper(c.t, c.ctx).User.ID} }

func (c *cast) addressID() []string {
	return c.made(c.people[owner], http.StatusCreated, "user", "/v1/users/me/addresses", address())
}

func (c *cast) category() []string {
	return c.made(w.staff, http.StatusCreated, "product", "/v1/categories", object{"name": shop.Unique("Matrix")})
}

func (c *cast) stocked() []string { return []string{c.stock.ID} }

func (c *cast) spareProduct() []string { return []string{product(c.t, c.ctx, 100, 1).ID} }

func (c *cast) soldOut() []string {
	id := c.spareProduct()[0]
	c.made(w.staff, http.StatusCreated, "product", "/v1/products/"+id+"/inventory/adjustments", object{"delta": -1, "reason": "broken"})
	return []string{id}
}

// productTag is the If-Match that a change of a product needs.
func (c *cast) productTag(params []string) []shop.Header {
	c.t.Helper()
	resp, err := w.http.Want(c.ctx, http.StatusOK, nil, "GET", "product", "/v1/products/"+params[0], nil)
	c.must(err)
	return []shop.Header{{Name: "If-Match", Value: resp.Header.Get("ETag")}}
}

func (c *cast) review() []string {
	return c.made(c.people[owner], http.StatusCreated, "product", "/v1/products/"+c.spareProduct()[0]+"/reviews", object{"rating": 5})
}

// guestCart gives the token of a guest's cart with one line.
func (c *cast) guestCart() string {
	c.t.Helper()
	var cart struct {
		Token string `json:"cart_token"`
	}
	_, err := w.http.Want(c.ctx, http.StatusCreated, &cart, "POST", "cart", "/v1/guest-carts", nil)
	c.must(err)
	_, err = w.http.Want(c.ctx, http.StatusOK, nil, "POST", "cart", "/v1/cart/items",
		object{"product_id": c.stock.ID, "quantity": 1}, shop.Header{Name: "X-Cart-Token", Value: cart.Token})
	c.must(err)
	return cart.Token
}

func (c *cast) paidOrder() *shop.Order {
	c.t.Helper()
	o := buy(c.t, c.ctx, c.people[owner], c.stock.ID, 1, visa)
	return settles(c.t, c.ctx, c.people[owner], o.ID, "confirmed", "captured", "reserved")
}

func (c *cast) orderID() []string       { return []string{c.order.ID} }
func (c *cast) reservedOrder() []string { return []string{c.paidOrder().ID} }

func (c *cast) newOrder() []string {
	return []string{buy(c.t, c.ctx, c.people[owner], c.stock.ID, 1, visa).ID}
}

func (c *cast) shippedOrder() []string {
	o := c.paidOrder()
	ship(c.t, o.ID)
	return []string{o.ID}
}

func (c *cast) declinedOrder() []string {
	o := buy(c.t, c.ctx, c.people[owner], c.stock.ID, 1, declined)
	settles(c.t, c.ctx, c.people[owner], o.ID, "created", "failed", "")
	return []string{o.ID}
}

func (c *cast) savedCard() []string {
	return c.made(c.people[owner], http.StatusCreated, "payment", "/v1/saved-payment-methods", object{"token": "pm_card_mastercard"})
}

func (c *cast) transaction() []string {
	c.t.Helper()
	var list struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	_, err := w.http.Want(c.ctx, http.StatusOK, &list, "GET", "payment", "/v1/transactions?order_id="+c.order.ID, nil, c.people[owner].Token())
	c.must(err)
	if len(list.Items) != 1 {
		c.t.Fatalf("transactions of the order: got %d, want 1", len(list.Items))
	}
	return []string{list.Items[0].ID}
}

func (c *cast) refund() []string {
	return c.made(w.staff, http.StatusCreated, "payment", "/v1/refunds",
		object{"order_id": c.order.ID, "amount": shop.Money{Amount: 1, Currency: "GBP"}, "reason": "a scratch"})
}
