package simulator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/order/ordertwin"
	"github.com/caravan-shop/caravan/services/product/stocktwin"
)

// checkNow holds at every moment.
func (w *world) checkNow() {
	w.stock.Each(func(id uuid.UUID, c stocktwin.Counters) {
		if c.OnHand < 0 || c.Held < 0 || c.Reserved < 0 || c.OnHand-c.Held-c.Reserved < 0 {
			w.violated("4: product %s has %+v", id, c)
		}
	})
	w.order.Statuses(func(id uuid.UUID, status, payment, stock string) {
		before, known := w.last[id]
		now := [3]string{status, payment, stock}
		if before == now {
			return
		}
		w.last[id] = now
		back := moved(before[1]) && !moved(payment) || final(before[2]) && before[2] != stock
		if known && (back || !ahead(before[0], status)) {
			w.violated("2: order %s went from %v to %v", id, before, now)
		}
	})
}

func ahead(from, to string) bool {
	rank := []string{"created", "confirmed", "shipped", "delivered"}
	switch {
	case from == to:
		return true
	case from == "cancelled":
		return false
	case to == "cancelled":
		return from == "created" || from == "confirmed"
	}
	return slices.Index(rank, to) > slices.Index(rank, from)
}

func moved(payment string) bool {
	return payment == "captured" || payment == "partially_refunded" || payment == "refunded"
}

func final(stock string) bool {
	return stock == "released" || stock == "rejected" || stock == "shipped"
}

// checkRest holds the world to the contract once nothing moves any more.
func (w *world) checkRest() {
	w.checkBus()
	orders := w.order.Orders()
	w.checkPlacing(orders)
	for _, o := range orders {
		w.result.Ends[o.Status+", "+o.Stock]++
		w.checkLife(o)
		w.checkMoney(o)
		w.checkGoods(o)
	}
	w.checkLedger()
	w.checkStock()
}

// checkPlacing is invariant 1.
func (w *world) checkPlacing(orders []ordertwin.Order) {
	exists := map[uuid.UUID]ordertwin.Order{}
	for _, o := range orders {
		exists[o.ID] = o
	}
	keys := map[string]uuid.UUID{}
	for _, c := range w.order.Checkouts() {
		_, there := exists[c.ID]
		switch {
		case c.State == "placed" && !there, c.State == "undone" && there, c.State != "placed" && c.State != "undone":
			w.violated("1: checkout %s is %s, order there: %t", c.ID, c.State, there)
		case c.State == "placed" && keys[c.Key] != uuid.Nil:
			w.violated("1: two orders under key %s", c.Key)
		case c.State == "placed":
			keys[c.Key] = c.ID
		}
		hold, books := w.stock.Hold(c.ID), w.payment.Books(c.ID)
		if c.State == "undone" && (hold.State == "held" || hold.State == "reserved" || len(books.Attempts) > 0) {
			w.violated("1: undone checkout %s has hold %q and %d attempts", c.ID, hold.State, len(books.Attempts))
		}
	}
	ordered := map[uuid.UUID]map[uuid.UUID]int64{}
	for _, o := range orders {
		if ordered[o.User] == nil {
			ordered[o.User] = map[uuid.UUID]int64{}
		}
		for _, it := range o.Items {
			ordered[o.User][it.Product] += it.Quantity
		}
	}
	for _, s := range w.shoppers {
		for _, id := range s.told {
			if _, there := exists[id]; !there {
				w.violated("1: order %s was acknowledged and is not there", id)
			}
		}
		for product, n := range s.added {
			if in := w.carts.of(s.user).lines[product]; in+ordered[s.user][product] != n {
				w.violated("1: of %d units put into a cart %d are there and %d ordered", n, in, ordered[s.user][product])
			}
		}
	}
}

// checkLife is invariants 2 and 6.
func (w *world) checkLife(o ordertwin.Order) {
	waits := map[string]bool{"confirmed": o.Stock == "reserved" && moved(o.Payment), "shipped": o.Stock == "shipped" && moved(o.Payment),
		"delivered": o.Stock == "shipped", "cancelled": o.Stock == "released" || o.Stock == "rejected"}
	if !o.LegalHistory || !waits[o.Status] {
		w.violated("2: order %s rests %s, payment %s, stock %s, legal history: %t", o.ID, o.Status, o.Payment, o.Stock, o.LegalHistory)
	}
	if o.LinesTotal != o.Subtotal || o.Subtotal+o.Shipping+o.Tax-o.Discount != o.Total {
		w.violated("6: the totals of order %s do not add up", o.ID)
	}
}

// checkMoney is invariant 3 for one order.
func (w *world) checkMoney(o ordertwin.Order) {
	b := w.payment.Books(o.ID)
	kept, staff, stuck, standing := int64(0), int64(0), int64(0), 0
	for _, a := range b.Attempts {
		if a.Captured {
			kept += a.Amount - a.Refunded
		}
		if a.Captured && !a.Surplus {
			standing++
		}
		if a.Open || a.Amount != o.Total {
			w.violated("3: attempt %s of order %s rests %s with %d of %d", a.ID, o.ID, a.Status, a.Amount, o.Total)
		}
	}
	byItself := map[uuid.UUID]int{}
	for _, r := range b.Refunds {
		switch {
		case r.Staff && r.Status == "succeeded":
			staff += r.Amount
		case r.Status == "failed" && !r.Staff:
			stuck += r.Amount
		case r.Status != "failed" && r.Status != "succeeded":
			w.violated("3: a refund of order %s rests %s", o.ID, r.Status)
		}
		if !r.Staff {
			if byItself[r.Transaction]++; byItself[r.Transaction] > 1 {
				w.violated("3: order %s has two refunds of one capture", o.ID)
			}
		}
	}
	want := int64(0)
	if o.Status != "cancelled" {
		want = o.Total - staff
	}
	if standing > 1 || (kept != want && (o.Status != "cancelled" || kept != stuck)) {
		w.violated("3: order %s (%s, total %d) keeps %d, want %d; %d captures stand: %+v", o.ID, o.Status, o.Total, kept, want, standing, b)
	}
	if o.Captured-o.Refunded != kept {
		w.violated("3: order %s (%s, %s) knows of %d − %d, payment keeps %d", o.ID, o.Status, o.Payment, o.Captured, o.Refunded, kept)
	}
}

// checkLedger compares the provider's ledger with the transactions, both ways.
func (w *world) checkLedger() {
	ours := map[string][3]any{}
	for _, id := range w.payment.Orders() {
		for _, a := range w.payment.Books(id).Attempts {
			ours[a.ID.String()] = [3]any{a.Captured, a.Amount, a.Refunded}
		}
	}
	for _, e := range w.payment.Ledger() {
		if got := [3]any{e.Captured, e.Amount, e.Refunded}; ours[e.Transaction] != got || !e.Ended {
			w.violated("3: transaction %s: ours %v, the provider's %v, ended: %t", e.Transaction, ours[e.Transaction], got, e.Ended)
		}
		delete(ours, e.Transaction)
	}
	for id, a := range ours {
		if a[0] == true {
			w.violated("3: the provider knows nothing of capture %s", id)
		}
	}
}

// checkGoods is invariant 4 for one order.
func (w *world) checkGoods(o ordertwin.Order) {
	h := w.stock.Hold(o.ID)
	agree := h.State == o.Stock || (o.Status == "cancelled" && (h.State == "released" || h.State == "rejected"))
	if !agree {
		w.violated("4: order %s is %s with stock %s, its hold %s", o.ID, o.Status, o.Stock, h.State)
	}
	for i, l := range h.Lines {
		if len(o.Items) != len(h.Lines) || o.Items[i].Product != l.Product || o.Items[i].Quantity != l.Quantity || o.Items[i].Price != l.Price {
			w.violated("6: order %s has other lines than its hold", o.ID)
			return
		}
	}
}

// checkStock is invariant 4 over all.
func (w *world) checkStock() {
	held, reserved := map[uuid.UUID]int64{}, map[uuid.UUID]int64{}
	for _, id := range w.stock.Orders() {
		h := w.stock.Hold(id)
		for _, l := range h.Lines {
			switch h.State {
			case "held":
				held[l.Product] += l.Quantity
			case "reserved":
				reserved[l.Product] += l.Quantity
			}
		}
	}
	now, ledger := w.stock.Counters()
	for id, c := range now {
		if c != ledger[id] || c.Held != held[id] || c.Reserved != reserved[id] || c.Held != 0 {
			w.violated("4: product %s has %+v, its ledger %+v, orders hold %d and have %d reserved", id, c, ledger[id], held[id], reserved[id])
		}
	}
}

// checkBus is invariant 5.
func (w *world) checkBus() {
	rows := map[string]bool{}
	for _, db := range w.dbs {
		for _, r := range db.Rows() {
			rows[r.ID] = true
			if !r.Published || !w.onBus[r.ID] {
				w.violated("5: %s of %s never reached the bus", r.Event.Topic(), db.Name)
			}
		}
		for id, n := range db.Effects() {
			if n != 1 {
				w.violated("5: event %s took effect %d times at %s", id, n, db.Name)
			}
		}
	}
	for id := range w.onBus {
		if !rows[id] && !w.userEvents[id] {
			w.violated("5: event %s reached the bus without an outbox row", id)
		}
	}
	if len(w.bag) > 0 {
		w.violated("5: %d deliveries are left", len(w.bag))
	}
}

// replay delivers every event once more, in any order: nothing may come of it.
func (w *world) replay() {
	if len(w.result.Violated) > 0 {
		return
	}
	rows := 0
	before := w.standing()
	for _, db := range w.dbs {
		rows += len(db.Rows())
		for _, r := range db.Rows() {
			w.put(db.Name, r)
		}
	}
	for w.deliver() {
		w.result.Steps++
	}
	for w.settle() {
	}
	w.checkBus()
	for _, db := range w.dbs {
		rows -= len(db.Rows())
	}
	if after := w.standing(); rows != 0 || after != before {
		w.violated("5: a replay of every event made %d new ones, and of\n%s\n%s", -rows, before, after)
	}
}

// standing is all that the services keep, as a text.
func (w *world) standing() string {
	var b strings.Builder
	for _, o := range w.order.Orders() {
		fmt.Fprintf(&b, "%+v %+v %+v\n", o, w.payment.Books(o.ID), w.stock.Hold(o.ID))
	}
	now, _ := w.stock.Counters()
	fmt.Fprint(&b, now)
	return b.String()
}
