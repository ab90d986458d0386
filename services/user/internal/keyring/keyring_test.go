package keyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// rows is a store in memory for what does not concern SQL.
type rows struct {
	keys []Key
	err  error
}

func (r *rows) Keys(context.Context) ([]Key, error) { return r.keys, r.err }

func (r *rows) Rotate(_ context.Context, decide func([]Key) (*Key, time.Time, error)) error {
	next, at, err := decide(r.keys)
	if err != nil || next == nil {
		return err
	}
	for i := range r.keys {
		if r.keys[i].ExpiresAt == nil {
			r.keys[i].ExpiresAt = &at
		}
	}
	r.keys = append(r.keys, *next)
	return nil
}

func (r *rows) DropExpired(context.Context, time.Time) error { return nil }

type bench struct {
	store *rows
	ring  *Ring
	at    time.Time
}

func open(t testing.TB, kek byte) *bench {
	t.Helper()
	seal, err := NewSeal(bytes.Repeat([]byte{kek}, 32))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{store: &rows{}, at: time.Now()}
	b.ring = New(b.store, seal, Options{
		Lead: time.Minute, MaxAge: 24 * time.Hour, Grace: 15 * time.Minute, Random: rand.Reader, Now: func() time.Time { return b.at },
	})
	return b
}

func (b *bench) issue(t testing.TB) string {
	t.Helper()
	token, err := b.ring.Issue(t.Context(), user.Claims{
		UserID: uuid.New(), SessionID: uuid.New(), Roles: []string{"customer"}, ID: uuid.New(), IssuedAt: time.Now(), ExpiresAt: time.Now().Add(10 * time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (b *bench) published(t *testing.T) int {
	t.Helper()
	keys, err := b.ring.Public(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

func TestRotationByAge(t *testing.T) {
	b := open(t, 1)
	token := b.issue(t)
	b.at = b.at.Add(25 * time.Hour)
	if err := b.ring.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.published(t); got != 2 {
		t.Errorf("while rotating: got %d keys, want 2", got)
	}
	if _, err := b.ring.Parse(t.Context(), token); err != nil {
		t.Errorf("token of the old key: %v", err)
	}
	b.at = b.at.Add(20 * time.Minute)
	if got := b.published(t); got != 1 {
		t.Errorf("after the grace: got %d keys, want 1", got)
	}
	if _, err := b.ring.Parse(t.Context(), token); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("token of an expired key: got %v, want token_invalid", err)
	}
}

func TestAnotherReplicasKeyIsFound(t *testing.T) {
	b := open(t, 1)
	b.issue(t)
	other := open(t, 1)
	other.store.keys = b.store.keys
	if err := other.ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	other.at = other.at.Add(2 * time.Minute)
	token, err := other.ring.Issue(t.Context(), user.Claims{
		UserID: uuid.New(), SessionID: uuid.New(), IssuedAt: other.at, ExpiresAt: other.at.Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.store.keys = other.store.keys
	// The token is from the future of the wall clock, so it is told apart by its fault's cause.
	if _, err := b.ring.Parse(t.Context(), token); errors.Is(err, auth.ErrUnknownKey) {
		t.Errorf("the other replica's key was not looked for: %v", err)
	}
}

func TestSealIsBoundToItsKey(t *testing.T) {
	b, other := open(t, 1), open(t, 2)
	b.issue(t)
	other.store.keys = b.store.keys
	if err := other.ring.Load(t.Context()); err == nil {
		t.Error("opened under another key-encryption key")
	}
	moved := b.store.keys[0]
	moved.ID = "another"
	if _, err := b.ring.seal.openKey(moved); err == nil {
		t.Error("opened under another key id")
	}
	if bytes.Contains(moved.Sealed, b.privateSeed()) {
		t.Error("the private key is stored in clear")
	}
	if _, err := NewSeal(make([]byte, 16)); err == nil {
		t.Error("took a short key-encryption key")
	}
}

func (b *bench) privateSeed() []byte { return (*b.ring.keys.Load())[0].private.Seed() }

func TestWithoutKeysItIsUnavailable(t *testing.T) {
	b := open(t, 1)
	b.store.err = errors.New("database is away")
	if _, err := b.ring.Parse(t.Context(), "x.y.z"); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("got %v, want keys_unavailable", err)
	}
}

// BenchmarkParse is the check of an access token without its session.
func BenchmarkParse(b *testing.B) {
	bench := open(b, 1)
	token := bench.issue(b)
	for b.Loop() {
		if _, err := bench.ring.Parse(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func TestClaimsAreAsTheContractSays(t *testing.T) {
	b := open(t, 1)
	parsed, _, err := jwt.NewParser().ParseUnverified(b.issue(t), jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	claims := parsed.Claims.(jwt.MapClaims)
	for name, want := range map[string]any{"iss": "caravan", "aud": "caravan"} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	for _, name := range []string{"sub", "sid", "roles", "jti", "iat", "exp"} {
		if claims[name] == nil {
			t.Errorf("claim %s is missing", name)
		}
	}
	if parsed.Header["alg"] != "EdDSA" || parsed.Header["typ"] != "at+jwt" || parsed.Header["kid"] == "" {
		t.Errorf("header: got %v", parsed.Header)
	}
}
