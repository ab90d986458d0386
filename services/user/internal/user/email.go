package user

import (
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Email is an address as its owner typed it, and the form in which it is unique.
type Email struct {
	Typed  string
	Normal string
}

const maxEmail = 254

// ParseEmail accepts a bare address. The normal form is NFKC with letter case
// folded and the domain in ASCII, so that neither another case nor another
// Unicode spelling makes another account.
func ParseEmail(typed string) (Email, bool) {
	typed = strings.TrimSpace(typed)
	if !isAddress(typed) {
		return Email{}, false
	}
	// Folding maps Cherokee to capitals, or back: small letters settle it.
	folded := norm.NFKC.String(strings.ToLower(cases.Fold().String(norm.NFKC.String(typed))))
	at := strings.LastIndexByte(folded, '@')
	if at < 1 || at > 64 {
		return Email{}, false
	}
	domain, err := idna.Lookup.ToASCII(strings.TrimSuffix(folded[at+1:], "."))
	if err != nil || !isDomain(domain) {
		return Email{}, false
	}
	// Compatibility forms may fold to what would not be an address by itself.
	normal := folded[:at] + "@" + strings.ToLower(domain)
	if !isAddress(normal) {
		return Email{}, false
	}
	return Email{Typed: typed, Normal: normal}, true
}

// isAddress tells whether s is a bare address, without quotes or comments.
func isAddress(s string) bool {
	if len(s) > maxEmail || strings.ContainsAny(s, " \t\r\n<>,;\"()") {
		return false
	}
	parsed, err := mail.ParseAddress(s)
	return err == nil && parsed.Address == s
}

func isDomain(d string) bool {
	if len(d) == 0 || len(d) > 253 || !strings.Contains(d, ".") {
		return false
	}
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	return true
}
