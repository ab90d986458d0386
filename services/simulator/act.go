package simulator

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/twin"
	"github.com/caravan-shop/caravan/services/order/ordertwin"
	"github.com/caravan-shop/caravan/services/payment/paymenttwin"
)

// shopper is one customer with what its client knows.
type shopper struct {
	user, address uuid.UUID
	erased        bool
	added         map[uuid.UUID]int64 // put into the cart, ever

	key      string // of the checkout whose end the client does not know
	expected int64
	token    string
	busy     bool
	told     []uuid.UUID // orders that it got a 2xx for
}

// act is one step of the world.
func (w *world) act() {
	w.advance(time.Duration(w.rng.IntN(1500)) * time.Millisecond)
	switch n := w.rng.IntN(200); {
	case n < 30:
		w.checkoutStep()
	case n < 100:
		w.machine()
	case n < 130:
		if !w.collect() {
			w.machine()
		}
	case n < 142:
		w.timer()
	case n < 182:
		w.person()
	case n < 192:
		w.provider()
	case n < 196:
		w.advance(time.Duration(w.rng.IntN(240)) * time.Second)
	case n < 199:
		w.kill()
	default:
		w.skip()
	}
}

// machine has whatever can go on by itself take a step.
func (w *world) machine() {
	for _, i := range w.rng.Perm(3) {
		switch i {
		case 0:
			if w.relay() {
				return
			}
		case 1:
			if w.deliver() {
				return
			}
		default:
			if len(w.tasks) > 0 {
				w.run(w.tasks[w.rng.IntN(len(w.tasks))], true)
				return
			}
		}
	}
}

// skip lets a long time pass: orders expire, leases end.
func (w *world) skip() { w.advance(time.Duration(w.rng.IntN(30)) * time.Minute) }

func (w *world) kill() {
	names := []string{"order", "payment", "product"}
	name := names[w.rng.IntN(len(names))]
	w.trace("%s dies", name)
	w.crash(name)
	w.down[name] = w.now.Add(time.Duration(w.rng.IntN(20)) * time.Second)
}

// checkoutStep fills a cart or orders it.
func (w *world) checkoutStep() {
	s := w.shoppers[w.rng.IntN(len(w.shoppers))]
	if s.busy || s.erased {
		return
	}
	_, lines := w.carts.read(s.user)
	if s.key == "" && (len(lines) == 0 || w.rng.IntN(5) == 0) {
		product, n := w.products[w.rng.IntN(len(w.products))], 1+w.rng.Int64N(3)
		w.carts.add(s.user, product, n)
		s.added[product] += n
		return
	}
	if w.isDown("order") {
		return
	}
	if s.key == "" {
		tokens := paymenttwin.Tokens()
		s.key, s.token = w.newID("key").String(), tokens[w.rng.IntN(len(tokens))]
		s.expected = w.quote(lines)
	}
	w.place(s)
}

func (w *world) quote(lines []ordertwin.Line) int64 {
	prices := map[uuid.UUID]ordertwin.Item{}
	for _, p := range w.stock.Prices() {
		prices[p.Product] = ordertwin.Item{Line: ordertwin.Line{Product: p.Product}, SKU: p.SKU, Name: p.Name, TaxClass: p.TaxClass, Price: p.Price}
	}
	var items []ordertwin.Item
	for _, l := range lines {
		it := prices[l.Product]
		it.Quantity = l.Quantity
		items = append(items, it)
	}
	return w.order.Quote(items)
}

// place begins a checkout; the client asks again under the same key until it
// knows how it ended.
func (w *world) place(s *shopper) *task {
	s.busy = true
	key, token, expected := s.key, s.token, s.expected
	w.trace("customer %.8s orders under key %.8s", s.user, key)
	return w.start("checkout "+key[:8], "order", func() {
		defer func() { s.busy = false }()
		id, err := w.order.Place(context.Background(), s.user, s.address, token, key, expected)
		w.trace("  checkout %.8s ends: %.8s, %v", key, id, err)
		kind, refused := fault.KindOf(err)
		switch {
		case err == nil && w.chance(10):
			w.fault("client lost the answer")
		case err == nil:
			s.told, s.key = append(s.told, id), ""
		case refused && kind != fault.Unavailable && fault.CodeOf(err) != "idempotency_in_progress" && fault.CodeOf(err) != "checkout_in_progress":
			s.key = "" // a definite no
		}
	})
}

// collect has Payment's collector begin on an order that is due; false: none is.
func (w *world) collect() bool {
	due, ok := w.payment.Due()
	if w.isDown("payment") || !ok || due.After(w.now) {
		return false
	}
	t := w.start("collector", "payment", func() { _, _ = w.payment.Work(context.Background()) })
	w.run(t, true)
	return true
}

// timer has one of the pollers take its turn.
func (w *world) timer() {
	switch w.rng.IntN(3) {
	case 0:
		if !w.isDown("order") {
			w.run(w.start("recovery", "order", func() { _ = w.order.Recover(context.Background()) }), true)
		}
	case 1:
		if !w.isDown("order") {
			w.run(w.start("time to pay", "order", func() { _ = w.order.SettlePayments(context.Background()) }), true)
		}
	default:
		if !w.isDown("product") {
			w.run(w.start("hold expiry", "product", func() { _ = w.stock.ExpireDue(context.Background()) }), true)
		}
	}
}

// person has a customer or staff do something to an order, allowed or not.
func (w *world) person() {
	ctx := context.Background()
	orders := w.order.Orders()
	if len(orders) == 0 || w.rng.IntN(8) == 0 {
		w.keeper()
		return
	}
	o := orders[w.rng.IntN(len(orders))]
	tokens := paymenttwin.Tokens()
	name := "order"
	var err error
	switch w.rng.IntN(24) {
	case 0:
		err = w.allowed(name, func() error { return w.order.Cancel(ctx, o.User, o.ID) })
	case 1:
		err = w.allowed(name, func() error { return w.order.Cancel(ctx, w.newID("staff"), o.ID) })
	case 2, 3, 4, 5, 6:
		err = w.allowed(name, func() error { return w.order.Ship(ctx, o.ID) })
	case 7, 8, 9, 10, 11, 12:
		err = w.allowed(name, func() error { return w.order.Deliver(ctx, o.ID) })
	case 13, 14, 15, 16, 17, 18, 19:
		err = w.allowed("payment", func() error {
			return w.payment.Attempt(ctx, o.ID, o.User, tokens[w.rng.IntN(len(tokens))])
		})
	default:
		amount := w.rng.Int64N(o.Total + 1) // 0: all that is left
		err = w.allowed("payment", func() error { return w.payment.Refund(ctx, o.ID, amount, currency) })
	}
	if _, refused := fault.KindOf(err); err != nil && !refused && !errors.Is(err, errLost) && !errors.Is(err, errUnknown) {
		w.violated("a person's request failed: %v", err)
	}
}

func (w *world) allowed(service string, do func() error) error {
	if w.isDown(service) {
		return errLost
	}
	w.faulty[service] = true
	defer func() { w.faulty[service] = false }()
	return do()
}

// keeper is what happens to the shop: deliveries, losses, new prices, and now
// and then a customer who leaves for good.
func (w *world) keeper() {
	id := w.products[w.rng.IntN(len(w.products))]
	switch w.rng.IntN(6) {
	case 4:
		if orders := w.order.Orders(); len(orders) > 0 && !w.quiet {
			// An operator's mistake, as a restored backup would be: the order stands,
			// and its units may be sold to others before it is paid.
			w.fault("hold lost")
			id := orders[len(orders)-1].ID
			_ = w.allowed("product", func() error { return w.stock.Release(context.Background(), id) })
		}
	case 0:
		w.stock.Reprice(id, 300+w.rng.Int64N(5000), currency)
	case 1:
		s := w.shoppers[w.rng.IntN(len(w.shoppers))]
		if s.erased || w.rng.IntN(3) > 0 {
			return
		}
		s.erased = true
		e := &events.UserDeleted{UserData: events.UserData{UserID: s.user}}
		e.Stamp(w.now)
		row := &twin.Row{ID: w.newID("user event").String(), Event: e}
		w.userEvents[row.ID] = true
		w.put("user", row)
	default:
		_ = w.allowed("product", func() error { return w.stock.Adjust(context.Background(), id, w.rng.Int64N(5)-1) })
	}
}

// provider has payers answer 3-D Secure, or pay a declined intent by other means.
func (w *world) provider() {
	switch w.rng.IntN(4) {
	case 0:
		w.payment.Provider.Authenticate(false)
	case 1:
		w.payment.Provider.Reconfirm(w.rng.IntN(2) == 0)
	default:
		w.payment.Provider.Authenticate(true)
	}
}

func sorted[V any](m map[uuid.UUID]V) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// rest ends the faults and lets everything finish: clients ask until they know,
// and time passes until no timer has anything left to do.
func (w *world) rest() {
	w.quiet = true
	for range 18 {
		for w.settle() {
		}
		w.payment.Provider.Authenticate(true)
		for w.settle() {
		}
		w.advance(4 * time.Minute)
	}
	for range 6 {
		w.advance(20 * time.Second)
		for w.settle() {
		}
	}
}

// settle does what can be done now, and tells whether there was anything.
func (w *world) settle() bool {
	before := w.result.Steps
	ctx := context.Background()
	for len(w.tasks) > 0 {
		w.finish(w.tasks[0])
	}
	for _, s := range w.shoppers {
		if s.key != "" && !s.erased {
			w.finish(w.place(s))
			if s.key == "" {
				w.result.Steps++
			}
		}
	}
	for w.relay() || w.deliver() {
		w.result.Steps++
	}
	for range 1000 {
		found := false
		w.finish(w.start("collector", "payment", func() { found, _ = w.payment.Work(ctx) }))
		if !found {
			break
		}
		w.result.Steps++
	}
	w.finish(w.start("recovery", "order", func() { _ = w.order.Recover(ctx) }))
	w.finish(w.start("time to pay", "order", func() { _ = w.order.SettlePayments(ctx) }))
	w.finish(w.start("hold expiry", "product", func() { _ = w.stock.ExpireDue(ctx) }))
	for _, db := range w.dbs {
		if len(waiting(db)) > 0 {
			return true
		}
	}
	return w.result.Steps > before || len(w.bag) > 0 && w.dueMessage()
}

func (w *world) dueMessage() bool {
	return slices.ContainsFunc(w.bag, func(m *message) bool { return !m.notBefore.After(w.now) })
}
