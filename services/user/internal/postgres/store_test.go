package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/user/internal/keyring"
	"github.com/caravan-shop/caravan/services/user/internal/postgres"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

func open(t *testing.T) (*postgres.Store, *pg.DB) {
	t.Helper()
	migrations, err := postgres.Migrations()
	must(t, err)
	db := pgtest.Open(t, migrations)
	return postgres.New(db, outbox.New(db, service.NewID, time.Now), func([]uuid.UUID) {}), db
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db *pg.DB, sql string, args ...any) int {
	t.Helper()
	var n int
	must(t, db.Conn(t.Context()).QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func add(t *testing.T, s *postgres.Store, roles ...string) user.User {
	t.Helper()
	id := service.NewID()
	email := fmt.Sprintf("%s@example.com", id)
	u := user.User{
		ID: id, Email: user.Email{Typed: email, Normal: email}, PasswordHash: "h", FirstName: "A", LastName: "B", Locale: "en",
		Roles: append([]string{user.RoleCustomer}, roles...), Status: user.Active, Version: 1, CreatedAt: now(), UpdatedAt: now(),
	}
	verification := user.OneTime{ID: service.NewID(), Digest: id[:], CreatedAt: now(), ExpiresAt: now().Add(time.Hour)}
	must(t, s.Add(t.Context(), u, verification, &events.UserRegistered{UserData: events.UserData{UserID: id}}))
	return u
}

func start(t *testing.T, s *postgres.Store, userID uuid.UUID) user.Session {
	t.Helper()
	v := user.Session{ID: service.NewID(), UserID: userID, CreatedAt: now(), LastSeenAt: now(), ExpiresAt: now().Add(time.Hour)}
	must(t, s.Start(t.Context(), v, user.User{PasswordHash: "h"}, v.ID[:]))
	return v
}

func TestSchema(t *testing.T) {
	migrations, err := postgres.Migrations()
	must(t, err)
	pgtest.UpDownUp(t, migrations)
	_, db := open(t)
	pgtest.Golden(t, db, "testdata/schema.golden")
}

func TestAddRefusesATakenEmail(t *testing.T) {
	s, db := open(t)
	u := add(t, s)
	again := u
	again.ID = service.NewID()
	err := s.Add(t.Context(), again, user.OneTime{ID: service.NewID(), Digest: []byte("x"), CreatedAt: now(), ExpiresAt: now()},
		&events.UserRegistered{UserData: events.UserData{UserID: again.ID}})
	if !errors.Is(err, user.ErrEmailTaken) {
		t.Errorf("got %v, want email_taken", err)
	}
	if n := count(t, db, `SELECT count(*) FROM outbox`); n != 1 {
		t.Errorf("events: got %d, want 1", n)
	}
}

func TestUpdateWithoutChangeKeepsTheVersion(t *testing.T) {
	s, db := open(t)
	u := add(t, s)
	got, err := s.Update(t.Context(), u.ID, func(*user.User) ([]events.Event, error) { return nil, nil })
	must(t, err)
	if got.Version != 1 {
		t.Errorf("version: got %d, want 1", got.Version)
	}
	boom := errors.New("boom")
	_, err = s.Update(t.Context(), u.ID, func(u *user.User) ([]events.Event, error) { u.FirstName = "X"; return nil, boom })
	if !errors.Is(err, boom) || count(t, db, `SELECT count(*) FROM users WHERE first_name = 'X'`) != 0 {
		t.Errorf("a refused change was saved (%v)", err)
	}
}

func TestRacingDefaultsLeaveOne(t *testing.T) {
	s, db := open(t)
	u := add(t, s)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			err := s.AddAddress(t.Context(), user.Address{ID: service.NewID(), UserID: u.ID, Version: 1, CreatedAt: now(), UpdatedAt: now(),
				Place: user.Place{Recipient: "r", Line1: "l", City: "c", PostalCode: "p", Country: "GB", IsDefaultShipping: true, IsDefaultBilling: true}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, db, `SELECT count(*) FROM user_addresses WHERE is_default_shipping AND is_default_billing`); n != 1 {
		t.Errorf("defaults: got %d, want 1", n)
	}
}

func TestAddressesAreBounded(t *testing.T) {
	s, db := open(t)
	u := add(t, s)
	_, err := db.Conn(t.Context()).Exec(t.Context(), `
INSERT INTO user_addresses (id, user_id, recipient, line1, city, postal_code, country, created_at, updated_at)
SELECT gen_random_uuid(), $1, 'r', 'l', 'c', 'p', 'GB', now(), now() FROM generate_series(1, 100)`, u.ID)
	must(t, err)
	err = s.AddAddress(t.Context(), user.Address{ID: service.NewID(), UserID: u.ID, CreatedAt: now(), UpdatedAt: now()})
	if !errors.Is(err, user.ErrTooManyAddresses) {
		t.Errorf("got %v, want too_many_addresses", err)
	}
}

// Two administrators who disable each other at once must not both succeed.
func TestLastAdminIsKeptUnderRace(t *testing.T) {
	s, db := open(t)
	a, b := add(t, s, user.RoleAdmin), add(t, s, user.RoleAdmin)
	var wg sync.WaitGroup
	for _, id := range []uuid.UUID{a.ID, b.ID} {
		wg.Go(func() {
			err := s.InTx(t.Context(), func(ctx context.Context) error {
				others, err := s.OtherAdmins(ctx, id)
				if err != nil || others == 0 {
					return err
				}
				_, err = s.Update(ctx, id, func(u *user.User) ([]events.Event, error) { u.Status = user.Disabled; return nil, nil })
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, db, `SELECT count(*) FROM users WHERE status = 'active'`); n != 1 {
		t.Errorf("active administrators: got %d, want 1", n)
	}
}

func TestTwoReplicasAnswerAResetOnce(t *testing.T) {
	s, db := open(t)
	for i := range 40 {
		email := "nobody@example.com"
		if i%2 == 0 {
			email = add(t, s).Email.Normal
		}
		must(t, s.Ask(t.Context(), service.NewID(), email, now()))
	}
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				n, err := s.Answer(t.Context(), 7, func(id uuid.UUID) (user.OneTime, []events.Event) {
					token := user.OneTime{ID: service.NewID(), UserID: id, Digest: id[:], CreatedAt: now(), ExpiresAt: now().Add(time.Hour)}
					return token, []events.Event{&events.PasswordReset{UserID: id, ResetID: token.ID}}
				})
				if err != nil {
					t.Error(err)
				}
				if taken.Add(int64(n)); n == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
	if got := taken.Load(); got != 40 {
		t.Errorf("requests taken: got %d, want 40", got)
	}
	if n := count(t, db, `SELECT count(*) FROM outbox WHERE topic = 'password.reset'`); n != 20 {
		t.Errorf("events: got %d, want 20", n)
	}
}

func TestResetIsUsedOnceUnderRace(t *testing.T) {
	s, _ := open(t)
	u := add(t, s)
	must(t, s.Ask(t.Context(), service.NewID(), u.Email.Normal, now()))
	_, err := s.Answer(t.Context(), 1, func(id uuid.UUID) (user.OneTime, []events.Event) {
		return user.OneTime{ID: service.NewID(), UserID: id, Digest: []byte("d"), CreatedAt: now(), ExpiresAt: now().Add(time.Hour)}, nil
	})
	must(t, err)
	var used atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := s.UseReset(t.Context(), []byte("d"), now()); err == nil {
				used.Add(1)
			} else if !errors.Is(err, user.ErrResetToken) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if used.Load() != 1 {
		t.Errorf("used %d times, want 1", used.Load())
	}
}

func TestNoSessionForADisabledAccount(t *testing.T) {
	s, _ := open(t)
	u := add(t, s)
	_, err := s.Update(t.Context(), u.ID, func(u *user.User) ([]events.Event, error) { u.Status = user.Disabled; return nil, nil })
	must(t, err)
	v := user.Session{ID: service.NewID(), UserID: u.ID, CreatedAt: now(), LastSeenAt: now(), ExpiresAt: now().Add(time.Hour)}
	if err := s.Start(t.Context(), v, user.User{PasswordHash: "h"}, v.ID[:]); !errors.Is(err, user.ErrInvalidCredentials) {
		t.Errorf("got %v, want invalid_credentials", err)
	}
}

func TestRevokeSpares(t *testing.T) {
	s, _ := open(t)
	u, other := add(t, s), add(t, s)
	kept, ended, foreign := start(t, s, u.ID), start(t, s, u.ID), start(t, s, other.ID)
	n, err := s.Revoke(t.Context(), user.Revocation{UserID: u.ID, Except: kept.ID, Reason: user.ReasonPassword, At: now()})
	must(t, err)
	if n != 1 {
		t.Errorf("revoked: got %d, want 1", n)
	}
	for id, want := range map[uuid.UUID]error{kept.ID: nil, ended.ID: user.ErrSessionRevoked, foreign.ID: nil} {
		if _, err := s.Live(t.Context(), id, now()); !errors.Is(err, want) {
			t.Errorf("session: got %v, want %v", err, want)
		}
	}
}

func TestLiveNotesUse(t *testing.T) {
	s, db := open(t)
	v := start(t, s, add(t, s).ID)
	_, err := s.Live(t.Context(), v.ID, v.LastSeenAt.Add(2*time.Minute))
	must(t, err)
	if n := count(t, db, `SELECT count(*) FROM sessions WHERE last_seen_at = $1`, v.LastSeenAt.Add(2*time.Minute)); n != 1 {
		t.Errorf("use was not noted")
	}
}

func TestSweep(t *testing.T) {
	s, db := open(t)
	u := add(t, s)
	start(t, s, u.ID)
	must(t, s.Sweep(t.Context(), now()))
	if n := count(t, db, `SELECT count(*) FROM refresh_tokens`); n != 1 {
		t.Errorf("refresh tokens of a living session: got %d, want 1", n)
	}
	must(t, s.Sweep(t.Context(), now().Add(2*time.Hour)))
	for _, table := range []string{"sessions", "refresh_tokens", "email_verification_tokens"} {
		if n := count(t, db, `SELECT count(*) FROM `+table); n != 0 {
			t.Errorf("%s: got %d rows, want 0", table, n)
		}
	}
}

func TestReplicasMakeOneFirstKey(t *testing.T) {
	s, db := open(t)
	seal, err := keyring.NewSeal(make([]byte, 32))
	must(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r := keyring.New(s, seal, keyring.Options{Lead: time.Minute, MaxAge: time.Hour, Grace: time.Hour, Now: time.Now, Random: randomBytes{}})
			if err := r.Load(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, db, `SELECT count(*) FROM signing_keys`); n != 1 {
		t.Errorf("keys: got %d, want 1", n)
	}
}

// randomBytes gives random ids, so that the keys of replicas differ.
type randomBytes struct{}

func (randomBytes) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		id := uuid.New()
		n += copy(p[n:], id[:])
	}
	return len(p), nil
}
