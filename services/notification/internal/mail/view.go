package mail

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

// shownLines bounds the table of an order: mail programs clip long mails, and
// an order may have 1,200 lines.
const shownLines = 50

// view is what the templates see: strings, ready to print.
type view struct {
	Shop     string
	ShopURL  string
	Subject  string
	Greeting string

	// Link is where the button leads. Token is the code in it, for those who
	// type it elsewhere, and Expires says until when it works.
	Link    string
	Token   string
	Expires string

	Date     string
	Number   string
	Lines    []line
	More     int
	Totals   []total
	Reason   string
	Carrier  string
	Tracking string

	// Product is the name of one product.
	Product string

	Amount      string
	Refunded    string
	Whole       bool
	Transaction string
}

type line struct {
	Name     string
	SKU      string
	Quantity string
	Unit     string
	Total    string
}

type total struct {
	Label  string
	Amount string
	// Grand marks the sum of all.
	Grand bool
}

func (r *Renderer) view(l notification.Letter) (view, error) {
	v := view{
		Shop: r.shop.Name, ShopURL: r.shop.URL, Link: r.shop.URL, Greeting: "Hello,",
		Date: l.At.UTC().Format("2 January 2006, 15:04 MST"),
	}
	if name := notification.FirstName(l.Contact); name != "" {
		v.Greeting = "Hello " + name + ","
	}
	switch l.Kind {
	case notification.Welcome:
		r.token(&v, "/verify-email", l.Token)
	case notification.PasswordReset:
		r.token(&v, "/reset-password", l.Token)
	case notification.VerifyEmail:
		r.token(&v, "/verify-email", l.Token)
	case notification.EmailChanged:
	case notification.BackInStock:
		return v, r.product(&v, l.Product)
	case notification.Receipt, notification.PaymentFailed, notification.Refund:
		return v, r.payment(&v, l.Payment)
	default:
		return v, r.order(&v, l.Order)
	}
	return v, nil
}

// token puts the token behind '#': browsers send that part to no server, so it
// stands in no access log and no Referer header.
func (r *Renderer) token(v *view, path string, t notification.Token) {
	v.Link = r.shop.URL + path + "#token=" + url.QueryEscape(t.Value)
	v.Token = t.Value
	if !t.ExpiresAt.IsZero() {
		v.Expires = t.ExpiresAt.UTC().Format("15:04 MST on 2 January 2006")
	}
}

func (r *Renderer) product(v *view, p *events.ProductBackInStock) error {
	if p == nil {
		return errors.New("a product is missing")
	}
	v.Product, v.Link = notification.OneLine(p.Name), r.shop.URL+"/products/"+p.ProductID.String()
	return nil
}

func (r *Renderer) payment(v *view, p *events.PaymentData) (err error) {
	if p == nil {
		return errors.New("a payment is missing")
	}
	v.Number, v.Transaction = notification.OneLine(p.Number), p.TransactionID.String()
	v.Link = r.shop.URL + "/orders/" + p.OrderID.String()
	v.Reason = failureText(p.FailureCode)
	if v.Amount, err = r.format.money(p.Amount); err != nil {
		return err
	}
	// A refund event without a sum is one of the whole amount.
	refunded := p.Amount
	if p.RefundedAmount != nil {
		refunded = *p.RefundedAmount
	}
	v.Whole = refunded == p.Amount
	v.Refunded, err = r.format.money(refunded)
	return err
}

func (r *Renderer) order(v *view, o *events.OrderData) error {
	if o == nil {
		return errors.New("an order is missing")
	}
	v.Number, v.Link = notification.OneLine(o.Number), r.shop.URL+"/orders/"+o.OrderID.String()
	v.Carrier, v.Tracking = notification.OneLine(o.Carrier), notification.OneLine(o.TrackingNumber)
	v.Reason = cancelText(o.Reason)
	v.More = max(0, len(o.Items)-shownLines)
	for _, item := range o.Items[:len(o.Items)-v.More] {
		printed, err := r.line(item)
		if err != nil {
			return err
		}
		v.Lines = append(v.Lines, printed)
	}
	return r.totals(v, o.Totals)
}

func (r *Renderer) line(item events.LineItem) (line, error) {
	unit, err := r.format.money(item.UnitPrice)
	if err != nil {
		return line{}, err
	}
	sum, err := r.format.times(item.UnitPrice, item.Quantity)
	return line{
		Name: notification.OneLine(item.Name), SKU: notification.OneLine(item.SKU),
		Quantity: fmt.Sprint(item.Quantity), Unit: unit, Total: sum,
	}, err
}

// totals leaves out a discount of nothing; the other rows always stand, so
// that a reader can add them up.
func (r *Renderer) totals(v *view, t events.Totals) error {
	rows := []struct {
		label string
		sum   events.Money
	}{{"Subtotal", t.Subtotal}, {"Shipping", t.Shipping}, {"Tax", t.Tax}, {"Discount", negative(t.Discount)}, {"Total", t.Total}}
	for _, row := range rows {
		if row.label == "Discount" && row.sum.Amount == 0 {
			continue
		}
		amount, err := r.format.money(row.sum)
		if err != nil {
			return err
		}
		v.Totals = append(v.Totals, total{Label: row.label, Amount: amount, Grand: row.label == "Total"})
	}
	return nil
}

func negative(m events.Money) events.Money {
	return events.Money{Amount: -m.Amount, Currency: m.Currency}
}
