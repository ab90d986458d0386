package user

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/fault"
)

// Verification is a one-time token that proves an e-mail address.
type Verification struct {
	OneTime
	// Email is an address that the account changes to once it is proven; the
	// zero one stands for the account's own.
	Email Email
	// Former is the address whose place Email took.
	Former string
}

func (v Verification) changes() bool { return v.Email != Email{} }

// ChangeEmail has another address verified. It takes effect once it is: until
// then the account keeps the one it has. It needs the password, since whoever
// receives an account's mail can set a new one.
func (s *Service) ChangeEmail(ctx context.Context, userID uuid.UUID, typed string, shown Evidence) error {
	email, ok := ParseEmail(typed)
	if !ok {
		var c check
		c.bad("email", "bad_email", "Must be an e-mail address.")
		return c.err()
	}
	u, err := s.Accounts.Find(ctx, userID)
	if err != nil {
		return err
	}
	if err := s.prove(ctx, u, shown); err != nil {
		return err
	}
	if email == u.Email {
		var c check
		c.bad("email", "unchanged", "The account has this address already.")
		return c.err()
	}
	// Counted before the look-up, which tells whether another address is known.
	if err := s.countVerification(ctx, userID); err != nil {
		return err
	}
	// Found out early; the constraint decides when the change takes effect.
	if holder, err := s.Accounts.FindByEmail(ctx, email.Normal); err == nil && holder.ID != userID {
		return ErrEmailTaken
	} else if err != nil && !errors.Is(err, ErrUserNotFound) {
		return err
	}
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := s.proveFactor(ctx, userID, shown); err != nil {
			return err
		}
		return s.verify(ctx, userID, email)
	})
}

// ResendVerification mails the proof of the account's own address once more.
func (s *Service) ResendVerification(ctx context.Context, userID uuid.UUID) error {
	u, err := s.Accounts.Find(ctx, userID)
	if err != nil {
		return err
	}
	if u.EmailVerified {
		return ErrEmailVerified
	}
	if err := s.countVerification(ctx, userID); err != nil {
		return err
	}
	return s.verify(ctx, userID, Email{})
}

// countVerification bounds the mails that an account has sent to addresses
// which may be other people's.
func (s *Service) countVerification(ctx context.Context, userID uuid.UUID) error {
	if wait := s.Limiter.Wait(ctx, s.Policy.VerificationRequests, userID.String()); wait > 0 {
		return ErrTooManyAttempts.After(wait)
	}
	s.Limiter.Spend(ctx, s.Policy.VerificationRequests, userID.String())
	return nil
}

// verify stores a verification and has it mailed.
func (s *Service) verify(ctx context.Context, userID uuid.UUID, email Email) error {
	v := Verification{OneTime: s.newOneTime(purposeVerification, userID, s.Policy.VerificationTTL), Email: email}
	return s.Verifications.AddVerification(ctx, v,
		&events.EmailVerification{EmailData: events.EmailData{UserID: userID, VerificationID: v.ID}})
}

// prove holds a password against an account's. With a second factor it wants a
// code too, which proveFactor spends with the change itself.
func (s *Service) prove(ctx context.Context, u User, shown Evidence) error {
	err := s.provePassword(ctx, u, shown)
	if err == nil && u.TwoFactor && shown.Code == "" {
		return named(ErrOTPRequired)
	}
	return err
}

// provePassword is behind the limits of sign-in.
func (s *Service) provePassword(ctx context.Context, u User, shown Evidence) error {
	password, from := shown.Password, shown.From
	if wait := s.waitFor(ctx, u.Email.Normal, from); wait > 0 {
		return ErrTooManyAttempts.After(wait)
	}
	if len(password) > maxPassword {
		password = "" // matches nothing
	}
	match, _, err := s.Hasher.Verify(ctx, plain(password), u.PasswordHash)
	if err != nil {
		return err
	}
	if !match {
		s.noteFailure(ctx, u.Email.Normal, from)
		return ErrCurrentPassword.Naming(fault.Field{Field: "current_password", Code: "wrong", Detail: "Not the present password."})
	}
	return nil
}

// ConfirmEmail takes an address for its owner's: the account's own, or the one
// that it changes to.
func (s *Service) ConfirmEmail(ctx context.Context, token string) error {
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		v, err := s.Verifications.UseVerification(ctx, digest(token), s.now())
		if err != nil {
			return err
		}
		_, err = s.Accounts.Update(ctx, v.UserID, func(u *User) ([]events.Event, error) {
			switch {
			case v.changes() && u.Status != Active:
				return nil, ErrVerificationToken
			case v.changes():
				u.Email, u.EmailVerified = v.Email, true
				changed := &events.EmailChanged{EmailData: events.EmailData{UserID: u.ID, VerificationID: v.ID}}
				return append(u.updated("email"), changed), nil
			case u.EmailVerified:
				return nil, nil
			}
			u.EmailVerified = true
			return u.updated("email_verified"), nil
		})
		return err
	})
}

// VerificationToken gives the token of the welcome mail; false once it is of no use.
func (s *Service) VerificationToken(ctx context.Context, userID uuid.UUID) (token string, expires time.Time, ok bool, err error) {
	v, found, err := s.Verifications.FindVerification(ctx, userID, uuid.Nil)
	if err != nil || !found || !v.live(s.now()) {
		return "", time.Time{}, false, err
	}
	return s.Secret.oneTime(purposeVerification, v.ID), v.ExpiresAt, true, nil
}

// Proof is what a mail that verifies an address needs.
type Proof struct {
	Token     string
	ExpiresAt time.Time
	Email     string // where it goes
}

// VerificationProof gives the token of one verification and the address that
// it proves; false once it is of no use.
func (s *Service) VerificationProof(ctx context.Context, userID, id uuid.UUID) (Proof, bool, error) {
	v, found, err := s.Verifications.FindVerification(ctx, userID, id)
	if err != nil || !found || !v.live(s.now()) {
		return Proof{}, false, err
	}
	email := v.Email.Typed
	if !v.changes() {
		u, err := s.Accounts.Find(ctx, userID)
		if err != nil || u.EmailVerified {
			return Proof{}, false, err
		}
		email = u.Email.Typed
	}
	return Proof{Token: s.Secret.oneTime(purposeVerification, v.ID), ExpiresAt: v.ExpiresAt, Email: email}, true, nil
}

// FormerAddress gives the address that an account had before a change; false
// if there was none, or it is forgotten.
func (s *Service) FormerAddress(ctx context.Context, userID, id uuid.UUID) (string, bool, error) {
	v, found, err := s.Verifications.FindVerification(ctx, userID, id)
	return v.Former, found && v.Former != "", err
}
