package user

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// Grant is the tokens of a session.
type Grant struct {
	AccessToken  string
	ExpiresIn    time.Duration
	RefreshToken string
	SessionID    uuid.UUID
	User         User
}

// SignIn starts a session. An unknown address costs as much as a wrong password
// and is answered alike.
// That a code is missing or wrong is told to nobody but who knows the password.
func (s *Service) SignIn(ctx context.Context, email string, shown Evidence) (Grant, error) {
	password, from := shown.Password, shown.From
	if err := required(map[string]string{"email": email, "password": password}); err != nil {
		return Grant{}, err
	}
	address, known := ParseEmail(email)
	subject := address.Normal
	if !known {
		subject = strings.ToLower(email)
	}
	if wait := s.waitFor(ctx, subject, from); wait > 0 {
		return Grant{}, ErrTooManyAttempts.After(wait)
	}
	u, err := s.Accounts.FindByEmail(ctx, address.Normal)
	if err != nil && !errors.Is(err, ErrUserNotFound) {
		return Grant{}, err
	}
	if len(password) > maxPassword {
		password = "" // matches nothing, at the usual cost
	}
	match, outdated, err := s.Hasher.Verify(ctx, plain(password), u.PasswordHash)
	if err != nil {
		return Grant{}, err
	}
	if !match {
		s.noteFailure(ctx, subject, from)
		return Grant{}, ErrInvalidCredentials
	}
	if u.Status != Active {
		return Grant{}, ErrAccountDisabled
	}
	if u.TwoFactor && shown.Code == "" {
		return Grant{}, ErrOTPRequired
	}
	if outdated {
		u = s.rehash(ctx, u, password)
	}
	g, err := s.startSession(ctx, u, shown)
	switch {
	case errors.Is(err, ErrOTPInvalid):
		s.noteFailure(ctx, subject, from)
	case err == nil:
		s.Limiter.Forget(ctx, s.Policy.PairFailures, pair(subject, from))
	}
	return g, err
}

// rehash is a favour of the moment: what fails is done at the next sign-in. It
// gives the account with the hash that stands for the password now.
func (s *Service) rehash(ctx context.Context, u User, password string) User {
	hash, err := s.Hasher.Hash(ctx, plain(password))
	if err != nil {
		return u
	}
	updated, err := s.Accounts.Update(ctx, u.ID, func(now *User) ([]events.Event, error) {
		if now.PasswordHash == u.PasswordHash {
			now.PasswordHash = hash
		}
		return nil, nil
	})
	if err != nil || updated.PasswordHash != hash {
		return u
	}
	return updated
}

func (s *Service) startSession(ctx context.Context, u User, shown Evidence) (Grant, error) {
	var raw [32]byte
	if _, err := io.ReadFull(s.Random, raw[:]); err != nil {
		return Grant{}, fmt.Errorf("random: %w", err)
	}
	refresh := base64.RawURLEncoding.EncodeToString(raw[:])
	at := s.now()
	session := Session{
		ID: s.NewID(), UserID: u.ID, Device: device(shown.From.Device), Address: shown.From.Address,
		CreatedAt: at, LastSeenAt: at,
	}
	session.ExpiresAt = s.expiry(session, at)
	if err := s.open(ctx, session, u, shown.Code, digest(refresh)); err != nil {
		return Grant{}, err
	}
	// Roles may have changed while the password was being hashed; from now on a
	// change of them ends this session too.
	u, err := s.Accounts.Find(ctx, u.ID)
	if err != nil {
		return Grant{}, err
	}
	s.Copies.Put(ctx, session.ID, Copy{UserID: u.ID, ExpiresAt: session.ExpiresAt, CheckedAt: at})
	return s.grant(ctx, u, session.ID, refresh)
}

// open starts a session; with a second factor the code is spent with it, or not at all.
func (s *Service) open(ctx context.Context, session Session, u User, code string, refresh []byte) error {
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		if u.TwoFactor {
			if err := s.answerFactor(ctx, u.ID, code); err != nil {
				return err
			}
		}
		return s.Sessions.Start(ctx, session, u, refresh)
	})
}

func (s *Service) grant(ctx context.Context, u User, sessionID uuid.UUID, refresh string) (Grant, error) {
	at := s.now()
	token, err := s.Issuer.Issue(ctx, Claims{
		UserID: u.ID, SessionID: sessionID, Roles: s.rolesOf(u), ID: s.NewID(), IssuedAt: at, ExpiresAt: at.Add(s.Policy.AccessTTL),
	})
	if err != nil {
		return Grant{}, err
	}
	return Grant{AccessToken: token, ExpiresIn: s.Policy.AccessTTL, RefreshToken: refresh, SessionID: sessionID, User: u}, nil
}

// rolesOf gives the roles that a token carries. Those that ask for a second
// factor are left out while the account has none, so that it can be signed in
// to enrol, and for nothing more.
func (s *Service) rolesOf(u User) []string {
	if u.TwoFactor {
		return u.Roles
	}
	return slices.DeleteFunc(slices.Clone(u.Roles), func(r string) bool { return slices.Contains(s.Policy.FactorRoles, r) })
}

// expiry moves with use, up to the session's greatest age.
func (s *Service) expiry(session Session, at time.Time) time.Time {
	idle, most := at.Add(s.Policy.RefreshTTL), session.CreatedAt.Add(s.Policy.SessionMax)
	if most.Before(idle) {
		return most
	}
	return idle
}

// Refresh trades a refresh token for new tokens of its session.
func (s *Service) Refresh(ctx context.Context, token string, from Client) (Grant, error) {
	at, successor := s.now(), s.Secret.successor(token)
	t, outcome, err := s.Sessions.Refresh(ctx, Refresh{
		Digest: digest(token), Successor: digest(successor), At: at, Device: device(from.Device), Address: from.Address,
		ExpiresAt: func(session Session) time.Time { return s.expiry(session, at) },
	}, func(t RefreshToken) Outcome { return decideRefresh(t, at, s.Policy.RefreshWindow) })
	if err != nil {
		return Grant{}, err
	}
	switch outcome {
	case Reused:
		return Grant{}, ErrRefreshReused
	case Dead:
		return Grant{}, ErrRefreshInvalid
	case Advance, Repeat:
	}
	u, err := s.Accounts.Find(ctx, t.Session.UserID)
	if err != nil {
		return Grant{}, err
	}
	if u.Status != Active {
		return Grant{}, ErrRefreshInvalid
	}
	return s.grant(ctx, u, t.Session.ID, successor)
}

// waitFor tells how long an account must not be tried from here.
func (s *Service) waitFor(ctx context.Context, subject string, from Client) time.Duration {
	return max(
		s.Limiter.Wait(ctx, s.Policy.PairFailures, pair(subject, from)),
		s.Limiter.Wait(ctx, s.Policy.AccountFailures, subject))
}

func (s *Service) noteFailure(ctx context.Context, subject string, from Client) {
	s.Limiter.Spend(ctx, s.Policy.PairFailures, pair(subject, from))
	s.Limiter.Spend(ctx, s.Policy.AccountFailures, subject)
}

func pair(subject string, from Client) string { return subject + "\x00" + from.Address }

const maxDevice = 200

// device bounds what a client says of itself.
func device(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError || r == 0x7f {
			return -1
		}
		return r
	}, s)
	for len(s) > maxDevice {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
