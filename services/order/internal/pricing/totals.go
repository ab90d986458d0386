package pricing

import (
	"fmt"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// ErrTooLarge refuses totals that no event could carry exactly.
var ErrTooLarge = fault.New(fault.Invalid, "amount_too_large", "The total is too large.")

// ErrTooSmall refuses totals below what a card can be charged.
var ErrTooSmall = fault.New(fault.Invalid, "amount_too_small", "The total is below the least that can be paid.")

// Price fills in the line totals of items and sums them up for a destination.
// The items are changed in place.
func (t *Tariffs) Price(items []order.Item, country string) (order.Totals, error) {
	sums := map[string]int64{}
	sum := order.Totals{Currency: t.Currency}
	for i := range items {
		it := &items[i]
		line, err := money.New(it.UnitPrice, t.Currency).Times(it.Quantity)
		if err != nil {
			return order.Totals{}, ErrTooLarge.Because(err)
		}
		it.LineTotal = line.Amount
		sums[it.TaxClass] += line.Amount
		if sum.Subtotal += line.Amount; sum.Subtotal >= money.Limit/2 {
			return order.Totals{}, ErrTooLarge
		}
	}
	sum.Shipping = t.shipping(sum.Subtotal, country)
	sums[t.Shipping.TaxClass] += sum.Shipping
	tax, err := t.tax(sums, country)
	if err != nil {
		return order.Totals{}, err
	}
	sum.Tax = tax
	sum.Total = sum.Subtotal + sum.Shipping + sum.Tax - sum.Discount
	if sum.Total >= money.Limit {
		return order.Totals{}, ErrTooLarge
	}
	return sum, nil
}

// Payable refuses totals that can't be charged.
func (t *Tariffs) Payable(sum order.Totals) error {
	if sum.Total < t.MinimumTotal {
		return ErrTooSmall
	}
	return nil
}

func (t *Tariffs) shipping(subtotal int64, country string) int64 {
	z := t.zone(country)
	if z.FreeFrom > 0 && subtotal >= z.FreeFrom {
		return 0
	}
	return z.Amount
}

// tax rounds half up once per class; see tariffs.yaml.
func (t *Tariffs) tax(sums map[string]int64, country string) (int64, error) {
	rates := t.rates(country)
	var sum int64
	for class, base := range sums {
		rate, ok := rates[class]
		if !ok {
			return 0, fmt.Errorf("no tax rate for class %q in %q", class, country)
		}
		// base·rate may pass 2^63: whole and rest apart stay below.
		whole, rest := base/10000, base%10000
		sum += whole*rate + (rest*rate+5000)/10000
	}
	return sum, nil
}
