package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/sidecar"
)

// world is the four neighbours behind the sidecar, small but with the promises
// that the contract makes of them: calls may be repeated, and what was undone
// refuses to be done late.
type world struct {
	mu       sync.Mutex
	carts    map[uuid.UUID]*fakeCart
	products map[uuid.UUID]*fakeProduct
	holds    map[uuid.UUID]*fakeHold // nil entry: released before it came
	takes    map[uuid.UUID]*fakeTake // nil entry: restored before it came
	prepared map[uuid.UUID]bool      // false: closed
	accounts map[uuid.UUID]string
	address  uuid.UUID // known to be everybody's
	closing  map[uuid.UUID]string
	closeTx  uuid.UUID
	calls    map[string]int
	before   map[string]func(ctx context.Context) error
	after    map[string]func(ctx context.Context) error
}

type fakeCart struct {
	version int64
	items   map[uuid.UUID]int64
}

type fakeProduct struct {
	price, available int64
	status           string
}

type fakeHold struct{ lines map[uuid.UUID]int64 }

type fakeTake struct{ items map[uuid.UUID]int64 }

func newWorld() *world {
	return &world{
		carts: map[uuid.UUID]*fakeCart{}, products: map[uuid.UUID]*fakeProduct{}, holds: map[uuid.UUID]*fakeHold{},
		takes: map[uuid.UUID]*fakeTake{}, prepared: map[uuid.UUID]bool{}, accounts: map[uuid.UUID]string{},
		address: uuid.Must(uuid.NewV7()), closing: map[uuid.UUID]string{}, calls: map[string]int{},
		before: map[string]func(context.Context) error{}, after: map[string]func(context.Context) error{},
	}
}

// product puts units on the shelf.
func (w *world) product(price, available int64) uuid.UUID {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := uuid.Must(uuid.NewV7())
	w.products[id] = &fakeProduct{price, available, "active"}
	return id
}

// fill puts a line into a cart.
func (w *world) fill(user, product uuid.UUID, quantity int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.carts[user]
	if c == nil {
		c = &fakeCart{items: map[uuid.UUID]int64{}}
		w.carts[user] = c
	}
	c.items[product] += quantity
	c.version++
}

func (w *world) available(product uuid.UUID) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.products[product].available
}

func (w *world) inCart(user, product uuid.UUID) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.carts[user].items[product]
}

// openMeans counts the means of payment that were handed over and not closed.
func (w *world) openMeans() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, open := range w.prepared {
		if open {
			n++
		}
	}
	return n
}

// fault makes the calls of a path fail, before their effect or after it; nil
// mends them.
func (w *world) fault(path string, before, after func(context.Context) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before[path], w.after[path] = before, after
}

func away(context.Context) error { return sidecar.ErrAway }

func (w *world) hook(hooks map[string]func(context.Context) error, path string) func(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := hooks[path]; h != nil {
		return h
	}
	return func(context.Context) error { return nil }
}

// Invoke is the sidecar.
func (w *world) Invoke(ctx context.Context, _, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if err := w.hook(w.before, path)(ctx); err != nil {
		return err
	}
	answer, err := w.answer(path, body)
	if err != nil {
		return err
	}
	if err := w.hook(w.after, path)(ctx); err != nil {
		return err
	}
	raw, err := json.Marshal(answer)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

// question joins the bodies of all routes.
type question struct {
	UserID     uuid.UUID   `json:"user_id"`
	OrderID    uuid.UUID   `json:"order_id"`
	Version    int64       `json:"version"`
	AddressIDs []uuid.UUID `json:"address_ids"`
	ProductIDs []uuid.UUID `json:"product_ids"`
	Payment    struct {
		Token string `json:"token"`
	} `json:"payment"`
	Lines []struct {
		ProductID uuid.UUID `json:"product_id"`
		Quantity  int64     `json:"quantity"`
	} `json:"lines"`
}

type object map[string]any

func (w *world) answer(path string, body []byte) (any, error) {
	var q question
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[path]++
	switch path {
	case "/internal/carts/read":
		return w.read(q), nil
	case "/internal/carts/take":
		return object{"result": w.take(q)}, nil
	case "/internal/carts/restore":
		return object{"result": w.restore(q)}, nil
	case "/internal/addresses/lookup":
		return w.lookupAddresses(q), nil
	case "/internal/payments/prepare":
		return object{"result": w.prepare(q)}, nil
	case "/internal/payments/close":
		return w.closePayment(q), nil
	case "/internal/products/lookup":
		return w.lookupProducts(q)
	case "/internal/holds/place":
		if len(q.Lines) > 1200 {
			return nil, errors.New("product refuses more than 1,200 lines")
		}
		return w.hold(q), nil
	case "/internal/holds/release":
		return object{"result": w.release(q)}, nil
	}
	return nil, fmt.Errorf("no such route %s", path)
}

func (w *world) read(q question) object {
	c := w.carts[q.UserID]
	if c == nil || len(c.items) == 0 {
		return object{"result": "empty"}
	}
	items := []object{}
	for id, n := range c.items {
		items = append(items, object{"product_id": id, "quantity": n, "unit_price_amount": 1})
	}
	return object{"result": "ok", "version": c.version, "items": items, "currency": "GBP"}
}

func (w *world) take(q question) string {
	t, seen := w.takes[q.OrderID]
	c := w.carts[q.UserID]
	switch {
	case seen && t == nil:
		return "undone"
	case seen:
		return "taken"
	case c == nil || c.version != q.Version || len(c.items) == 0:
		return "changed"
	}
	w.takes[q.OrderID] = &fakeTake{c.items}
	c.items = map[uuid.UUID]int64{}
	c.version++
	return "taken"
}

func (w *world) restore(q question) string {
	t := w.takes[q.OrderID]
	w.takes[q.OrderID] = nil
	if c := w.carts[q.UserID]; c != nil {
		c.version++ // also where only the undoing is noted
	}
	if t == nil {
		return "nothing"
	}
	for id, n := range t.items {
		w.carts[q.UserID].items[id] += n
	}
	return "restored"
}

func (w *world) lookupAddresses(q question) object {
	state := w.accounts[q.UserID]
	if state == "" {
		state = "active"
	}
	found := []object{}
	for _, id := range q.AddressIDs {
		if id == w.address {
			found = append(found, object{"id": id, "recipient": "Ada Lovelace", "line1": "12 St James's Square",
				"city": "London", "postal_code": "SW1Y 4JH", "country": "GB"})
		}
	}
	return object{"account": state, "addresses": found}
}

func (w *world) prepare(q question) string {
	if q.Payment.Token == "pm_unknown" {
		return "payment_method_unknown"
	}
	if open, seen := w.prepared[q.OrderID]; seen && !open {
		return "prepared" // kept closed: nothing is charged for it
	}
	w.prepared[q.OrderID] = true
	return "prepared"
}

func (w *world) closePayment(q question) object {
	result := w.closing[q.OrderID]
	if result == "" {
		result = "closed"
	}
	if result == "closed" {
		w.prepared[q.OrderID] = false
	}
	return object{"result": result, "transaction_id": w.closeTx}
}

func (w *world) lookupProducts(q question) (any, error) {
	if len(q.ProductIDs) > 1200 {
		return nil, errors.New("product refuses more than 1,200 ids")
	}
	found := []object{}
	for _, id := range q.ProductIDs {
		if p := w.products[id]; p != nil {
			found = append(found, object{"id": id, "sku": "SKU-" + id.String()[30:], "name": "Thing",
				"price": object{"amount": p.price, "currency": "GBP"}, "tax_class": "standard",
				"status": p.status, "available": p.available, "version": 1})
		}
	}
	return object{"products": found}, nil
}

func (w *world) hold(q question) object {
	if h, seen := w.holds[q.OrderID]; seen && h == nil {
		return object{"result": "undone"}
	}
	short, gone, lines := []object{}, []object{}, []object{}
	for _, l := range q.Lines {
		p := w.products[l.ProductID]
		switch {
		case p.status != "active":
			gone = append(gone, object{"product_id": l.ProductID, "reason": p.status})
		case p.available < l.Quantity:
			short = append(short, object{"product_id": l.ProductID, "requested": l.Quantity, "available": p.available})
		}
		lines = append(lines, object{"product_id": l.ProductID, "sku": "SKU-" + l.ProductID.String()[30:], "name": "Thing",
			"quantity": l.Quantity, "unit_price": object{"amount": p.price, "currency": "GBP"}, "tax_class": "standard"})
	}
	if len(gone) > 0 {
		return object{"result": "product_unavailable", "lines": gone}
	}
	if w.holds[q.OrderID] == nil {
		if len(short) > 0 {
			return object{"result": "out_of_stock", "lines": short}
		}
		h := &fakeHold{map[uuid.UUID]int64{}}
		for _, l := range q.Lines {
			w.products[l.ProductID].available -= l.Quantity
			h.lines[l.ProductID] = l.Quantity
		}
		w.holds[q.OrderID] = h
	}
	return object{"result": "held", "expires_at": "2026-01-01T00:00:00Z", "lines": lines}
}

func (w *world) release(q question) string {
	h := w.holds[q.OrderID]
	w.holds[q.OrderID] = nil
	if h == nil {
		return "nothing"
	}
	for id, n := range h.lines {
		w.products[id].available += n
	}
	return "released"
}

// untouched checks that a checkout left no trace with the neighbours.
func (w *world) untouched(t *testing.T, user, product uuid.UUID, inCart, available int64) {
	t.Helper()
	if got := w.inCart(user, product); got != inCart {
		t.Errorf("units in the cart: got %d, want %d", got, inCart)
	}
	if got := w.available(product); got != available {
		t.Errorf("units available: got %d, want %d", got, available)
	}
	if got := w.openMeans(); got != 0 {
		t.Errorf("means of payment left with Payment: got %d, want 0", got)
	}
}
