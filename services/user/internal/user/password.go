package user

import (
	"context"
	"slices"
	"strings"
	"unicode"
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

// checkPassword holds a new password of an account against the policy: length,
// the list of breached ones, and what anybody would try first of this shop and
// this person; no rules of composition.
func (s *Service) checkPassword(field, password string, u User) error {
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
	case guessable(password, u):
		return tooWeak("guessable", "The password is made of your name, your e-mail address or the shop's name.")
	}
	return nil
}

// shopName is in the first guesses at any password of this shop.
const shopName = "caravan"

// guessable tells whether nothing is left of a password without the words of
// its context and without all that is no letter.
func guessable(password string, u User) bool {
	local, domain, _ := strings.Cut(u.Email.Normal, "@")
	left, found := letters(password), false
	// The longest first: a short word may be a part of a long one.
	words := []string{letters(u.Email.Normal), letters(u.FirstName + u.LastName), letters(domain), letters(local),
		letters(strings.SplitN(domain, ".", 2)[0]), letters(u.FirstName), letters(u.LastName), shopName}
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	for _, word := range words {
		if len(word) >= minWord && strings.Contains(left, word) {
			left, found = strings.ReplaceAll(left, word, ""), true
		}
	}
	return found && left == ""
}

const minWord = 3

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, strings.ToLower(norm.NFKC.String(s)))
}

// plain is the form of a password that is hashed: keyboards differ in how they
// compose letters.
func plain(password string) string { return norm.NFKC.String(password) }

// ChangePassword sets a new password and ends every other session.
func (s *Service) ChangePassword(ctx context.Context, userID, sessionID uuid.UUID, next string, shown Evidence) error {
	u, err := s.Accounts.Find(ctx, userID)
	if err != nil {
		return err
	}
	if err := s.prove(ctx, u, shown); err != nil {
		return err
	}
	if err := s.checkPassword("new_password", next, u); err != nil {
		return err
	}
	hash, err := s.Hasher.Hash(ctx, plain(next))
	if err != nil {
		return err
	}
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := s.proveFactor(ctx, userID, shown); err != nil {
			return err
		}
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
