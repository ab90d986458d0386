package httpapi

import (
	"net/http"
	"time"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/web"
)

var (
	errNobody = fault.New(fault.Unauthenticated, "token_missing",
		"This route needs an access token or an X-Cart-Token.")
	errTokenEmpty = fault.New(fault.Invalid, "validation_failed", "The body is not acceptable.",
		fault.Field{Field: "cart_token", Code: "required", Detail: "a guest cart's token"})
	errWithin = fault.New(fault.Malformed, "malformed_parameter", "A parameter of the path or query can't be read.",
		fault.Field{Field: "within_hours", Code: "out_of_range", Detail: "1 to 168"})
)

// stored answers a write with the cart as it is kept.
func stored(out cart.Outcome) web.Response {
	return replayed(web.OK(cartBody(out.Cart)), out)
}

// emptied answers a write that took something out.
func emptied(out cart.Outcome) web.Response { return replayed(web.NoContent(), out) }

func replayed(resp web.Response, out cart.Outcome) web.Response {
	resp.ETag = web.VersionTag(out.Cart.Version)
	if out.Replayed {
		resp.Header = http.Header{"Idempotency-Replayed": {"true"}}
	}
	return resp
}

func cartBody(c cart.Cart) Cart {
	body := Cart{
		UserId: c.UserID, Version: c.Version, Currency: c.Currency,
		Items: make([]CartItem, 0, len(c.Items)), LineCount: len(c.Items), UnitCount: c.Units(),
	}
	body.Totals.Subtotal = Money{c.SubtotalAmount, c.Currency}
	if !c.ExpiresAt.IsZero() {
		body.ExpiresAt = &c.ExpiresAt
	}
	for _, it := range c.Items {
		body.Items = append(body.Items, CartItem{
			ProductId: it.ProductID, Quantity: it.Quantity, AddedAt: it.AddedAt,
			UnitPrice: Money{it.UnitPriceAmount, c.Currency},
			LineTotal: Money{it.UnitPriceAmount * int64(it.Quantity), c.Currency},
		})
	}
	return body
}

func shown(v cart.View) Cart {
	body := Cart{
		UserId: v.UserID, Version: v.Version, Currency: v.Currency, ExpiresAt: v.ExpiresAt, Degraded: &v.Degraded,
		Items: make([]CartItem, 0, len(v.Lines)), LineCount: len(v.Lines),
	}
	body.Totals.Subtotal = Money{v.Subtotal, v.Currency}
	changes := make([]CartChange, 0, len(v.Changes))
	for _, ch := range v.Changes {
		changes = append(changes, CartChange{ProductId: ch.ProductID, Kind: CartChangeKind(ch.Kind), Was: ch.Was, Now: ch.Now})
	}
	body.Changes = &changes
	for _, l := range v.Lines {
		body.UnitCount += l.Quantity
		body.Items = append(body.Items, shownItem(l, v))
	}
	return body
}

func shownItem(l cart.Line, v cart.View) CartItem {
	item := CartItem{
		ProductId: l.ProductID, Quantity: l.Quantity, AddedAt: l.AddedAt,
		UnitPrice: Money{l.UnitPrice, v.Currency}, LineTotal: Money{l.LineTotal, v.Currency},
	}
	switch {
	case l.Product != nil:
		status := CartItemStatus(l.Product.Status)
		item.Sku, item.Name, item.Available, item.Status = &l.Product.SKU, &l.Product.Name, &l.Product.Available, &status
	case !v.Degraded:
		status, none := Unknown, int64(0)
		item.Status, item.Available = &status, &none
	}
	return item
}

func contentOf(c cart.Content) CartContent {
	lines := make([]ContentLine, 0, len(c.Items))
	for _, it := range c.Items {
		lines = append(lines, ContentLine{ProductId: it.ProductID, Quantity: it.Quantity, UnitPriceAmount: it.UnitPriceAmount})
	}
	return CartContent{Result: Ok, Version: &c.Version, Items: &lines, Currency: &c.Currency}
}

func expiringQuery(params ListExpiringCartsParams) (within time.Duration, page web.Page, mark cart.ExpiringMark, err error) {
	hours := 24
	if params.WithinHours != nil {
		hours = *params.WithinHours
	}
	if hours < 1 || hours > 168 {
		return 0, page, mark, errWithin
	}
	if page, err = web.PageOf(params.Limit, params.Cursor); err != nil {
		return 0, page, mark, err
	}
	err = web.DecodeCursor(page.Cursor, &mark)
	return time.Duration(hours) * time.Hour, page, mark, err
}

// expiringPage drops the one cart too many that tells of a next page.
func expiringPage(found []cart.Expiring, limit int) ExpiringCartPage {
	page := ExpiringCartPage{Items: []ExpiringCart{}}
	if len(found) > limit {
		last := found[limit-1]
		next := web.EncodeCursor(cart.ExpiringMark{TTL: last.TTL, Key: last.Key})
		page.NextCursor = &next
		found = found[:limit]
	}
	for _, c := range found {
		page.Items = append(page.Items, ExpiringCart{
			UserId: c.UserID, LineCount: c.Lines, Subtotal: Money{c.SubtotalAmount, c.Currency}, ExpiresAt: c.ExpiresAt,
		})
	}
	return page
}
