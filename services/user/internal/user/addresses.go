package user

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// AddAddress stores a new address. A new default takes the place of the one before.
func (s *Service) AddAddress(ctx context.Context, userID uuid.UUID, p Place) (Address, error) {
	if err := p.normalize(s.Formats); err != nil {
		return Address{}, err
	}
	at := s.now()
	a := Address{ID: s.NewID(), UserID: userID, Version: 1, CreatedAt: at, UpdatedAt: at, Place: p}
	if err := s.Addresses.AddAddress(ctx, a); err != nil {
		return Address{}, err
	}
	return a, nil
}

// ReplaceAddress writes an address anew; match is asked of the present version.
func (s *Service) ReplaceAddress(ctx context.Context, userID, id uuid.UUID, p Place, match func(version int64) bool) (Address, error) {
	bad := p.normalize(s.Formats)
	return s.Addresses.UpdateAddress(ctx, userID, id, func(a *Address) error {
		if !match(a.Version) {
			return ErrStale
		}
		a.Place, a.UpdatedAt = p, s.now()
		return bad
	})
}

// DeleteAddress hides an address until the account is erased.
func (s *Service) DeleteAddress(ctx context.Context, userID, id uuid.UUID, match func(version int64) bool) error {
	_, err := s.Addresses.UpdateAddress(ctx, userID, id, func(a *Address) error {
		if !match(a.Version) {
			return ErrStale
		}
		at := s.now()
		a.IsDefaultBilling, a.IsDefaultShipping = false, false
		a.DeletedAt, a.UpdatedAt = &at, at
		return nil
	})
	return err
}

// Unknown is the state of an account that never was.
const Unknown Status = "unknown"

// LookUpAddresses answers Order: the state of the account, and those of the
// addresses that are its own.
func (s *Service) LookUpAddresses(ctx context.Context, userID uuid.UUID, ids []uuid.UUID) (Status, []Address, error) {
	u, err := s.Accounts.Find(ctx, userID)
	if errors.Is(err, ErrUserNotFound) {
		return Unknown, nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	if u.Status == Erased {
		return Erased, nil, nil
	}
	found, err := s.Addresses.LookUp(ctx, userID, ids)
	return u.Status, found, err
}
