package invariants

// money is invariant 3.
func (b *books) money(a *audit) {
	b.provider(a)
	kept, staff, stuck := map[string]int64{}, map[string]int64{}, map[string]int64{}
	standing := map[string]int{}
	orderOf := map[string]string{}
	for _, t := range b.transactions {
		orderOf[t.ID] = t.Order
		if !captured(t.Status) {
			continue
		}
		kept[t.Order] += t.Amount - t.Refunded
		if !t.Surplus {
			standing[t.Order]++
		}
	}
	for _, r := range b.refunds {
		switch {
		case r.Status == "failed" && r.Kind != "staff":
			stuck[orderOf[r.Transaction]] += r.Amount // waits for staff, listed
		case r.Kind == "staff" && (r.Status == "succeeded" || r.Status == "doubted"):
			staff[orderOf[r.Transaction]] += r.Amount
		}
	}
	b.balances(a, kept, staff, stuck)
	one := a.rule(3, "at most one capture an order stands")
	known := a.rule(3, "money belongs to an order, in its amount")
	orders := index(b.orders, func(o orderRow) string { return o.ID })
	for id, n := range standing {
		one.hold(n <= 1, "order %s has %d captures", id, n)
	}
	for _, t := range b.transactions {
		o, ok := orders[t.Order]
		known.hold(ok && o.Total == t.Amount, "transaction %s of %d: order %s has %d", t.ID, t.Amount, t.Order, o.Total)
	}
}

func (b *books) balances(a *audit, kept, staff, stuck map[string]int64) {
	balance := a.rule(3, "captured − refunded is the total less staff's refunds, 0 if cancelled")
	agree := a.rule(3, "order and payment agree on the money")
	for _, o := range b.orders {
		want := int64(0)
		if o.Status == "confirmed" || o.Status == "shipped" || o.Status == "delivered" {
			want = o.Total - staff[o.ID]
		}
		got := kept[o.ID]
		balance.hold(got == want || (o.Status == "cancelled" && got == stuck[o.ID]),
			"order %s (%s, total %d): %d kept, want %d", o.ID, o.Status, o.Total, got, want)
		agree.hold(o.Captured-o.Refunded == got && o.Payment == paymentStatus(o, got),
			"order %s: %s, captured %d, refunded %d; payment keeps %d", o.ID, o.Payment, o.Captured, o.Refunded, got)
	}
}

// paymentStatus is what an order must say of the sums that Payment has; the
// fate of attempts that took nothing is Order's own.
func paymentStatus(o orderRow, kept int64) string {
	switch {
	case o.Captured == 0:
		return o.Payment
	case kept <= 0:
		return "refunded"
	case kept < o.Total:
		return "partially_refunded"
	}
	return "captured"
}

func captured(status string) bool {
	return status == "captured" || status == "partially_refunded" || status == "refunded"
}

// provider compares the transactions with the provider's ledger, both ways.
func (b *books) provider(a *audit) {
	ours := index(b.transactions, func(t transactionRow) string { return t.ID })
	both := a.rule(3, "the provider's ledger and the transactions agree, both ways")
	seen := map[string]bool{}
	for _, pi := range b.ledger.PaymentIntents {
		t, ok := ours[pi.TransactionID]
		seen[pi.ID] = true
		if !ok {
			both.hold(false, "the provider has %s of order %s, transaction %s is unknown", pi.ID, pi.OrderID, pi.TransactionID)
			continue
		}
		took := pi.Status == "succeeded"
		both.hold(t.Provider == pi.ID && t.Order == pi.OrderID && took == captured(t.Status) && pi.Amount == t.Amount && pi.AmountRefunded == t.Refunded,
			"transaction %s: %s %d, refunded %d (%s); the provider: %s %d, refunded %d (%s)",
			t.ID, t.Status, t.Amount, t.Refunded, t.Provider, pi.Status, pi.Amount, pi.AmountRefunded, pi.ID)
		both.hold(took || pi.Status == "canceled" || (t.Status != "failed" && t.Status != "voided"),
			"transaction %s is %s and could still be charged: %s", t.ID, t.Status, pi.Status)
	}
	for _, t := range b.transactions {
		both.hold(t.Provider == "" || seen[t.Provider], "transaction %s: the provider knows no %s", t.ID, t.Provider)
	}
	refunds := a.rule(3, "every refund at the provider is one of ours, in its amount")
	byProvider := index(b.refunds, func(r refundRow) string { return r.Provider })
	for _, r := range b.ledger.Refunds {
		own, ok := byProvider[r.ID]
		refunds.hold(ok && own.Amount == r.Amount, "the provider has refund %s of %d, we have %d", r.ID, r.Amount, own.Amount)
	}
	once := a.rule(3, "a capture that may not stand goes back once")
	automatic := map[string]int{}
	for _, r := range b.refunds {
		if r.Kind != "staff" {
			automatic[r.Transaction]++
		}
	}
	for id, n := range automatic {
		once.hold(n == 1, "transaction %s has %d refunds by itself", id, n)
	}
}
