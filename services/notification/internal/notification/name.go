package notification

import (
	"regexp"
	"strings"
	"unicode"
)

// linkLike finds what a mail program may turn into a link. A name like that is
// an attempt to have the shop advertise something to a stranger's address.
var linkLike = regexp.MustCompile(`(?i)://|www\.|@|[\pL\d]\.[\pL]{2,}`)

// longestName is what a greeting holds; longer ones are not names.
const longestName = 60

// OneLine makes text safe for a header or a single line: line breaks, other
// control characters and marks that turn the direction of writing become
// spaces, and runs of spaces one space.
func OneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.Join(strings.Fields(s), " ")
}

// FirstName is the name to greet with, "" if there is none fit to print.
func FirstName(c Contact) string { return printable(c.FirstName) }

// FullName is the display name of the recipient, "" if none is fit to print.
func FullName(c Contact) string { return printable(c.FirstName + " " + c.LastName) }

func printable(name string) string {
	name = OneLine(name)
	if len([]rune(name)) > longestName || linkLike.MatchString(name) {
		return ""
	}
	return name
}
