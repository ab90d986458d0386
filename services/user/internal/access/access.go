// Package access verifies the access tokens of User's own routes. Unlike the
// other services it asks for the session each time, so that a revoked one is
// refused at once.
package access

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// Keys verifies the signature and what a token says; its faults are auth's.
type Keys interface {
	Parse(ctx context.Context, token string) (auth.Principal, error)
}

// Sessions reads rows; an ended session is user.ErrSessionRevoked.
type Sessions interface {
	Live(ctx context.Context, id uuid.UUID, at time.Time) (user.Session, error)
}

// Copies is read before the rows. It never fails.
type Copies interface {
	Get(ctx context.Context, id uuid.UUID) (user.Copy, bool)
	Put(ctx context.Context, id uuid.UUID, c user.Copy)
}

// trusted is how long a copy stands for its row: it bounds what a copy that
// could not be dropped may do.
const trusted = 30 * time.Second

// Verifier implements auth.Verifier. Safe for concurrent use.
type Verifier struct {
	keys     Keys
	sessions Sessions
	copies   Copies
	now      func() time.Time
}

// New makes a verifier.
func New(keys Keys, sessions Sessions, copies Copies, now func() time.Time) *Verifier {
	return &Verifier{keys: keys, sessions: sessions, copies: copies, now: now}
}

// Verify implements auth.Verifier.
func (v *Verifier) Verify(ctx context.Context, token string) (auth.Principal, error) {
	p, err := v.keys.Parse(ctx, token)
	if err != nil {
		return auth.Principal{}, err
	}
	at := v.now().UTC().Truncate(time.Microsecond)
	if c, ok := v.copies.Get(ctx, p.SessionID); ok && c.UserID == p.UserID && at.Before(c.ExpiresAt) && at.Sub(c.CheckedAt) < trusted {
		return p, nil
	}
	session, err := v.sessions.Live(ctx, p.SessionID, at)
	if errors.Is(err, user.ErrSessionRevoked) {
		return auth.Principal{}, auth.ErrRevoked
	}
	if err != nil {
		return auth.Principal{}, err
	}
	if session.UserID != p.UserID {
		return auth.Principal{}, auth.ErrInvalid
	}
	v.copies.Put(ctx, p.SessionID, user.Copy{UserID: p.UserID, ExpiresAt: session.ExpiresAt, CheckedAt: at})
	return p, nil
}
