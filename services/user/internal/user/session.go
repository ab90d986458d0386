package user

import (
	"time"

	"github.com/google/uuid"
)

// Session is one sign-in. Its refresh tokens are one family: they end with it.
type Session struct {
	ID         uuid.UUID
	UserID     uuid.UUID
	Device     string
	Address    string
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time
	RevokedAt  *time.Time
}

// Copy is what the cache keeps of a live session: nothing personal.
type Copy struct {
	UserID    uuid.UUID `json:"user_id"`
	ExpiresAt time.Time `json:"expires_at"`
	// CheckedAt is when the row said so; a copy is trusted for a short while.
	CheckedAt time.Time `json:"checked_at"`
}

// Claims is what an access token says.
type Claims struct {
	UserID    uuid.UUID
	SessionID uuid.UUID
	Roles     []string
	ID        uuid.UUID
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// RefreshToken is a presented token as the store knows it.
type RefreshToken struct {
	Session    Session
	Generation int
	UsedAt     *time.Time
}

// Refresh is an attempt to trade a token.
type Refresh struct {
	Digest    []byte
	Successor []byte
	At        time.Time
	ExpiresAt func(Session) time.Time
	Device    string
	Address   string
}

// Outcome is what becomes of a presented refresh token.
type Outcome int

// The outcomes.
const (
	Dead    Outcome = iota // unknown, or its session has ended
	Advance                // used for the first time: the successor comes alive
	Repeat                 // again within the window: the same successor
	Reused                 // again later: taken for stolen, the session ends
)

// decideRefresh is the whole rule of rotation.
func decideRefresh(t RefreshToken, at time.Time, window time.Duration) Outcome {
	switch {
	case t.Session.RevokedAt != nil || !at.Before(t.Session.ExpiresAt):
		return Dead
	case t.UsedAt == nil:
		return Advance
	case at.Sub(*t.UsedAt) <= window:
		return Repeat
	default:
		return Reused
	}
}

// Revocation says which sessions of a user end: one, all, or all but one.
type Revocation struct {
	UserID uuid.UUID
	Only   uuid.UUID // zero: any
	Except uuid.UUID // zero: none
	Reason string
	At     time.Time
}

// The reasons why sessions end, as the table keeps them.
const (
	ReasonSignedOut = "signed_out"
	ReasonPassword  = "password_changed"
	ReasonReset     = "password_reset"
	ReasonDisabled  = "disabled"
	ReasonFactor    = "two_factor_changed"
	ReasonRoles     = "roles_changed"
	ReasonErased    = "erased"
	ReasonAdmin     = "ended_by_admin"
	ReasonReuse     = "refresh_reused"
)
