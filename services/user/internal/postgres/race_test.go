package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/user/internal/postgres"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

func TestNoSessionForAPasswordThatWasJustChanged(t *testing.T) {
	s, _ := open(t)
	u := add(t, s)
	_, err := s.Update(t.Context(), u.ID, func(u *user.User) ([]events.Event, error) { u.PasswordHash = "new"; return nil, nil })
	must(t, err)
	v := user.Session{ID: service.NewID(), UserID: u.ID, CreatedAt: now(), LastSeenAt: now(), ExpiresAt: now().Add(time.Hour)}
	if err := s.Start(t.Context(), v, u, v.ID[:]); !errors.Is(err, user.ErrInvalidCredentials) {
		t.Errorf("got %v, want invalid_credentials", err)
	}
	must(t, s.Start(t.Context(), v, user.User{PasswordHash: "new"}, v.ID[:]))
}

// erasing holds what an erasure has locked, has the other side begin, and then
// goes on: with locks taken in another order the two would deadlock.
func erasing(t *testing.T, s *postgres.Store, userID uuid.UUID, other func() error) error {
	t.Helper()
	others := make(chan error, 1)
	must(t, s.InTx(t.Context(), func(ctx context.Context) error {
		_, err := s.Update(ctx, userID, func(u *user.User) ([]events.Event, error) {
			*u = user.User{ID: u.ID, Status: user.Erased, Version: u.Version}
			return nil, nil
		})
		if err != nil {
			return err
		}
		if _, err := s.Revoke(ctx, user.Revocation{UserID: userID, Reason: user.ReasonErased, At: now()}); err != nil {
			return err
		}
		go func() { others <- other() }()
		time.Sleep(200 * time.Millisecond)
		return s.EraseRecord(ctx, userID, now())
	}))
	return <-others
}

func TestErasureMeetsARefresh(t *testing.T) {
	s, _ := open(t)
	v := start(t, s, add(t, s).ID)
	err := erasing(t, s, v.UserID, func() error {
		r := user.Refresh{Digest: v.ID[:], Successor: []byte("next"), At: now(), ExpiresAt: func(user.Session) time.Time { return now().Add(time.Hour) }}
		_, outcome, err := s.Refresh(t.Context(), r, func(t user.RefreshToken) user.Outcome {
			if t.Session.RevokedAt != nil {
				return user.Dead
			}
			return user.Advance
		})
		if outcome != user.Dead {
			t.Errorf("outcome: got %v, want dead", outcome)
		}
		return err
	})
	if err != nil {
		t.Errorf("refresh: got %v, want no error", err)
	}
}

func TestErasureMeetsOneTimeTokens(t *testing.T) {
	s, _ := open(t)
	u := add(t, s)
	must(t, s.Ask(t.Context(), service.NewID(), u.Email.Normal, now()))
	_, err := s.Answer(t.Context(), 1, func(id uuid.UUID) (user.OneTime, []events.Event) {
		return user.OneTime{ID: service.NewID(), UserID: id, Digest: []byte("d"), CreatedAt: now(), ExpiresAt: now().Add(time.Hour)}, nil
	})
	must(t, err)
	confirm := func(use func(context.Context, []byte, time.Time) (uuid.UUID, error), digest []byte) func() error {
		return func() error {
			return s.InTx(t.Context(), func(ctx context.Context) error {
				id, err := use(ctx, digest, now())
				if err != nil {
					return err
				}
				_, err = s.Update(ctx, id, func(*user.User) ([]events.Event, error) { return nil, nil })
				return err
			})
		}
	}
	if err := erasing(t, s, u.ID, confirm(s.UseReset, []byte("d"))); !errors.Is(err, user.ErrResetToken) {
		t.Errorf("reset: got %v, want reset_token_invalid", err)
	}
	v := add(t, s)
	if err := erasing(t, s, v.ID, confirm(func(ctx context.Context, digest []byte, at time.Time) (uuid.UUID, error) {
		v, err := s.UseVerification(ctx, digest, at)
		return v.UserID, err
	}, v.ID[:])); !errors.Is(err, user.ErrVerificationToken) {
		t.Errorf("verification: got %v, want verification_token_invalid", err)
	}
}
