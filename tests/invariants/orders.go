package invariants

import (
	"encoding/json"
	"slices"
)

// placing is invariant 1: what was acknowledged exists, one order a key, and an
// undone checkout has left nothing.
func (b *books) placing(a *audit, acknowledged []string) {
	byID := index(b.orders, func(o orderRow) string { return o.ID })
	exists := a.rule(1, "an order that got a 2xx exists")
	for _, id := range acknowledged {
		_, ok := byID[id]
		exists.hold(ok, "order %s was acknowledged and is not there", id)
	}
	checkouts := index(b.checkouts, func(c checkoutRow) string { return c.Order })
	placed := a.rule(1, "an order has a checkout that ended placed")
	for _, o := range b.orders {
		c, ok := checkouts[o.ID]
		placed.hold(ok && c.State == "placed", "order %s has checkout %q", o.ID, c.State)
	}
	keys := map[[2]string][]string{}
	undone := a.rule(1, "an undone checkout has no order, hold, or money")
	for _, c := range b.checkouts {
		if c.State == "placed" {
			keys[[2]string{c.User, c.Key}] = append(keys[[2]string{c.User, c.Key}], c.Order)
			_, ok := byID[c.Order]
			placed.hold(ok, "checkout %s is placed without an order", c.Order)
			continue
		}
		_, order := byID[c.Order]
		held := b.holds[c.Order].State
		free := held == "" || held == "released"
		charged := slices.ContainsFunc(b.transactions, func(t transactionRow) bool { return t.Order == c.Order })
		undone.hold(!order && free && !charged && c.State == "undone",
			"checkout %s is %s: order %t, hold %q, charged %t", c.Order, c.State, order, held, charged)
	}
	once := a.rule(1, "one order an idempotency key")
	for key, orders := range keys {
		once.hold(len(orders) == 1, "user %s has orders %v under one key", key[0], orders)
	}
}

// legal are the steps that a history may take.
func legal(from, to string) bool {
	switch from {
	case "":
		return to == "created"
	case "created":
		return to == "confirmed" || to == "cancelled"
	case "confirmed":
		return to == "shipped" || to == "cancelled"
	case "shipped":
		return to == "delivered"
	}
	return false
}

// lives is invariant 2: histories are legal and gap-free, and nobody waits for
// a machine.
func (b *books) lives(a *audit) {
	path := a.rule(2, "an order's history is a legal, gap-free path to its status")
	stuck := a.rule(2, "an order has ended or waits for a person")
	for _, o := range b.orders {
		at, ok := "", int64(len(b.history[o.ID])) == o.Length
		for i, step := range b.history[o.ID] {
			ok = ok && step.Sequence == int64(i+1) && step.From == at && legal(at, step.To)
			at = step.To
		}
		path.hold(ok && at == o.Status, "order %s is %s after %d steps: %v", o.ID, o.Status, o.Length, b.history[o.ID])
		stuck.hold(o.waitsForPerson(), "order %s is %s, payment %s, stock %s (overdue %t)", o.ID, o.Status, o.Payment, o.Stock, o.Overdue)
	}
}

func (o orderRow) waitsForPerson() bool {
	moved := o.Payment == "captured" || o.Payment == "partially_refunded" || o.Payment == "refunded"
	switch o.Status {
	case "created": // the buyer may pay, until it is too late
		return !o.Overdue && o.Stock == "held" && (o.Payment == "failed" || o.Payment == "requires_action")
	case "confirmed": // staff ship it, or cancel what they refunded
		return moved && o.Stock == "reserved"
	case "shipped", "delivered":
		return moved && o.Stock == "shipped"
	}
	return o.Status == "cancelled" && (o.Stock == "released" || o.Stock == "rejected")
}

// totals is invariant 6.
func (b *books) totals(a *audit) {
	sums := a.rule(6, "Σ lines + shipping + tax − discount = total")
	prices := a.rule(6, "an order's lines are those that the hold answered")
	told := a.rule(6, "order.created tells the totals that the order has")
	created := map[string]int64{}
	for _, row := range b.outbox["order"] {
		var e struct {
			OrderID string `json:"order_id"`
			Totals  struct {
				Total struct{ Amount int64 } `json:"total"`
			} `json:"totals"`
		}
		if row.Topic == "order.created" && json.Unmarshal([]byte(row.Payload), &e) == nil {
			created[e.OrderID] = e.Totals.Total.Amount
		}
	}
	for _, o := range b.orders {
		lines, whole := int64(0), true
		for _, i := range b.items[o.ID] {
			lines += i.LineTotal
			whole = whole && i.LineTotal == i.Quantity*i.Price && i.Quantity > 0
		}
		sums.hold(whole && lines == o.Subtotal && o.Subtotal+o.Shipping+o.Tax-o.Discount == o.Total,
			"order %s: lines %d, %d + %d + %d − %d is not %d", o.ID, lines, o.Subtotal, o.Shipping, o.Tax, o.Discount, o.Total)
		told.hold(created[o.ID] == o.Total, "order %s has %d, order.created %d", o.ID, o.Total, created[o.ID])
		held := map[string][2]int64{}
		for _, l := range b.lines[o.ID] {
			held[l.Product] = [2]int64{l.Quantity, l.Price}
		}
		for _, i := range b.items[o.ID] {
			prices.hold(held[i.Product] == [2]int64{i.Quantity, i.Price}, "order %s, product %s: %d at %d, held %v", o.ID, i.Product, i.Quantity, i.Price, held[i.Product])
		}
	}
}
