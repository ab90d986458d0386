package pricing_test

import (
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/caravan-shop/caravan/services/order/internal/order"
	"github.com/caravan-shop/caravan/services/order/internal/pricing"
)

func tariffs(t testing.TB) *pricing.Tariffs {
	t.Helper()
	tar, err := pricing.Default()
	if err != nil {
		t.Fatal(err)
	}
	return tar
}

func TestPrice(t *testing.T) {
	item := func(price, quantity int64, class string) order.Item {
		return order.Item{UnitPrice: price, Quantity: quantity, TaxClass: class}
	}
	cases := []struct {
		name    string
		items   []order.Item
		country string
		want    order.Totals
	}{
		{"domestic", []order.Item{item(1000, 2, "standard")}, "GB", order.Totals{Subtotal: 2000, Shipping: 395, Tax: 479, Total: 2874}},
		{"half a penny rounds up", []order.Item{item(10, 1, "reduced")}, "GB", order.Totals{Subtotal: 10, Shipping: 395, Tax: 79 + 1, Total: 485}},
		{"per class, not per line", []order.Item{item(3, 1, "reduced"), item(3, 1, "reduced"), item(3, 1, "reduced")}, "GB",
			order.Totals{Subtotal: 9, Shipping: 395, Tax: 79 + 0, Total: 483}},
		{"free shipping", []order.Item{item(5000, 1, "zero")}, "GB", order.Totals{Subtotal: 5000, Total: 5000}},
		{"exported untaxed", []order.Item{item(1000, 1, "standard")}, "DE", order.Totals{Subtotal: 1000, Shipping: 995, Total: 1995}},
		{"rest of the world", []order.Item{item(1000, 1, "standard")}, "JP", order.Totals{Subtotal: 1000, Shipping: 1995, Total: 2995}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := tariffs(t).Price(c.items, c.country)
			c.want.Currency = "GBP"
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestPriceRefusesWhatNoEventCouldCarry(t *testing.T) {
	_, err := tariffs(t).Price([]order.Item{{UnitPrice: 1 << 52, Quantity: 9999, TaxClass: "zero"}}, "GB")
	if !errors.Is(err, pricing.ErrTooLarge) {
		t.Errorf("got %v, want %v", err, pricing.ErrTooLarge)
	}
}

// Σ lines + shipping + tax − discount = total, and the tax of each class is the
// exact tax rounded half up, which exact rational arithmetic confirms.
func TestTotalsAddUp(t *testing.T) {
	tar := tariffs(t)
	rates := map[string]int64{"standard": 2000, "reduced": 500, "zero": 0}
	rapid.Check(t, func(rt *rapid.T) {
		items := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) order.Item {
			return order.Item{
				UnitPrice: rapid.Int64Range(0, 10_000_000).Draw(t, "price"),
				Quantity:  rapid.Int64Range(1, 9999).Draw(t, "quantity"),
				TaxClass:  rapid.SampledFrom([]string{"standard", "reduced", "zero"}).Draw(t, "class"),
			}
		}), 1, 30).Draw(rt, "items")
		country := rapid.SampledFrom([]string{"GB", "FR", "US"}).Draw(rt, "country")
		sum, err := tar.Price(items, country)
		if err != nil {
			rt.Fatal(err)
		}
		base := map[string]int64{"standard": sum.Shipping}
		var lines int64
		for _, it := range items {
			if it.LineTotal != it.UnitPrice*it.Quantity {
				rt.Fatalf("line %+v", it)
			}
			lines += it.LineTotal
			base[it.TaxClass] += it.LineTotal
		}
		if lines != sum.Subtotal || lines+sum.Shipping+sum.Tax-sum.Discount != sum.Total {
			rt.Fatalf("totals don't add up: lines %d, %+v", lines, sum)
		}
		var want int64
		if country == "GB" {
			for class, b := range base {
				want += halfUp(b, rates[class])
			}
		}
		if sum.Tax != want {
			rt.Fatalf("tax: got %d, want %d", sum.Tax, want)
		}
	})
}

func halfUp(base, rate int64) int64 {
	x := new(big.Rat).SetFrac(big.NewInt(0).Mul(big.NewInt(base), big.NewInt(rate)), big.NewInt(10000))
	x.Add(x, big.NewRat(1, 2))
	return new(big.Int).Div(x.Num(), x.Denom()).Int64()
}

func TestParseRefuses(t *testing.T) {
	for name, file := range map[string]string{
		"misspelt":     "currency: GBP\nfreight: {}",
		"no rest":      "currency: GBP\nshipping: {tax_class: zero, zones: [{name: a, countries: [GB], amount: 1}]}\ntax: [{countries: [\"*\"], rates: {standard: 0, reduced: 0, zero: 0}}]",
		"rate missing": "currency: GBP\nshipping: {tax_class: zero, zones: [{name: a, countries: [\"*\"], amount: 1}]}\ntax: [{countries: [\"*\"], rates: {standard: 0}}]",
	} {
		if _, err := pricing.Parse([]byte(file)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
