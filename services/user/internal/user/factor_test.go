package user

import (
	"crypto/rand"
	"encoding/base32"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"pgregory.net/rapid"
)

const rfcSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// The vectors of RFC 6238, appendix B, cut to six digits.
func TestCodesAreThoseOfTheRFC(t *testing.T) {
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"} {
		f := Factor{}
		if ok, err := f.takeStep(rfcSecret, code, time.Unix(at, 0)); !ok || err != nil || f.LastStep != at/period {
			t.Errorf("at %d: got %v (%v) and step %d, want %s taken for step %d", at, ok, err, f.LastStep, code, at/period)
		}
	}
}

// Whichever codes are tried when: each is taken once at most, in order, and
// only near its time.
func TestACodeIsTakenOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at, f, taken := time.Unix(1_700_000_000, 0), Factor{}, map[string]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "tries") {
			at = at.Add(time.Duration(rapid.IntRange(0, 45).Draw(t, "seconds")) * time.Second)
			off := rapid.IntRange(-3, 3).Draw(t, "periods off")
			shown := at.Add(time.Duration(off) * period * time.Second)
			code, err := totp.GenerateCode(rfcSecret, shown)
			if err != nil {
				t.Fatal(err)
			}
			before, step := f.LastStep, shown.Unix()/period
			ok, err := f.takeStep(rfcSecret, code, at)
			if err != nil {
				t.Fatal(err)
			}
			near := max(off, -off) <= drift
			if want := near && step > before; ok != want {
				t.Fatalf("code of step %d at step %d after step %d: got %v, want %v", step, at.Unix()/period, before, ok, want)
			}
			if ok && taken[code] {
				t.Fatalf("code %s was taken twice", code)
			}
			taken[code] = taken[code] || ok
		}
	})
}

func TestRecoveryCodes(t *testing.T) {
	shown, digests, err := newRecoveryCodes(rand.Reader)
	if err != nil || len(shown) != recoveryCodes || len(digests) != recoveryCodes {
		t.Fatalf("got %d codes and %d digests (%v), want %d", len(shown), len(digests), err, recoveryCodes)
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(plainCode(shown[0]))
	if err != nil || len(raw) != 16 {
		t.Errorf("code %q holds %d bytes (%v), want 16", shown[0], len(raw), err)
	}
	f := Factor{Recovery: digests}
	for _, code := range shown {
		if isStep(plainCode(code)) {
			t.Errorf("%q passes for a code of the app", code)
		}
		if !f.takeRecovery(plainCode(code)) || f.takeRecovery(plainCode(code)) {
			t.Errorf("%q does not work once", code)
		}
	}
	if len(f.Recovery) != 0 || len(digests) != recoveryCodes {
		t.Errorf("left: %d of %d codes", len(f.Recovery), len(digests))
	}
}
