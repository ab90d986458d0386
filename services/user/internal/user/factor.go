package user

import (
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// Factor is an account's second factor: a secret that it shares with an
// authenticator app (RFC 6238), and recovery codes for who has lost that. It
// guards nothing until it is confirmed.
type Factor struct {
	UserID      uuid.UUID
	Sealed      []byte   // the secret, in base32
	Recovery    [][]byte // digests of the codes that are left
	LastStep    int64    // of the last code that was taken; none of it or before is again
	CreatedAt   time.Time
	ConfirmedAt *time.Time
}

const (
	// period is how long a code is shown, in seconds.
	period = 30
	// drift is how many periods the app's clock may be off.
	drift         = 1
	codeDigits    = 6
	recoveryCodes = 10
	// enrolFor is how long a factor waits to be confirmed.
	enrolFor = 10 * time.Minute
	issuer   = "Caravan"
)

// waits tells whether a factor may still be confirmed.
func (f *Factor) waits(at time.Time) bool {
	return f.ConfirmedAt == nil && f.Sealed != nil && at.Before(f.CreatedAt.Add(enrolFor))
}

// takeStep spends a code of the app. One of an earlier period than the last
// that was taken is refused, be it right or not: it has been shown to somebody.
func (f *Factor) takeStep(secret, code string, at time.Time) (bool, error) {
	present := at.Unix() / period
	for step := max(present-drift, f.LastStep+1); step <= present+drift; step++ {
		ok, err := hotp.ValidateCustom(code, uint64(step), secret, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return false, fmt.Errorf("check code: %w", err)
		}
		if ok {
			f.LastStep = step
			return true, nil
		}
	}
	return false, nil
}

// takeRecovery spends a recovery code.
func (f *Factor) takeRecovery(code string) bool {
	sum, left := digest(code), len(f.Recovery)
	f.Recovery = slices.DeleteFunc(slices.Clone(f.Recovery), func(known []byte) bool { return subtle.ConstantTimeCompare(known, sum) == 1 })
	return len(f.Recovery) < left
}

// plainCode takes out what people put in to read a code more easily.
func plainCode(code string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
}

// isStep tells a code of the app from a recovery code.
func isStep(code string) bool {
	return len(code) == codeDigits && strings.Trim(code, "0123456789") == ""
}

// newRecoveryCodes gives codes of 128 bits as they are shown, and their digests.
func newRecoveryCodes(random io.Reader) (shown []string, digests [][]byte, err error) {
	for range recoveryCodes {
		var raw [16]byte
		if _, err := io.ReadFull(random, raw[:]); err != nil {
			return nil, nil, fmt.Errorf("random: %w", err)
		}
		code := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:])
		shown, digests = append(shown, grouped(strings.ToLower(code))), append(digests, digest(code))
	}
	return shown, digests, nil
}

// grouped makes a code easier to copy.
func grouped(code string) string {
	var parts []string
	for part := range slices.Chunk([]byte(code), 5) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, "-")
}

// Enrolment is what an authenticator app needs, shown once.
type Enrolment struct {
	Secret    string
	URI       string
	ExpiresAt time.Time // confirm it until then
}

// newEnrolment makes the secret of an account.
func newEnrolment(u User, random io.Reader, at time.Time) (Enrolment, error) {
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: issuer, AccountName: u.Email.Typed, Period: period, SecretSize: 20, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1, Rand: random,
	})
	if err != nil {
		return Enrolment{}, fmt.Errorf("make second factor: %w", err)
	}
	return Enrolment{Secret: key.Secret(), URI: key.URL(), ExpiresAt: at.Add(enrolFor)}, nil
}
