// Package keyring signs and verifies access tokens. Its Ed25519 keys are rows
// that every replica shares, sealed under a key of the secret store; a new key
// is published for a while before it signs, and an old one for as long as a
// token of it may live, so that a rotation signs nobody out.
package keyring

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// Key is one row. Sealed is the private seed.
type Key struct {
	ID        string
	Public    []byte
	Sealed    []byte
	CreatedAt time.Time
	ActiveAt  time.Time  // it signs from here on, until a newer one does
	ExpiresAt *time.Time // it is published until then; nil: not yet replaced
}

// Store keeps keys. Its errors may all be tried again.
type Store interface {
	Keys(ctx context.Context) ([]Key, error)
	// Rotate lets one caller at a time decide on a new key; nil adds none. All
	// older keys expire at the given time.
	Rotate(ctx context.Context, decide func([]Key) (next *Key, othersExpire time.Time, err error)) error
	DropExpired(ctx context.Context, before time.Time) error
}

// Options of a ring.
type Options struct {
	Lead   time.Duration // how long a new key is published before it signs
	MaxAge time.Duration // after which a key is replaced by itself
	Grace  time.Duration // how long a replaced key is published: a token's life and some
	Now    func() time.Time
	Random io.Reader
}

// Ring is a replica's view of the keys. Safe for concurrent use.
type Ring struct {
	store Store
	seal  *Seal
	opt   Options
	keys  atomic.Pointer[[]openKey]
	mu    sync.Mutex // one load at a time
	asked time.Time
}

type openKey struct {
	Key
	private ed25519.PrivateKey
}

// New makes a ring that has not loaded yet.
func New(store Store, seal *Seal, opt Options) *Ring {
	return &Ring{store: store, seal: seal, opt: opt}
}

var errNoKey = fault.New(fault.Unavailable, "keys_unavailable", "Access tokens can't be signed or verified at the moment.")

// Load reads the keys and makes the first one, or the next one by age.
func (r *Ring) Load(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.load(ctx)
}

func (r *Ring) load(ctx context.Context) error {
	keys, err := r.store.Keys(ctx)
	if err != nil {
		return err
	}
	if r.due(keys) {
		if err := r.store.Rotate(ctx, r.decide(false)); err != nil {
			return err
		}
		if keys, err = r.store.Keys(ctx); err != nil {
			return err
		}
	}
	open := make([]openKey, 0, len(keys))
	for _, k := range keys {
		private, err := r.seal.openKey(k)
		if err != nil {
			return err
		}
		open = append(open, openKey{Key: k, private: private})
	}
	r.keys.Store(&open)
	return nil
}

// due tells whether the newest key is too old, or there is none.
func (r *Ring) due(keys []Key) bool {
	at := r.opt.Now()
	return !slices.ContainsFunc(keys, func(k Key) bool { return k.ExpiresAt == nil && at.Sub(k.CreatedAt) < r.opt.MaxAge })
}

// Rotate makes a new key now, whatever the age of the present one.
func (r *Ring) Rotate(ctx context.Context) error {
	if err := r.store.Rotate(ctx, r.decide(true)); err != nil {
		return err
	}
	return r.Load(ctx)
}

// decide makes the next key under the store's lock: another replica may have
// just made one.
func (r *Ring) decide(always bool) func([]Key) (*Key, time.Time, error) {
	return func(keys []Key) (*Key, time.Time, error) {
		if !always && !r.due(keys) {
			return nil, time.Time{}, nil
		}
		at := r.opt.Now().UTC().Truncate(time.Microsecond)
		next, err := r.newKey(at)
		if err != nil {
			return nil, time.Time{}, err
		}
		if len(keys) > 0 {
			next.ActiveAt = at.Add(r.opt.Lead)
		}
		return next, next.ActiveAt.Add(r.opt.Grace), nil
	}
}

func (r *Ring) newKey(at time.Time) (*Key, error) {
	public, private, err := ed25519.GenerateKey(r.opt.Random)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	var id [8]byte
	if _, err := io.ReadFull(r.opt.Random, id[:]); err != nil {
		return nil, fmt.Errorf("make key id: %w", err)
	}
	k := &Key{ID: hex.EncodeToString(id[:]), Public: public, CreatedAt: at, ActiveAt: at}
	k.Sealed, err = r.seal.Close(k.ID, private.Seed(), r.opt.Random)
	return k, err
}

// DropExpired deletes keys that nothing is signed with any more.
func (r *Ring) DropExpired(ctx context.Context) error { return r.store.DropExpired(ctx, r.opt.Now()) }

// published gives the keys that tokens may be signed with, now or soon.
func (r *Ring) published(ctx context.Context) ([]openKey, error) {
	keys := r.keys.Load()
	if keys == nil {
		if err := r.Load(ctx); err != nil {
			return nil, errNoKey.Because(err)
		}
		keys = r.keys.Load()
	}
	at := r.opt.Now()
	return slices.DeleteFunc(slices.Clone(*keys), func(k openKey) bool { return k.ExpiresAt != nil && !at.Before(*k.ExpiresAt) }), nil
}

// Public gives the keys to publish.
func (r *Ring) Public(ctx context.Context) ([]Key, error) {
	keys, err := r.published(ctx)
	public := make([]Key, 0, len(keys))
	for _, k := range keys {
		public = append(public, k.Key)
	}
	return public, err
}

// Issue implements user.Issuer.
func (r *Ring) Issue(ctx context.Context, c user.Claims) (string, error) {
	keys, err := r.published(ctx)
	if err != nil {
		return "", err
	}
	if len(keys) == 0 {
		return "", errNoKey
	}
	// In order of ActiveAt; the only key signs even if it was made a moment ago.
	signer := &keys[0]
	for i, k := range keys {
		if !k.ActiveAt.After(c.IssuedAt) {
			signer = &keys[i]
		}
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": auth.Issuer, "aud": auth.Audience, "sub": c.UserID, "jti": c.ID, "sid": c.SessionID, "roles": c.Roles,
		"iat": jwt.NewNumericDate(c.IssuedAt), "exp": jwt.NewNumericDate(c.ExpiresAt),
	})
	token.Header["kid"], token.Header["typ"] = signer.ID, auth.TokenType
	signed, err := token.SignedString(signer.private)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return signed, nil
}

// reloadAtMost bounds what unknown key ids can make a replica read.
const reloadAtMost = 2 * time.Second

// Parse verifies a token of ours; its faults are those of package auth. An
// unknown key id makes it read the keys again.
func (r *Ring) Parse(ctx context.Context, token string) (auth.Principal, error) {
	if _, err := r.published(ctx); err != nil {
		return auth.Principal{}, err
	}
	p, err := auth.Parse(token, r.lookup(ctx))
	if !errors.Is(err, auth.ErrUnknownKey) {
		return p, err
	}
	r.mu.Lock()
	if at := r.opt.Now(); at.Sub(r.asked) >= reloadAtMost {
		r.asked = at
		_ = r.load(ctx) // the keys of before stay in force
	}
	r.mu.Unlock()
	return auth.Parse(token, r.lookup(ctx))
}

func (r *Ring) lookup(ctx context.Context) jwt.Keyfunc {
	return func(t *jwt.Token) (any, error) {
		keys, err := r.published(ctx)
		if err != nil {
			return nil, err
		}
		if t.Method.Alg() != jwt.SigningMethodEdDSA.Alg() {
			return nil, jwt.ErrTokenUnverifiable
		}
		for _, k := range keys {
			if k.ID == t.Header["kid"] {
				return ed25519.PublicKey(k.Public), nil
			}
		}
		return nil, auth.ErrUnknownKey
	}
}
