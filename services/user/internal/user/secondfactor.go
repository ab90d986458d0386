package user

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/fault"
)

// Evidence is what somebody shows to be the owner of an account. Code is needed
// where the account has a second factor: of its app, or a recovery code.
type Evidence struct {
	Password string
	Code     string
	From     Client
}

// sealName binds a secret to its account, and keeps it apart from the signing
// keys that are sealed by the same key.
func sealName(userID uuid.UUID) string { return "second-factor " + userID.String() }

// BeginFactor makes a second factor that waits to be confirmed. Beginning anew
// takes the place of one that waits.
func (s *Service) BeginFactor(ctx context.Context, userID uuid.UUID, shown Evidence) (Enrolment, error) {
	u, err := s.Accounts.Find(ctx, userID)
	if err != nil {
		return Enrolment{}, err
	}
	if err := s.provePassword(ctx, u, shown); err != nil {
		return Enrolment{}, err
	}
	if u.TwoFactor {
		return Enrolment{}, ErrFactorEnabled
	}
	at := s.now()
	e, err := newEnrolment(u, s.Random, at)
	if err != nil {
		return Enrolment{}, err
	}
	sealed, err := s.Sealer.Close(sealName(userID), []byte(e.Secret), s.Random)
	if err != nil {
		return Enrolment{}, err
	}
	_, err = s.onFactor(ctx, userID, func(ctx context.Context, u *User) ([]events.Event, error) {
		switch {
		case u.Status != Active:
			return nil, ErrSessionRevoked
		case u.TwoFactor:
			return nil, ErrFactorEnabled
		}
		return nil, s.Factors.PutFactor(ctx, Factor{UserID: userID, Sealed: sealed, CreatedAt: at})
	})
	return e, err
}

// ConfirmFactor puts a factor in force with a first code of its app, ends every
// other session and gives the recovery codes, which are shown this once.
func (s *Service) ConfirmFactor(ctx context.Context, userID, sessionID uuid.UUID, code string) ([]string, error) {
	shown, digests, err := newRecoveryCodes(s.Random)
	if err != nil {
		return nil, err
	}
	err = s.Tx.InTx(ctx, func(ctx context.Context) error {
		_, err := s.onFactor(ctx, userID, func(ctx context.Context, u *User) ([]events.Event, error) {
			switch {
			case u.Status != Active:
				return nil, ErrSessionRevoked
			case u.TwoFactor:
				return nil, ErrFactorEnabled
			}
			f, err := s.Factors.FindFactor(ctx, userID)
			if errors.Is(err, ErrFactorNotBegun) || (err == nil && !f.waits(s.now())) {
				return nil, ErrFactorNotBegun
			}
			if err != nil {
				return nil, err
			}
			at := s.now()
			f.ConfirmedAt, f.Recovery = &at, digests
			if err := s.spend(ctx, u, &f, code); err != nil {
				return nil, named(err)
			}
			u.TwoFactor = true
			return u.updated("two_factor"), nil
		})
		if err != nil {
			return err
		}
		_, err = s.Sessions.Revoke(ctx, Revocation{UserID: userID, Except: sessionID, Reason: ReasonFactor, At: s.now()})
		return err
	})
	return shown, err
}

// DisableFactor takes the second factor away from one's own account and ends
// every other session. It needs the password and the factor itself.
func (s *Service) DisableFactor(ctx context.Context, userID, sessionID uuid.UUID, shown Evidence) error {
	u, err := s.Accounts.Find(ctx, userID)
	if err != nil {
		return err
	}
	if err := s.provePassword(ctx, u, shown); err != nil {
		return err
	}
	if !u.TwoFactor {
		return ErrFactorDisabled
	}
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := s.proveFactor(ctx, userID, shown); err != nil {
			return err
		}
		return s.dropFactor(ctx, userID, Revocation{UserID: userID, Except: sessionID, Reason: ReasonFactor})
	})
}

// RemoveFactor takes the second factor away on an administrator's word and ends
// every session: who it is for must have proven themselves to a person.
func (s *Service) RemoveFactor(ctx context.Context, by, userID uuid.UUID) error {
	if by == userID {
		return ErrOwnFactor
	}
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		return s.dropFactor(ctx, userID, Revocation{UserID: userID, Reason: ReasonFactor})
	})
}

// dropFactor runs in the transaction of ctx. Without a factor it does nothing.
func (s *Service) dropFactor(ctx context.Context, userID uuid.UUID, ending Revocation) error {
	had := false
	_, err := s.onFactor(ctx, userID, func(ctx context.Context, u *User) ([]events.Event, error) {
		if u.Status == Erased {
			return nil, ErrUserNotFound
		}
		had = u.TwoFactor
		if err := s.Factors.DeleteFactor(ctx, userID); err != nil || !had {
			return nil, err
		}
		u.TwoFactor, u.RecoveryCodes = false, 0
		return u.updated("two_factor"), nil
	})
	if err != nil || !had {
		return err
	}
	ending.At = s.now()
	_, err = s.Sessions.Revoke(ctx, ending)
	return err
}

// onFactor locks an account, and with it its factor, while fn decides.
func (s *Service) onFactor(ctx context.Context, userID uuid.UUID, fn func(context.Context, *User) ([]events.Event, error)) (u User, err error) {
	err = s.Tx.InTx(ctx, func(ctx context.Context) error {
		u, err = s.Accounts.Update(ctx, userID, func(u *User) ([]events.Event, error) { return fn(ctx, u) })
		return err
	})
	return u, err
}

// answerFactor spends a code where an account has a second factor, once the
// transaction of ctx commits: ErrOTPRequired without one, ErrOTPInvalid for a
// wrong one.
func (s *Service) answerFactor(ctx context.Context, userID uuid.UUID, code string) error {
	_, err := s.onFactor(ctx, userID, func(ctx context.Context, u *User) ([]events.Event, error) {
		if !u.TwoFactor {
			return nil, nil
		}
		if code == "" {
			return nil, ErrOTPRequired
		}
		f, err := s.Factors.FindFactor(ctx, userID)
		if err != nil {
			return nil, err
		}
		return nil, s.spend(ctx, u, &f, code)
	})
	return err
}

// spend takes a code for a factor that is locked. It asks for the limit under
// that lock, so that guesses at the same moment count one by one.
func (s *Service) spend(ctx context.Context, u *User, f *Factor, code string) error {
	if wait := s.Limiter.Wait(ctx, s.Policy.FactorFailures, u.ID.String()); wait > 0 {
		return ErrTooManyAttempts.After(wait)
	}
	ok, err := s.take(f, plainCode(code))
	if err != nil {
		return err
	}
	if !ok {
		s.Limiter.Spend(ctx, s.Policy.FactorFailures, u.ID.String())
		return ErrOTPInvalid
	}
	u.RecoveryCodes = len(f.Recovery)
	return s.Factors.PutFactor(ctx, *f)
}

func (s *Service) take(f *Factor, code string) (bool, error) {
	if !isStep(code) {
		return f.takeRecovery(code), nil
	}
	secret, err := s.Sealer.Open(sealName(f.UserID), f.Sealed)
	if err != nil {
		return false, err
	}
	return f.takeStep(string(secret), code, s.now())
}

// proveFactor spends a code for a signed-in person's change of how they sign in.
func (s *Service) proveFactor(ctx context.Context, userID uuid.UUID, shown Evidence) error {
	return named(s.answerFactor(ctx, userID, shown.Code))
}

// named makes of a refused code one that names its field: 401 would tell a
// signed-in client that its token is bad.
func named(err error) error {
	switch {
	case errors.Is(err, ErrOTPInvalid):
		return ErrCodeInvalid.Naming(fault.Field{Field: "code", Code: "wrong", Detail: "Wrong, used before or too old."})
	case errors.Is(err, ErrOTPRequired):
		return ErrCodeRequired.Naming(fault.Field{Field: "code", Code: "required", Detail: "A code of the authenticator app, or a recovery code."})
	}
	return err
}
