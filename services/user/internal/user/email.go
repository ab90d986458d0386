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
	if len(typed) > maxEmail || strings.ContainsAny(typed, " \t\r\n<>,;\"()") {
		return Email{}, false
	}
	parsed, err := mail.ParseAddress(typed)
	if err != nil || parsed.Address != typed {
		return Email{}, false
	}
	folded := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(typed)))
	at := strings.LastIndexByte(folded, '@')
	if at < 1 || at > 64 {
		return Email{}, false
	}
	domain, err := idna.Lookup.ToASCII(strings.TrimSuffix(folded[at+1:], "."))
	if err != nil || !isDomain(domain) {
		return Email{}, false
	}
	// Compatibility forms may fold to characters that were refused above.
	local := folded[:at]
	if strings.ContainsAny(local, " @<>,;\"()") {
		return Email{}, false
	}
	return Email{Typed: typed, Normal: local + "@" + strings.ToLower(domain)}, true
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
