package user

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/google/uuid"
)

// OneTime is a token that works once. Only the digest is stored: the token is
// derived from the row's id, so that it may be asked for again and never be kept.
type OneTime struct {
	ID        uuid.UUID
	UserID    uuid.UUID
	Digest    []byte
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
}

func (t OneTime) live(at time.Time) bool { return t.UsedAt == nil && at.Before(t.ExpiresAt) }

// Secret derives tokens of 256 bits. It comes from the secret store.
type Secret []byte

const (
	purposeReset        = "password-reset"
	purposeVerification = "email-verification"
	purposeRefresh      = "refresh-successor"
)

// oneTime gives the token of a row.
func (s Secret) oneTime(purpose string, id uuid.UUID) string {
	return s.derive(purpose, id[:])
}

// successor gives the refresh token that follows a presented one. It takes both
// the client's token and our key, so neither a copy of the database nor the key
// alone makes tokens.
func (s Secret) successor(token string) string {
	return s.derive(purposeRefresh, []byte(token))
}

func (s Secret) derive(purpose string, input []byte) string {
	mac := hmac.New(sha256.New, s)
	mac.Write([]byte(purpose))
	mac.Write([]byte{0})
	mac.Write(input)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// digest is what is stored of a token. The tokens are random or keyed, so a
// plain hash does.
func digest(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
