package user

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// Accounts keeps users. Find, FindByEmail and Update answer ErrUserNotFound;
// any other error is the store's and may be tried again.
type Accounts interface {
	// Add stores a new account with its verification token and the events, or
	// answers ErrEmailTaken.
	Add(ctx context.Context, u User, verification OneTime, evs ...events.Event) error
	Find(ctx context.Context, id uuid.UUID) (User, error)
	// FindAll leaves out who is unknown.
	FindAll(ctx context.Context, ids []uuid.UUID) ([]User, error)
	FindByEmail(ctx context.Context, normal string) (User, error)
	// Update locks the account, saves what fn made of it unless fn gave an
	// error, and appends the events; all in the transaction of ctx, if any.
	Update(ctx context.Context, id uuid.UUID, fn func(*User) ([]events.Event, error)) (User, error)
	// List gives accounts of ids below before (zero: all), newest first, whose
	// e-mail address or name has query in it.
	List(ctx context.Context, query string, before uuid.UUID, limit int) ([]User, error)
}

// Administration guards what an administrator may not undo by accident.
type Administration interface {
	// OtherAdmins counts active administrators besides id. It lets one caller
	// at a time in until the transaction of ctx ends.
	OtherAdmins(ctx context.Context, id uuid.UUID) (int, error)
}

// Transactor runs fn in one transaction, joining the one in ctx.
type Transactor interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Sessions keeps sessions and their refresh tokens.
type Sessions interface {
	// Start refuses with ErrInvalidCredentials once the account's password, or
	// whether it has a second factor, is no longer as in u: a change ends what
	// was opened before it.
	Start(ctx context.Context, s Session, u User, refresh []byte) error
	// Refresh locks the token of this digest, asks decide and does what it says,
	// whatever the outcome in one transaction. An unknown digest is Dead.
	Refresh(ctx context.Context, r Refresh, decide func(RefreshToken) Outcome) (RefreshToken, Outcome, error)
	// ListSessions gives live sessions of ids below before, newest first.
	ListSessions(ctx context.Context, userID, before uuid.UUID, limit int, at time.Time) ([]Session, error)
	// Revoke ends live sessions and counts them.
	Revoke(ctx context.Context, r Revocation) (int, error)
	// RevokedSince gives the ids of sessions revoked after since.
	RevokedSince(ctx context.Context, since time.Time) ([]uuid.UUID, error)
}

// Resets keeps requests for a password reset and their tokens.
type Resets interface {
	// Ask stores a request about an address, known or not, at the same cost.
	Ask(ctx context.Context, id uuid.UUID, email string, at time.Time) error
	// Answer takes waiting requests and stores for each of a live account what
	// issue makes. It counts the requests taken.
	Answer(ctx context.Context, limit int, issue func(userID uuid.UUID) (OneTime, []events.Event)) (int, error)
	FindReset(ctx context.Context, id uuid.UUID) (OneTime, error)
	// UseReset spends the live token of this digest, and with it all others of its
	// account, or answers ErrResetToken.
	UseReset(ctx context.Context, digest []byte, at time.Time) (userID uuid.UUID, err error)
	// ResetOwner gives what UseReset would, and spends nothing.
	ResetOwner(ctx context.Context, digest []byte, at time.Time) (userID uuid.UUID, err error)
}

// Verifications keeps the tokens that prove an e-mail address.
type Verifications interface {
	// AddVerification stores one of an active account with the events; else it
	// answers ErrUserNotFound. Another address ends earlier changes that wait.
	AddVerification(ctx context.Context, v Verification, evs ...events.Event) error
	// FindVerification gives one of an account, or for a zero id the newest of its
	// own address; false if there is none.
	FindVerification(ctx context.Context, userID, id uuid.UUID) (Verification, bool, error)
	// UseVerification spends a live token, or answers ErrVerificationToken. One
	// that changes the address ends the resets that were mailed to the former one.
	UseVerification(ctx context.Context, digest []byte, at time.Time) (Verification, error)
	// EndEmailChanges spends the changes of address that wait.
	EndEmailChanges(ctx context.Context, userID uuid.UUID, at time.Time) error
}

// Addresses keeps the addresses of accounts. All but LookUp hide deleted ones
// and answer ErrAddressNotFound for them and for other people's.
type Addresses interface {
	// AddAddress answers ErrTooManyAddresses beyond MaxAddresses.
	AddAddress(ctx context.Context, a Address) error
	FindAddress(ctx context.Context, userID, id uuid.UUID) (Address, error)
	// UpdateAddress locks the address and saves what fn made of it.
	UpdateAddress(ctx context.Context, userID, id uuid.UUID, fn func(*Address) error) (Address, error)
	// ListAddresses gives those of ids above after, oldest first.
	ListAddresses(ctx context.Context, userID, after uuid.UUID, limit int) ([]Address, error)
	// LookUp gives those of the ids that are the user's and not deleted.
	LookUp(ctx context.Context, userID uuid.UUID, ids []uuid.UUID) ([]Address, error)
}

// Records reads and removes all that is kept of one person.
type Records interface {
	// Record gives addresses and sessions, hidden and ended ones too.
	Record(ctx context.Context, userID uuid.UUID) (Record, error)
	// EraseRecord removes the person from addresses and sessions, whose bare ids
	// stay, and deletes tokens and kept answers.
	EraseRecord(ctx context.Context, userID uuid.UUID, at time.Time) error
}

// Factors keeps second factors, one an account. All are called with the account
// locked, by Accounts.Update in the transaction of ctx.
type Factors interface {
	// FindFactor answers ErrFactorNotBegun if there is none.
	FindFactor(ctx context.Context, userID uuid.UUID) (Factor, error)
	PutFactor(ctx context.Context, f Factor) error
	DeleteFactor(ctx context.Context, userID uuid.UUID) error
}

// Sealer encrypts what is stored and must be read again. A sealed text opens
// under its own name alone.
type Sealer interface {
	Close(name string, plain []byte, random io.Reader) ([]byte, error)
	Open(name string, sealed []byte) ([]byte, error)
}

// Hasher hashes passwords behind a bounded queue; a full queue is a fault of
// kind TooMany.
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
	// Verify compares; for an empty hash it does the same work and answers
	// false. outdated: the hash was made with weaker parameters than today's.
	Verify(ctx context.Context, password, hash string) (match, outdated bool, err error)
}

// Limiter counts failures. It never fails: with its store away it counts in
// memory.
type Limiter interface {
	// Wait tells how long a subject must wait before its next try; 0: none.
	Wait(ctx context.Context, q Quota, subject string) time.Duration
	Spend(ctx context.Context, q Quota, subject string)
	Forget(ctx context.Context, q Quota, subject string)
}

// Quota allows Burst events at once and as many again in each Per.
type Quota struct {
	Name  string
	Burst int
	Per   time.Duration
}

// Issuer signs access tokens.
type Issuer interface {
	Issue(ctx context.Context, c Claims) (token string, err error)
}

// Neighbours asks another service for all it keeps of a person.
type Neighbours interface {
	Export(ctx context.Context, app string, userID uuid.UUID) (json.RawMessage, error)
}

// Copies keeps the copy of a session that is read first. Losing it is no loss.
type Copies interface {
	Put(ctx context.Context, id uuid.UUID, c Copy)
}
