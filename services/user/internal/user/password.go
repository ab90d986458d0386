package user

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/fault"
)

const (
	minPassword = 8
	// maxPassword bounds the work of hashing; no person meets it.
	maxPassword = 1024
)

// checkPassword holds a new password against the policy: length and the list of
// breached ones, no rules of composition. It must not be the e-mail address.
func (s *Service) checkPassword(field, password string, email Email) error {
	tooWeak := func(code, detail string) error {
		return ErrPasswordTooWeak.Naming(fault.Field{Field: field, Code: code, Detail: detail})
	}
	switch {
	case !utf8.ValidString(password) || len(password) > maxPassword:
		var c check
		c.bad(field, "too_long", "At most 1024 bytes of UTF-8.")
		return c.err()
	case utf8.RuneCountInString(password) < minPassword:
		return tooWeak("too_short", "At least 8 characters.")
	case s.Breached(password):
		return tooWeak("breached", "This password is known from breaches.")
	case email.Normal != "" && strings.EqualFold(password, email.Normal):
		return tooWeak("is_email", "The password must not be the e-mail address.")
	}
	return nil
}

// plain is the form of a password that is hashed: keyboards differ in how they
// compose letters.
func plain(password string) string { return norm.NFKC.String(password) }

// ChangePassword sets a new password and ends every other session.
func (s *Service) ChangePassword(ctx context.Context, userID, sessionID uuid.UUID, current, next string, from Client) error {
	u, err := s.Accounts.Find(ctx, userID)
	if err != nil {
		return err
	}
	if err := s.prove(ctx, u, current, from); err != nil {
		return err
	}
	if err := s.checkPassword("new_password", next, u.Email); err != nil {
		return err
	}
	hash, err := s.Hasher.Hash(ctx, plain(next))
	if err != nil {
		return err
	}
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		_, err := s.Accounts.Update(ctx, userID, func(u *User) ([]events.Event, error) {
			if u.Status != Active {
				return nil, ErrSessionRevoked
			}
			u.PasswordHash = hash
			return u.updated("password"), nil
		})
		if err != nil {
			return err
		}
		at := s.now()
		if err := s.Verifications.EndEmailChanges(ctx, userID, at); err != nil {
			return err
		}
		_, err = s.Sessions.Revoke(ctx, Revocation{UserID: userID, Except: sessionID, Reason: ReasonPassword, At: at})
		return err
	})
}
