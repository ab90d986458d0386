package ledger

import (
	"cmp"
	"slices"
	"time"
)

// Random draws the random part of an id, n letters and digits long.
type Random func(n int) string

// Tx reads the ledger and stages changes. What it returns are copies; a change
// is staged by putting the copy back. It may not be used after its function.
type Tx struct {
	ledger *Ledger
	rec    record
}

// Now is the ledger's time.
func (tx *Tx) Now() time.Time { return tx.ledger.now() }

// NewID returns an id of Stripe's looks: a prefix, a generation, random letters.
func (tx *Tx) NewID(prefix string) string {
	switch prefix {
	case "cus":
		return "cus_" + tx.ledger.random(14)
	case "pm":
		return "pm_1" + tx.ledger.random(23)
	case "secret":
		return "secret_" + tx.ledger.random(25)
	}
	return prefix + "_3" + tx.ledger.random(23)
}

// Intent returns a copy of a payment intent.
func (tx *Tx) Intent(id string) (Intent, bool) {
	return find(id, tx.rec.Intents, tx.ledger.intents, func(i *Intent) string { return i.ID })
}

// IntentOfCharge returns the payment intent whose latest charge that is.
func (tx *Tx) IntentOfCharge(id string) (Intent, bool) {
	i, ok := tx.Intent(tx.ledger.charges[id])
	return i, ok && i.Charge != nil && i.Charge.ID == id
}

// Refund returns a copy of a refund.
func (tx *Tx) Refund(id string) (Refund, bool) {
	return find(id, tx.rec.Refunds, tx.ledger.refunds, func(r *Refund) string { return r.ID })
}

// Method returns a copy of a payment method.
func (tx *Tx) Method(id string) (Method, bool) {
	return find(id, tx.rec.Methods, tx.ledger.methods, func(m *Method) string { return m.ID })
}

// Customer returns a copy of a customer.
func (tx *Tx) Customer(id string) (Customer, bool) {
	return find(id, tx.rec.Customers, tx.ledger.customers, func(c *Customer) string { return c.ID })
}

// find prefers what is staged.
func find[T any](id string, staged []*T, base map[string]*T, idOf func(*T) string) (T, bool) {
	for _, s := range staged {
		if idOf(s) == id {
			return *s, true
		}
	}
	if b, ok := base[id]; ok {
		return *b, true
	}
	var none T
	return none, false
}

// PutIntent stages a payment intent.
func (tx *Tx) PutIntent(i Intent) {
	tx.rec.Intents = stage(tx.rec.Intents, &i, func(i *Intent) string { return i.ID })
}

// PutRefund stages a refund.
func (tx *Tx) PutRefund(r Refund) {
	tx.rec.Refunds = stage(tx.rec.Refunds, &r, func(r *Refund) string { return r.ID })
}

// PutMethod stages a payment method.
func (tx *Tx) PutMethod(m Method) {
	tx.rec.Methods = stage(tx.rec.Methods, &m, func(m *Method) string { return m.ID })
}

// PutCustomer stages a customer.
func (tx *Tx) PutCustomer(c Customer) {
	tx.rec.Customers = stage(tx.rec.Customers, &c, func(c *Customer) string { return c.ID })
}

func stage[T any](staged []*T, v *T, idOf func(*T) string) []*T {
	at := slices.IndexFunc(staged, func(s *T) bool { return idOf(s) == idOf(v) })
	if at < 0 {
		return append(staged, v)
	}
	staged[at] = v
	return staged
}

// Emit stages an event.
func (tx *Tx) Emit(e Event) { tx.rec.Events = append(tx.rec.Events, e) }

// Keep stages the answer to an idempotency key.
func (tx *Tx) Keep(a Answer) { tx.rec.Answer = &a }

// Intents calls yield with each payment intent, newest first, until it returns false.
func (tx *Tx) Intents(yield func(Intent) bool) {
	for _, id := range slices.Backward(tx.ledger.intentOrder) {
		if !yield(*tx.ledger.intents[id]) {
			return
		}
	}
}

// Refunds calls yield with each refund, newest first, until it returns false.
func (tx *Tx) Refunds(yield func(Refund) bool) {
	for _, id := range slices.Backward(tx.ledger.refundOrder) {
		if !yield(*tx.ledger.refunds[id]) {
			return
		}
	}
}

// Methods calls yield with each payment method, newest first, until it returns false.
func (tx *Tx) Methods(yield func(Method) bool) {
	for _, id := range slices.Backward(tx.ledger.methodOrder) {
		if !yield(*tx.ledger.methods[id]) {
			return
		}
	}
}

// Unsettled returns the refunds whose outcome is due.
func (tx *Tx) Unsettled(at time.Time) []Refund {
	var due []Refund
	for id := range tx.ledger.unsettled {
		if r := tx.ledger.refunds[id]; !time.UnixMilli(r.SettleAt).After(at) {
			due = append(due, *r)
		}
	}
	slices.SortFunc(due, func(a, b Refund) int { return cmp.Compare(a.SettleAt, b.SettleAt) })
	return due
}
