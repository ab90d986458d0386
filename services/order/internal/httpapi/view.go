package httpapi

import (
	"strings"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

func orderView(o order.Order) Order {
	money := func(amount int64) Money { return Money{Amount: amount, Currency: o.Totals.Currency} }
	v := Order{
		Id: o.ID, Number: o.Number, UserId: o.UserID,
		Status: Status(o.Status), PaymentStatus: PaymentStatus(o.Payment), StockStatus: StockStatus(o.Stock),
		Items: make([]OrderItem, 0, len(o.Items)), Totals: totalsView(o.Totals),
		Captured: money(o.Captured()), Refunded: money(o.Refunded()), PayBy: o.PayBy.UTC(),
		ShippingAddressId: o.ShippingAddressID, BillingAddressId: o.BillingAddressID,
		ShippingAddress: addressView(o.ShippingAddress), BillingAddress: addressView(o.BillingAddress),
		Carrier: optional(o.Carrier), TrackingNumber: optional(o.TrackingNumber),
		CreatedAt: o.CreatedAt.UTC(), UpdatedAt: o.UpdatedAt.UTC(),
	}
	if o.Reason != "" {
		reason := CancelReason(o.Reason)
		v.CancelReason = &reason
	}
	for _, it := range o.Items {
		v.Items = append(v.Items, OrderItem{
			ProductId: it.ProductID, Sku: it.SKU, Name: it.Name, Quantity: it.Quantity,
			UnitPrice: money(it.UnitPrice), LineTotal: money(it.LineTotal),
		})
	}
	return v
}

func totalsView(t order.Totals) Totals {
	p := t.Public()
	return Totals{
		Subtotal: Money(p.Subtotal), Shipping: Money(p.Shipping), Tax: Money(p.Tax),
		Discount: Money(p.Discount), Total: Money(p.Total),
	}
}

func addressView(a *order.Address) *Address {
	if a == nil {
		return nil
	}
	return &Address{
		Recipient: a.Recipient, Line1: a.Line1, Line2: optional(a.Line2), City: a.City, Region: optional(a.Region),
		PostalCode: a.PostalCode, Country: a.Country, Phone: optional(a.Phone),
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// historyView names the member of staff who acted to staff alone.
func historyView(history []order.Transition, forStaff bool) []HistoryEntry {
	out := make([]HistoryEntry, 0, len(history))
	for _, h := range history {
		if role, _, named := strings.Cut(h.Cause.Actor, ":"); named && role == auth.Staff && !forStaff {
			h.Cause.Actor = role
		}
		out = append(out, HistoryEntry{
			Sequence: h.Sequence, FromStatus: optional(string(h.From)), ToStatus: Status(h.To), Actor: h.Cause.Actor,
			Reason: optional(h.Reason), Note: optional(h.Cause.Note), EventId: optional(h.Cause.EventID), CreatedAt: h.At.UTC(),
		})
	}
	return out
}

// pageView shows a page of which one more order than limit was asked for.
func pageView(orders []order.Order, limit int) OrderPage {
	var page OrderPage
	if len(orders) > limit {
		orders = orders[:limit]
		next := web.EncodeCursor(position{After: orders[limit-1].ID})
		page.NextCursor = &next
	}
	page.Items = make([]Order, 0, len(orders))
	for _, o := range orders {
		page.Items = append(page.Items, orderView(o))
	}
	return page
}

func quoteView(q checkout.Quote) Quote {
	money := func(amount int64) Money { return Money{Amount: amount, Currency: q.Totals.Currency} }
	v := Quote{Items: make([]QuoteItem, 0, len(q.Items)), Totals: totalsView(q.Totals)}
	for _, it := range q.Items {
		v.Items = append(v.Items, QuoteItem{
			ProductId: it.ProductID, Sku: it.SKU, Name: it.Name, Quantity: it.Quantity,
			UnitPrice: money(it.UnitPrice), LineTotal: money(it.LineTotal), InStock: it.InStock,
		})
	}
	return v
}
