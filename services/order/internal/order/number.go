package order

import (
	"fmt"
	"io"
	"strings"
)

// The alphabet is Crockford's base 32 without Z, which is misread as 2: no I, L,
// O or U either. 31 symbols are a prime number, and that lets one check symbol
// catch every single wrong symbol and every swap of two.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXY"

// payload symbols carry 31^10 ≈ 8·10^14 numbers.
const payload = 10

// NewNumber draws an order number such as 7KQX-M2VT-9R6 from a source of
// randomness. Uniqueness is the database's to guard.
func NewNumber(random io.Reader) (string, error) {
	symbols := make([]byte, 0, payload+1)
	buf := make([]byte, 2*payload)
	for len(symbols) < payload {
		if _, err := io.ReadFull(random, buf); err != nil {
			return "", fmt.Errorf("order number: %w", err)
		}
		for _, b := range buf {
			// 248 is the largest multiple of 31 in a byte: above it some symbols
			// would come more often than others.
			if b < 248 && len(symbols) < payload {
				symbols = append(symbols, alphabet[b%31])
			}
		}
	}
	return group(append(symbols, check(symbols))), nil
}

// ParseNumber reads a number as people write it: any case, any grouping, O for
// 0, I or L for 1, Z for 2. False where the check symbol does not fit.
func ParseNumber(s string) (string, bool) {
	s = strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1", "Z", "2").Replace(strings.ToUpper(s))
	if len(s) != payload+1 {
		return "", false
	}
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return "", false
		}
	}
	return group([]byte(s)), check([]byte(s[:payload])) == s[payload]
}

// check weighs each symbol by its place, modulo the prime 31.
func check(symbols []byte) byte {
	sum := 0
	for i, b := range symbols {
		sum += (i + 1) * strings.IndexByte(alphabet, b)
	}
	return alphabet[sum%31]
}

func group(s []byte) string {
	return string(s[:4]) + "-" + string(s[4:8]) + "-" + string(s[8:])
}
