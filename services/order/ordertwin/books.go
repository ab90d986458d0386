package ordertwin

import (
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// Order is one order as a checker reads it.
type Order struct {
	ID, User                                 uuid.UUID
	Status, Payment, Stock                   string
	Items                                    []Item
	Subtotal, Shipping, Tax, Discount, Total int64
	LinesTotal, Captured, Refunded           int64
	LegalHistory                             bool
}

// Orders gives every order, in order of their ids.
func (t *Twin) Orders() []Order {
	var all []Order
	for _, id := range sortedKeys(t.orders) {
		o := t.orders[id]
		out := Order{
			ID: id, User: o.UserID, Status: string(o.Status), Payment: string(o.Payment), Stock: string(o.Stock),
			Subtotal: o.Totals.Subtotal, Shipping: o.Totals.Shipping, Tax: o.Totals.Tax, Discount: o.Totals.Discount, Total: o.Totals.Total,
			Captured: o.Captured(), Refunded: o.Refunded(), LegalHistory: t.legal(o),
		}
		for _, it := range o.Items {
			out.Items = append(out.Items, Item{Line: Line{it.ProductID, it.Quantity}, SKU: it.SKU, Name: it.Name, TaxClass: it.TaxClass, Price: it.UnitPrice})
			out.LinesTotal += it.Quantity * it.UnitPrice
		}
		all = append(all, out)
	}
	return all
}

func (t *Twin) legal(o order.Order) bool {
	at := order.Status("")
	for i, h := range t.history[o.ID] {
		if h.Sequence != i+1 || h.From != at || !at.MayBecome(h.To) {
			return false
		}
		at = h.To
	}
	return at == o.Status && len(t.history[o.ID]) == o.HistoryLength
}

// Statuses gives each order's status, payment and stock status.
func (t *Twin) Statuses(show func(id uuid.UUID, status, payment, stock string)) {
	for id, o := range t.orders {
		show(id, string(o.Status), string(o.Payment), string(o.Stock))
	}
}

// Checkout is one run of the saga as a checker reads it.
type Checkout struct {
	ID, User uuid.UUID
	Key      string
	State    string
}

// Checkouts gives every run, in order of their ids.
func (t *Twin) Checkouts() []Checkout {
	var all []Checkout
	for _, id := range t.ids() {
		r := t.checkouts[id]
		all = append(all, Checkout{ID: id, User: r.user, Key: r.key, State: r.state})
	}
	return all
}
