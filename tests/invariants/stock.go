package invariants

// shelves is invariant 4 by product.
func (b *books) shelves(a *audit) {
	now := a.rule(4, "available, held and reserved are ≥ 0 now")
	always := a.rule(4, "available, held and reserved were ≥ 0 after each movement")
	ledger := a.rule(4, "counters are the sums of the movements")
	parts := a.rule(4, "held and reserved are what orders hold and have reserved")
	at := map[string]stockRow{}
	for _, m := range b.movements {
		s := at[m.Product]
		s.OnHand, s.Held, s.Reserved = s.OnHand+m.OnHand, s.Held+m.Held, s.Reserved+m.Reserved
		at[m.Product] = s
		always.hold(s.sound(), "product %s after %s of order %s: %+v", m.Product, m.Kind, m.Order, s)
	}
	held, reserved := map[string]int64{}, map[string]int64{}
	for id, lines := range b.lines {
		for _, l := range lines {
			switch b.holds[id].State {
			case "held":
				held[l.Product] += l.Quantity
			case "reserved":
				reserved[l.Product] += l.Quantity
			}
		}
	}
	for _, s := range b.stock {
		now.hold(s.sound(), "product %s: %+v", s.Product, s)
		sum := at[s.Product]
		ledger.hold(sum.OnHand == s.OnHand && sum.Held == s.Held && sum.Reserved == s.Reserved, "product %s: %+v, movements sum to %+v", s.Product, s, sum)
		parts.hold(s.Held == held[s.Product] && s.Reserved == reserved[s.Product],
			"product %s: held %d of %d, reserved %d of %d", s.Product, s.Held, held[s.Product], s.Reserved, reserved[s.Product])
	}
}

func (s stockRow) sound() bool {
	return s.OnHand >= 0 && s.Held >= 0 && s.Reserved >= 0 && s.OnHand-s.Held-s.Reserved >= 0
}

// holding is invariant 4 by order: what an order has moved is what its state
// says, and order and product agree on that state.
func (b *books) holding(a *audit) {
	moved := map[[2]string]stockRow{}
	for _, m := range b.movements {
		if m.Order == "" {
			continue
		}
		s := moved[[2]string{m.Order, m.Product}]
		s.OnHand, s.Held, s.Reserved = s.OnHand+m.OnHand, s.Held+m.Held, s.Reserved+m.Reserved
		moved[[2]string{m.Order, m.Product}] = s
	}
	sums := a.rule(4, "an order moved exactly what its state says; it came back once")
	for id, lines := range b.lines {
		for _, l := range lines {
			var want stockRow
			switch b.holds[id].State {
			case "held":
				want.Held = l.Quantity
			case "reserved":
				want.Reserved = l.Quantity
			case "shipped":
				want.OnHand = -l.Quantity
			}
			got := moved[[2]string{id, l.Product}]
			delete(moved, [2]string{id, l.Product})
			sums.hold(got == want, "order %s (%s), product %s: moved %+v, want %+v", id, b.holds[id].State, l.Product, got, want)
		}
	}
	for at, s := range moved {
		sums.hold(s == stockRow{}, "order %s moved %+v of %s, which it has no line of", at[0], s, at[1])
	}
	agree := a.rule(4, "order and product agree; a cancelled order holds nothing")
	leaked := a.rule(4, "what is held or reserved has an order that stands")
	orders := index(b.orders, func(o orderRow) string { return o.ID })
	for _, o := range b.orders {
		h := b.holds[o.ID]
		agree.hold(h.State == o.Stock || (o.Status == "cancelled" && (h.State == "released" || h.State == "rejected")),
			"order %s is %s with stock %s, its hold %q", o.ID, o.Status, o.Stock, h.State)
	}
	for _, h := range b.holds {
		if h.State == "held" || h.State == "reserved" {
			o, ok := orders[h.Order]
			leaked.hold(ok && o.Status != "cancelled", "hold of order %s is %s, the order %q", h.Order, h.State, o.Status)
		}
	}
}
