package user

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseEmail(t *testing.T) {
	for typed, want := range map[string]string{
		"ada@example.com":              "ada@example.com",
		" Ada@EXAMPLE.com ":            "ada@example.com",
		"ａｄａ@example.com":              "ada@example.com",
		"stra\u00dfe@example.com":      "strasse@example.com",
		"a@b\u00fccher.example":        "a@xn--bcher-kva.example",
		"a@B\u00dcCHER.example":        "a@xn--bcher-kva.example",
		"o'brien+tag@mail.example.com": "o'brien+tag@mail.example.com",
		"cafe\u0301@example.com":       "caf\u00e9@example.com",
	} {
		got, ok := ParseEmail(typed)
		if !ok || got.Normal != want || got.Typed != strings.TrimSpace(typed) {
			t.Errorf("%q: got %+v %v, want %q", typed, got, ok, want)
		}
	}
	for _, bad := range []string{
		"", "@", "a@", "@b.c", "a", "a b@c.de", "a@b@c.de", "a@b", "a@.b.c", "a@b..c", "A <a@b.c>", "a@b.c\r\nBcc: d@e.f",
		strings.Repeat("x", 65) + "@example.com", "a@" + strings.Repeat("x", 64) + ".com", "a@exa mple.com", "\"a b\"@c.de", "a@[127.0.0.1]",
	} {
		if got, ok := ParseEmail(bad); ok {
			t.Errorf("%q: got %+v, want a refusal", bad, got)
		}
	}
}

// A normal form is its own normal form, or two accounts could share an address.
func TestNormalFormIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typed := rapid.String().Draw(t, "local") + "@" + rapid.StringMatching(`[a-zA-Zäöüß]{1,10}\.[a-z]{2,4}`).Draw(t, "domain")
		first, ok := ParseEmail(typed)
		if !ok {
			return
		}
		second, ok := ParseEmail(first.Normal)
		if !ok || second.Normal != first.Normal {
			t.Fatalf("%q: normal %q, then %q %v", typed, first.Normal, second.Normal, ok)
		}
	})
}
