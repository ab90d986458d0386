package simulator

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/order/ordertwin"
	"github.com/caravan-shop/caravan/services/payment/paymenttwin"
	"github.com/caravan-shop/caravan/services/product/stocktwin"
)

// neighbours carries Order's calls, and loses some.
type neighbours struct{ w *world }

// call makes one call that may lose its request or its answer.
func (n neighbours) call(to, name string, do func() error) error {
	w := n.w
	if w.isDown(to) {
		return errLost
	}
	fate := uint64(100)
	if !w.quiet {
		fate = w.draw(name, 24)
	}
	if fate == 0 {
		w.silently("request lost")
		return errLost
	}
	if err := do(); err != nil {
		return err
	}
	if fate == 1 {
		w.silently("answer lost")
		return errUnknown
	}
	return nil
}

// ReadCart implements ordertwin.Neighbours.
func (n neighbours) ReadCart(user uuid.UUID) (version int64, lines []ordertwin.Line, err error) {
	err = n.call("cart", "read "+user.String(), func() error {
		n.w.mu.Lock()
		defer n.w.mu.Unlock()
		version, lines = n.w.carts.read(user)
		return nil
	})
	return version, lines, err
}

// Account implements ordertwin.Neighbours.
func (n neighbours) Account(user uuid.UUID) (active bool, err error) {
	err = n.call("user", "account "+user.String(), func() error {
		for _, s := range n.w.shoppers {
			if s.user == user {
				active = !s.erased
			}
		}
		return nil
	})
	return active, err
}

// Prepare implements ordertwin.Neighbours.
func (n neighbours) Prepare(order, user uuid.UUID, token string) (known bool, err error) {
	err = n.call("payment", "prepare "+order.String(), func() (err error) {
		known, err = n.w.payment.Prepare(context.Background(), order, user, token)
		return err
	})
	return known, err
}

// Hold implements ordertwin.Neighbours.
func (n neighbours) Hold(order, user uuid.UUID, lines []ordertwin.Line) (h ordertwin.Held, err error) {
	n.w.pause("before the hold")
	err = n.call("product", "hold "+order.String(), func() error {
		wanted := make([]stocktwin.Line, len(lines))
		for i, l := range lines {
			wanted[i] = stocktwin.Line(l)
		}
		p, err := n.w.stock.Place(context.Background(), order, user, wanted)
		for _, l := range p.Lines {
			h.Items = append(h.Items, ordertwin.Item{Line: ordertwin.Line(l.Line), SKU: l.SKU, Name: l.Name, TaxClass: l.TaxClass, Price: l.Price})
		}
		for _, s := range p.Short {
			h.Short = append(h.Short, ordertwin.Line(s))
		}
		return err
	})
	n.w.pause("after the hold, before the take")
	return h, err
}

// TakeCart implements ordertwin.Neighbours.
func (n neighbours) TakeCart(user, order uuid.UUID, version int64) (result string, err error) {
	err = n.call("cart", "take "+order.String(), func() error {
		result = n.w.carts.take(user, order, version)
		return nil
	})
	n.w.pause("after the take, before the commit")
	return result, err
}

// RestoreCart implements ordertwin.Neighbours.
func (n neighbours) RestoreCart(user, order uuid.UUID) error {
	return n.call("cart", "restore "+order.String(), func() error {
		n.w.mu.Lock()
		defer n.w.mu.Unlock()
		n.w.carts.restore(user, order)
		return nil
	})
}

// Release implements ordertwin.Neighbours.
func (n neighbours) Release(order uuid.UUID) error {
	return n.call("product", "release "+order.String(), func() error { return n.w.stock.Release(context.Background(), order) })
}

// Discard implements ordertwin.Neighbours.
func (n neighbours) Discard(order uuid.UUID) error {
	return n.call("payment", "discard "+order.String(), func() error {
		answer, _, err := n.w.payment.Close(context.Background(), order)
		if err == nil && answer != "closed" {
			n.w.mu.Lock()
			defer n.w.mu.Unlock()
			n.w.violated("payment is %s for order %s, which never was", answer, order)
		}
		return err
	})
}

// Close implements ordertwin.Neighbours. It is asked from a goroutine that the
// task waits for, so it does not pause.
func (n neighbours) Close(order uuid.UUID) (answer string, transaction uuid.UUID, err error) {
	err = n.call("payment", "close "+order.String(), func() (err error) {
		answer, transaction, err = n.w.payment.Close(context.Background(), order)
		return err
	})
	return answer, transaction, err
}

// askStates carries Product's question about due holds to Order.
func (w *world) askStates(ctx context.Context, ids []uuid.UUID) (words map[uuid.UUID]string, err error) {
	if w.isDown("order") || w.chance(6) {
		w.fault("request lost")
		return nil, errLost
	}
	w.pause("before the question about holds")
	words, err = w.order.Word(ctx, ids)
	w.pause("before holds expire")
	return words, err
}

// loseProvider is the fate of a call to the payment provider.
func (w *world) loseProvider(string) paymenttwin.Loss {
	if w.quiet {
		return paymenttwin.Arrives
	}
	switch w.rng.IntN(14) {
	case 0:
		w.fault("provider's request lost")
		return paymenttwin.LostRequest
	case 1:
		w.fault("provider's answer lost")
		return paymenttwin.LostAnswer
	}
	return paymenttwin.Arrives
}

// carts is the cart service: a document a user, taken by compare-and-set.
type carts struct {
	docs   map[uuid.UUID]*cart
	taken  map[uuid.UUID]map[uuid.UUID]int64 // by order
	undone map[uuid.UUID]bool
}

type cart struct {
	version int64
	lines   map[uuid.UUID]int64
}

func newCarts() *carts {
	return &carts{docs: map[uuid.UUID]*cart{}, taken: map[uuid.UUID]map[uuid.UUID]int64{}, undone: map[uuid.UUID]bool{}}
}

func (c *carts) of(user uuid.UUID) *cart {
	if c.docs[user] == nil {
		c.docs[user] = &cart{lines: map[uuid.UUID]int64{}}
	}
	return c.docs[user]
}

func (c *carts) add(user, product uuid.UUID, n int64) {
	doc := c.of(user)
	doc.version++
	doc.lines[product] += n
}

func (c *carts) read(user uuid.UUID) (int64, []ordertwin.Line) {
	doc := c.of(user)
	var lines []ordertwin.Line
	for _, id := range sorted(doc.lines) {
		lines = append(lines, ordertwin.Line{Product: id, Quantity: doc.lines[id]})
	}
	return doc.version, lines
}

func (c *carts) take(user, order uuid.UUID, version int64) string {
	doc := c.of(user)
	switch {
	case c.undone[order]:
		return "undone"
	case c.taken[order] != nil:
		return "taken"
	case doc.version != version:
		return "changed"
	}
	c.taken[order] = doc.lines
	doc.version++
	doc.lines = map[uuid.UUID]int64{}
	return "taken"
}

func (c *carts) restore(user, order uuid.UUID) {
	if c.undone[order] {
		return
	}
	c.undone[order] = true
	if len(c.taken[order]) == 0 {
		return
	}
	doc := c.of(user)
	doc.version++
	for id, n := range c.taken[order] {
		doc.lines[id] += n
	}
	delete(c.taken, order)
}

// advance lets time pass.
func (w *world) advance(d time.Duration) { w.now = w.now.Add(d) }
