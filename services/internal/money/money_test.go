package money_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/caravan-shop/caravan/services/internal/money"
)

// amounts draws from all of int64, and often from the edges.
func amounts() *rapid.Generator[int64] {
	edges := []int64{0, 1, -1, money.Limit - 1, money.Limit, 1 - money.Limit, -money.Limit, math.MaxInt64, math.MinInt64}
	return rapid.OneOf(rapid.SampledFrom(edges), rapid.Int64(), rapid.Int64Range(-1_000_000, 1_000_000))
}

func inRange(v *big.Int) bool { return v.CmpAbs(big.NewInt(money.Limit)) < 0 }

func check(t *rapid.T, what string, got money.Money, err error, exact *big.Int, fits bool) {
	switch {
	case !fits && !errors.Is(err, money.ErrRange):
		t.Fatalf("%s: got %v (%v), want out of range for %v", what, got, err, exact)
	case fits && (err != nil || got != money.New(exact.Int64(), "GBP")):
		t.Fatalf("%s: got %v (%v), want %v", what, got, err, exact)
	}
}

func TestSumsAreExactOrRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := amounts().Draw(t, "a"), amounts().Draw(t, "b")
		x, y := big.NewInt(a), big.NewInt(b)
		fit := inRange(x) && inRange(y)
		sum, err := money.New(a, "GBP").Add(money.New(b, "GBP"))
		exact := new(big.Int).Add(x, y)
		check(t, "sum", sum, err, exact, fit && inRange(exact))
	})
}

func TestProductsAreExactOrRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, n := amounts().Draw(t, "a"), amounts().Draw(t, "n")
		p, err := money.New(a, "GBP").Times(n)
		exact := new(big.Int).Mul(big.NewInt(a), big.NewInt(n))
		check(t, "product", p, err, exact, inRange(exact))
	})
}

func TestCurrenciesDoNotMix(t *testing.T) {
	if _, err := money.New(1, "GBP").Add(money.New(1, "EUR")); !errors.Is(err, money.ErrCurrency) {
		t.Errorf("got %v, want %v", err, money.ErrCurrency)
	}
}
