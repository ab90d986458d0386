package user

import (
	"context"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// ChangeProfile changes name or locale; match is asked of the present version.
func (s *Service) ChangeProfile(ctx context.Context, id uuid.UUID, p Profile, match func(version int64) bool) (User, error) {
	return s.Accounts.Update(ctx, id, func(u *User) ([]events.Event, error) {
		if u.Status != Active {
			return nil, ErrSessionRevoked
		}
		if !match(u.Version) {
			return nil, ErrStale
		}
		changed, err := u.applyProfile(p)
		if err != nil || len(changed) == 0 {
			return nil, err
		}
		return u.updated(changed...), nil
	})
}

// SetRoles replaces the roles of an account and ends its sessions, since their
// tokens carry the roles.
func (s *Service) SetRoles(ctx context.Context, id uuid.UUID, roles []string, match func(version int64) bool) (User, error) {
	return s.govern(ctx, id, ReasonRoles, func(u *User) (string, error) {
		if !match(u.Version) {
			return "", ErrStale
		}
		changed, err := u.setRoles(roles)
		if err != nil || !changed {
			return "", err
		}
		return "roles", nil
	})
}

// Disable shuts an account and ends its sessions.
func (s *Service) Disable(ctx context.Context, id uuid.UUID) (User, error) {
	return s.govern(ctx, id, ReasonDisabled, func(u *User) (string, error) { return u.become(Disabled), nil })
}

// Enable opens a disabled account again.
func (s *Service) Enable(ctx context.Context, id uuid.UUID) (User, error) {
	return s.govern(ctx, id, "", func(u *User) (string, error) { return u.become(Active), nil })
}

func (u *User) become(status Status) (changed string) {
	if u.Status == status {
		return ""
	}
	u.Status = status
	return "status"
}

// govern changes an account on an administrator's word: fn names what it
// changed, "" for nothing. Sessions end if there is a reason.
func (s *Service) govern(ctx context.Context, id uuid.UUID, reason string, fn func(*User) (string, error)) (User, error) {
	var result User
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		others, err := s.Administration.OtherAdmins(ctx, id)
		if err != nil {
			return err
		}
		changed := ""
		result, err = s.Accounts.Update(ctx, id, func(u *User) ([]events.Event, error) {
			if u.Status == Erased {
				return nil, ErrUserNotFound
			}
			wasAdmin := u.isActiveAdmin()
			if changed, err = fn(u); err != nil || changed == "" {
				return nil, err
			}
			if wasAdmin && !u.isActiveAdmin() && others == 0 {
				return nil, ErrLastAdmin
			}
			return u.updated(changed), nil
		})
		if err != nil || changed == "" || reason == "" {
			return err
		}
		_, err = s.Sessions.Revoke(ctx, Revocation{UserID: id, Reason: reason, At: s.now()})
		return err
	})
	return result, err
}
