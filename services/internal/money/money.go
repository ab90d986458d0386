// Package money is integer minor units with a currency. Nothing here rounds:
// whoever divides says how.
package money

import (
	"errors"
	"math/bits"
)

// Limit is the first amount that is refused: amounts pass through JSON numbers
// in events, which are exact below 2^53 only.
const Limit = int64(1) << 53

// ErrRange tells of a sum or product outside ±2^53.
var ErrRange = errors.New("money: amount out of range")

// ErrCurrency tells of two currencies in one sum.
var ErrCurrency = errors.New("money: currencies differ")

// Money is an amount of minor units (pence, cents) of a currency (ISO 4217).
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// New makes an amount.
func New(amount int64, currency string) Money { return Money{Amount: amount, Currency: currency} }

// Add sums; it fails on different currencies and on overflow.
func (m Money) Add(o Money) (Money, error) {
	if m.Currency != o.Currency {
		return Money{}, ErrCurrency
	}
	sum := m.Amount + o.Amount // both below 2^53: no wrap
	if !inRange(m.Amount) || !inRange(o.Amount) || !inRange(sum) {
		return Money{}, ErrRange
	}
	return Money{sum, m.Currency}, nil
}

// Times multiplies by a count of units; it fails on overflow.
func (m Money) Times(n int64) (Money, error) {
	hi, lo := bits.Mul64(abs(m.Amount), abs(n))
	if hi != 0 || lo >= uint64(Limit) {
		return Money{}, ErrRange
	}
	p := int64(lo)
	if (m.Amount < 0) != (n < 0) {
		p = -p
	}
	return Money{p, m.Currency}, nil
}

func inRange(v int64) bool { return v > -Limit && v < Limit }

func abs(v int64) uint64 {
	if v < 0 {
		return uint64(-v)
	}
	return uint64(v)
}
