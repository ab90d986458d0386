package user

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// ListSessions gives a page of one's live sessions, newest first.
func (s *Service) ListSessions(ctx context.Context, userID, before uuid.UUID, limit int) ([]Session, error) {
	return s.Sessions.ListSessions(ctx, userID, before, limit, s.now())
}

// EndSession ends one of one's own sessions.
func (s *Service) EndSession(ctx context.Context, userID, id uuid.UUID) error {
	n, err := s.Sessions.Revoke(ctx, Revocation{UserID: userID, Only: id, Reason: ReasonSignedOut, At: s.now()})
	if err == nil && n == 0 {
		return ErrSessionNotFound
	}
	return err
}

// EndAllSessions signs a person out everywhere.
func (s *Service) EndAllSessions(ctx context.Context, userID uuid.UUID) error {
	_, err := s.Sessions.Revoke(ctx, Revocation{UserID: userID, Reason: ReasonSignedOut, At: s.now()})
	return err
}

// EndSessionsOf signs a person out everywhere on an administrator's word.
func (s *Service) EndSessionsOf(ctx context.Context, userID uuid.UUID) error {
	if _, err := s.Accounts.Find(ctx, userID); err != nil {
		return err
	}
	_, err := s.Sessions.Revoke(ctx, Revocation{UserID: userID, Reason: ReasonAdmin, At: s.now()})
	return err
}

// revokedMargin allows for clocks that differ.
const revokedMargin = time.Minute

// RevokedSessions gives the sessions whose access tokens may still be in use.
func (s *Service) RevokedSessions(ctx context.Context) ([]uuid.UUID, error) {
	return s.Sessions.RevokedSince(ctx, s.now().Add(-s.Policy.AccessTTL-revokedMargin))
}
