package payment

import (
	"encoding/json"
	"regexp"
)

// Ids of ours are hexadecimal with dashes and would now and then read as a
// card number.
var idPattern = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)

const (
	shortestCard = 13
	longestCard  = 19
)

// HoldsCardNumber tells whether a request body holds what may be a card number
// anywhere: in a value or a name, in digits alone or grouped, plain or escaped.
func HoldsCardNumber(body []byte) bool {
	if cardIn(body) {
		return true
	}
	var v any
	if json.Unmarshal(body, &v) != nil {
		return false
	}
	return cardInValue(v)
}

func cardInValue(v any) bool {
	switch v := v.(type) {
	case string:
		return cardIn([]byte(v))
	case []any:
		for _, e := range v {
			if cardInValue(e) {
				return true
			}
		}
	case map[string]any:
		for k, e := range v {
			if cardIn([]byte(k)) || cardInValue(e) {
				return true
			}
		}
	}
	return false
}

// cardIn looks at each run of digits, once with single separators between them
// ignored and once without.
func cardIn(text []byte) bool {
	text = idPattern.ReplaceAll(text, []byte("x"))
	var run, group []byte
	gap := false
	for _, c := range append(text, 'x') {
		switch {
		case c >= '0' && c <= '9':
			run, group, gap = append(run, c-'0'), append(group, c-'0'), false
			continue
		case (c == ' ' || c == '-' || c == '.' || c == '/') && len(run) > 0 && !gap:
			gap = true
		default:
			if cardInRun(run) {
				return true
			}
			run, gap = run[:0], false
		}
		if cardInRun(group) {
			return true
		}
		group = group[:0]
	}
	return false
}

// cardInRun takes a run as one number; in one that is too long for that, a
// number may be glued to something else.
func cardInRun(run []byte) bool {
	if len(run) <= longestCard {
		return len(run) >= shortestCard && luhn(run)
	}
	for from := 0; from+shortestCard <= len(run); from++ {
		for n := shortestCard; n <= longestCard && from+n <= len(run); n++ {
			if luhn(run[from : from+n]) {
				return true
			}
		}
	}
	return false
}

func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
