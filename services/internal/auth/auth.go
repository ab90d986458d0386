// Package auth tells who a request comes from: it verifies access tokens
// against User's published keys and the list of recently revoked sessions.
// It decides nothing about what that person may do with a thing.
package auth

import (
	"context"
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
)

// Roles of the shop.
const (
	Customer = "customer"
	Staff    = "staff"
	Admin    = "admin"
)

// What every access token says, pinned after RFC 8725 and RFC 9068.
const (
	Issuer    = "caravan"
	Audience  = "caravan"
	TokenType = "at+jwt"
)

// The refusals of a token.
var (
	ErrMissing     = fault.New(fault.Unauthenticated, "token_missing", "This route needs an access token.")
	ErrInvalid     = fault.New(fault.Unauthenticated, "token_invalid", "The access token is not valid.")
	ErrExpired     = fault.New(fault.Unauthenticated, "token_expired", "The access token has expired.")
	ErrRevoked     = fault.New(fault.Unauthenticated, "session_revoked", "The session of this access token has ended.")
	ErrUnavailable = fault.New(fault.Unavailable, "keys_unavailable", "Access tokens can't be verified at the moment.")
	ErrForbidden   = fault.New(fault.Forbidden, "role_required", "Your role does not allow this.")
)

// Principal is a verified caller.
type Principal struct {
	UserID    uuid.UUID
	SessionID uuid.UUID
	Roles     []string
}

// IsStaff holds for staff and admins.
func (p Principal) IsStaff() bool { return slices.Contains(p.Roles, Staff) || p.IsAdmin() }

// IsAdmin holds for admins.
func (p Principal) IsAdmin() bool { return slices.Contains(p.Roles, Admin) }

type ctxKey struct{}

// With puts a principal into the context.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, ctxKey{}, p)
}

// From gives the principal of a request; false for an anonymous one.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(ctxKey{}).(Principal)
	return p, ok
}

// Must is From for routes that are declared to need a signed-in user. It gives
// the zero principal, who owns nothing, if that was not so.
func Must(ctx context.Context) Principal {
	p, _ := From(ctx)
	return p
}

// Verifier checks an access token. It fails with one of the faults above.
// Implementations are safe for concurrent use.
type Verifier interface {
	Verify(ctx context.Context, token string) (Principal, error)
}

// Claims is the body of an access token.
type Claims struct {
	jwt.RegisteredClaims
	SessionID uuid.UUID `json:"sid"`
	Roles     []string  `json:"roles"`
}

// ErrUnknownKey is what a jwt.Keyfunc for Parse answers for a key id that it
// does not have; it is then the cause of ErrInvalid.
var ErrUnknownKey = errors.New("unknown key id")

// Parse checks signature, algorithm, type, issuer, audience and expiry of a
// token with the key that keys gives, and reads its principal. That a token was
// issued later than now only shows that two clocks differ.
func Parse(token string, keys jwt.Keyfunc) (Principal, error) {
	c, err := parse(token, keys)
	return c.principal, err
}

func parse(token string, keys jwt.Keyfunc) (checked, error) {
	var claims Claims
	parsed, err := jwt.ParseWithClaims(token, &claims, keys,
		jwt.WithValidMethods([]string{"ES256", "EdDSA"}),
		jwt.WithIssuer(Issuer), jwt.WithAudience(Audience),
		jwt.WithExpirationRequired())
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return checked{}, ErrExpired
	case err != nil:
		return checked{}, ErrInvalid.Because(err)
	case parsed.Header["typ"] != TokenType:
		return checked{}, ErrInvalid
	}
	sub, err := uuid.Parse(claims.Subject)
	if err != nil || sub == uuid.Nil || claims.SessionID == uuid.Nil {
		return checked{}, ErrInvalid
	}
	return checked{Principal{UserID: sub, SessionID: claims.SessionID, Roles: claims.Roles}, claims.ExpiresAt.Time}, nil
}
