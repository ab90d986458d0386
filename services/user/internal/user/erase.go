package user

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/caravan-shop/caravan/services/events"
)

// Erase removes the person and tells every other service to forget them. The
// bare id stays.
func (s *Service) Erase(ctx context.Context, id uuid.UUID) error {
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		others, err := s.Administration.OtherAdmins(ctx, id)
		if err != nil {
			return err
		}
		_, err = s.Accounts.Update(ctx, id, func(u *User) ([]events.Event, error) {
			if u.Status == Erased {
				return nil, ErrUserNotFound
			}
			if u.isActiveAdmin() && others == 0 {
				return nil, ErrLastAdmin
			}
			u.erase()
			return []events.Event{&events.UserDeleted{UserData: events.UserData{UserID: u.ID}}}, nil
		})
		if err != nil {
			return err
		}
		at := s.now()
		if _, err := s.Sessions.Revoke(ctx, Revocation{UserID: id, Reason: ReasonErased, At: at}); err != nil {
			return err
		}
		return s.Records.EraseRecord(ctx, id, at)
	})
}

// Record is what the tables keep of a person besides the account.
type Record struct {
	Addresses []Address
	Sessions  []Session
	Resets    []OneTime
	// Verifications hold addresses that were changed to, or are yet to be.
	Verifications []Verification
}

// Export is one document of all that the shop holds about a person.
type Export struct {
	User        User
	Record      Record
	GeneratedAt time.Time
	Services    map[string]json.RawMessage // the neighbours' answers, by app id
}

// holders lists the services that keep data of people, this one apart.
func holders() []string { return []string{"product", "cart", "order", "payment"} }

// Export gathers from every service; with one away it fails, since half an
// answer would pass for the whole.
func (s *Service) Export(ctx context.Context, id uuid.UUID) (Export, error) {
	e := Export{GeneratedAt: s.now(), Services: map[string]json.RawMessage{}}
	var err error
	if e.User, err = s.Accounts.Find(ctx, id); err != nil {
		return Export{}, err
	}
	if e.Record, err = s.Records.Record(ctx, id); err != nil {
		return Export{}, err
	}
	answers := make([]json.RawMessage, len(holders()))
	g, gctx := errgroup.WithContext(ctx)
	for i, app := range holders() {
		g.Go(func() error {
			data, err := s.Neighbours.Export(gctx, app, id)
			if err != nil {
				return fmt.Errorf("export of %s: %w", app, err)
			}
			answers[i] = data
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return Export{}, err
	}
	for i, app := range holders() {
		e.Services[app] = answers[i]
	}
	return e, nil
}

// Contacts answers Notification: the accounts of these ids that are neither
// erased nor unknown.
func (s *Service) Contacts(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]User, error) {
	found, err := s.Accounts.FindAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	alive := make(map[uuid.UUID]User, len(found))
	for _, u := range found {
		if u.Status != Erased {
			alive[u.ID] = u
		}
	}
	return alive, nil
}
