package user

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// AskReset notes that somebody asked for a reset. Known and unknown addresses
// cost the same: one statement and one row; the token is made afterwards by
// AnswerResets.
func (s *Service) AskReset(ctx context.Context, email string, from Client) error {
	if err := required(map[string]string{"email": email}); err != nil {
		return err
	}
	if wait := s.Limiter.Wait(ctx, s.Policy.ResetsByAddress, from.Address); wait > 0 {
		return ErrTooManyAttempts.After(wait)
	}
	s.Limiter.Spend(ctx, s.Policy.ResetsByAddress, from.Address)
	address, _ := ParseEmail(email)
	if s.Limiter.Wait(ctx, s.Policy.ResetRequests, address.Normal) > 0 {
		return nil // answered like the rest; the mails of before still hold
	}
	s.Limiter.Spend(ctx, s.Policy.ResetRequests, address.Normal)
	return s.Resets.Ask(ctx, s.NewID(), address.Normal, s.now())
}

const (
	resetBatch = 50
	// resetPoll is not cut short by a request: what follows for a known address
	// would run beside its answer and be felt in its time.
	resetPoll = 500 * time.Millisecond
)

// AnswerResets turns requests into tokens and events until ctx ends. Any number
// of replicas may run it.
func (s *Service) AnswerResets(ctx context.Context, failed func(error)) error {
	tick := time.NewTicker(resetPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.answerWaiting(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

func (s *Service) answerWaiting(ctx context.Context) error {
	for {
		n, err := s.Resets.Answer(ctx, resetBatch, func(userID uuid.UUID) (OneTime, []events.Event) {
			t := s.newOneTime(purposeReset, userID, s.Policy.ResetTTL)
			return t, []events.Event{&events.PasswordReset{UserID: userID, ResetID: t.ID}}
		})
		if err != nil || n < resetBatch {
			return err
		}
	}
}

// ConfirmReset sets a new password with the token of the mail and ends every
// session. The token proves the address as well.
func (s *Service) ConfirmReset(ctx context.Context, token, password string) error {
	owner, err := s.Resets.ResetOwner(ctx, digest(token), s.now())
	if err != nil {
		return err
	}
	u, err := s.Accounts.Find(ctx, owner)
	if err != nil {
		return err
	}
	if err := s.checkPassword("new_password", password, u); err != nil {
		return err
	}
	hash, err := s.Hasher.Hash(ctx, plain(password))
	if err != nil {
		return err
	}
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		at := s.now()
		userID, err := s.Resets.UseReset(ctx, digest(token), at)
		if err != nil {
			return err
		}
		_, err = s.Accounts.Update(ctx, userID, func(u *User) ([]events.Event, error) {
			if u.Status != Active {
				return nil, ErrResetToken
			}
			u.PasswordHash, u.EmailVerified = hash, true
			return u.updated("password"), nil
		})
		if err != nil {
			return err
		}
		if err := s.Verifications.EndEmailChanges(ctx, userID, at); err != nil {
			return err
		}
		_, err = s.Sessions.Revoke(ctx, Revocation{UserID: userID, Reason: ReasonReset, At: at})
		return err
	})
}

// ResetToken gives the token of a reset for its mail; false once it is of no use.
func (s *Service) ResetToken(ctx context.Context, id uuid.UUID) (token string, expires time.Time, ok bool, err error) {
	t, err := s.Resets.FindReset(ctx, id)
	if errors.Is(err, ErrResetToken) || (err == nil && !t.live(s.now())) {
		return "", time.Time{}, false, nil
	}
	if err != nil {
		return "", time.Time{}, false, err
	}
	return s.Secret.oneTime(purposeReset, t.ID), t.ExpiresAt, true, nil
}
