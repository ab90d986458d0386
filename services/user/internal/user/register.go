package user

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// Register makes an account with the role of a customer.
func (s *Service) Register(ctx context.Context, r Registration) (User, error) {
	u, err := newUser(r, s.NewID(), s.now())
	if err != nil {
		return User{}, err
	}
	if err := s.checkPassword("password", r.Password, u); err != nil {
		return User{}, err
	}
	// Hashing is dear, so a taken address is found out first; the constraint decides.
	if _, err := s.Accounts.FindByEmail(ctx, u.Email.Normal); err == nil {
		return User{}, ErrEmailTaken
	} else if !errors.Is(err, ErrUserNotFound) {
		return User{}, err
	}
	return s.add(ctx, u, r.Password)
}

func (s *Service) add(ctx context.Context, u User, password string) (User, error) {
	hash, err := s.Hasher.Hash(ctx, plain(password))
	if err != nil {
		return User{}, err
	}
	u.PasswordHash = hash
	registered := &events.UserRegistered{UserData: events.UserData{UserID: u.ID, Locale: u.Locale}}
	verification := s.newOneTime(purposeVerification, u.ID, s.Policy.VerificationTTL)
	if err := s.Accounts.Add(ctx, u, verification, registered); err != nil {
		return User{}, err
	}
	return u, nil
}

func (s *Service) newOneTime(purpose string, userID uuid.UUID, ttl time.Duration) OneTime {
	id, at := s.NewID(), s.now()
	return OneTime{ID: id, UserID: userID, Digest: digest(s.Secret.oneTime(purpose, id)), CreatedAt: at, ExpiresAt: at.Add(ttl)}
}

// DemoAccount is an account that the configuration asks for.
type DemoAccount struct {
	Email     string   `json:"email"`
	Password  string   `json:"password"`
	FirstName string   `json:"first_name"`
	LastName  string   `json:"last_name"`
	Roles     []string `json:"roles"`
}

// EnsureDemo makes the accounts that are absent. Those that are there stay as
// they are, their passwords too.
func (s *Service) EnsureDemo(ctx context.Context, accounts []DemoAccount) error {
	for _, d := range accounts {
		u, err := newUser(Registration{Email: d.Email, FirstName: d.FirstName, LastName: d.LastName}, s.NewID(), s.now())
		if err != nil {
			return err
		}
		if len(d.Roles) > 0 {
			if _, err := u.setRoles(d.Roles); err != nil {
				return err
			}
		}
		if _, err := s.Accounts.FindByEmail(ctx, u.Email.Normal); err == nil {
			continue
		} else if !errors.Is(err, ErrUserNotFound) {
			return err
		}
		u.EmailVerified = true
		if _, err := s.add(ctx, u, d.Password); err != nil && !errors.Is(err, ErrEmailTaken) {
			return err
		}
	}
	return nil
}
