package cart

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
)

const (
	tokenBytes  = 32
	guestPrefix = "guest-"
)

// Owner names whose cart is meant: a signed-in user's, or a guest's.
type Owner struct {
	user  uuid.UUID
	guest string // hex SHA-256 of the token; empty for a user
}

// User owns the cart of an account.
func User(id uuid.UUID) Owner { return Owner{user: id} }

// Guest owns the cart behind a token. The token itself is kept nowhere.
func Guest(token string) Owner {
	sum := sha256.Sum256([]byte(token))
	return Owner{guest: hex.EncodeToString(sum[:])}
}

// IsGuest tells whether the owner is known by a token alone.
func (o Owner) IsGuest() bool { return o.guest != "" }

// Key is the document's key in the state store.
func (o Owner) Key() string {
	if o.IsGuest() {
		return guestPrefix + o.guest
	}
	return o.user.String()
}

func (o Owner) userID() *uuid.UUID {
	if o.IsGuest() {
		return nil
	}
	id := o.user
	return &id
}

// newToken draws a guest's token.
func newToken(random io.Reader) (string, error) {
	b := make([]byte, tokenBytes)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("draw a cart token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// ownerOf reads a document's key; false for a document that is no cart.
func ownerOf(key string) (Owner, bool) {
	if hash, ok := strings.CutPrefix(key, guestPrefix); ok {
		return Owner{guest: hash}, true
	}
	id, err := uuid.Parse(key)
	return Owner{user: id}, err == nil
}
