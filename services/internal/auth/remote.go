package auth

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// KeySource asks User. An error leaves the last answer in force.
type KeySource interface {
	// JWKS gives the published signing keys as a JSON Web Key Set.
	JWKS(ctx context.Context) (json.RawMessage, error)
	// RevokedSessions gives the sessions whose access tokens may still be unexpired.
	RevokedSessions(ctx context.Context) ([]uuid.UUID, error)
}

const (
	keysEvery    = 5 * time.Minute
	keysAtMost   = 2 * time.Second // between two fetches on an unknown key id
	fetchTimeout = 3 * time.Second
	failureRetry = time.Second
)

// Remote verifies tokens of a service that is not User. With no keys fetched
// yet it answers ErrUnavailable; later it goes on with the last ones.
type Remote struct {
	source KeySource
	poll   time.Duration
	log    *slog.Logger

	keys    atomic.Pointer[keySet]
	revoked atomic.Pointer[map[uuid.UUID]struct{}]
	seen    verified

	mu      sync.Mutex // one fetch of keys at a time
	fetched time.Time
}

// NewRemote makes a verifier; poll is how often revoked sessions are fetched.
func NewRemote(source KeySource, poll time.Duration, log *slog.Logger) *Remote {
	return &Remote{source: source, poll: poll, log: log}
}

// Verify implements Verifier. An unknown key id makes it ask User again, at
// most every two seconds.
func (r *Remote) Verify(ctx context.Context, token string) (Principal, error) {
	keys := r.keys.Load()
	if keys == nil {
		if keys = r.refetch(ctx); keys == nil {
			return Principal{}, ErrUnavailable
		}
	}
	p, err := r.check(token, keys)
	if errors.Is(err, ErrUnknownKey) {
		if fresh := r.refetch(ctx); fresh != keys {
			p, err = r.check(token, fresh)
		}
	}
	if err != nil {
		return Principal{}, err
	}
	if gone := r.revoked.Load(); gone != nil {
		if _, ended := (*gone)[p.SessionID]; ended {
			return Principal{}, ErrRevoked
		}
	}
	return p, nil
}

// check verifies a token, or remembers that it has.
func (r *Remote) check(token string, keys *keySet) (Principal, error) {
	if p, ok := r.seen.get(keys, token, time.Now()); ok {
		return p, nil
	}
	c, err := parse(token, keys.find)
	if err == nil {
		r.seen.put(keys, token, c)
	}
	return c.principal, err
}

// refetch gives the newest keys that can be had, nil if there were never any.
// The fetch serves every request that waits, so it outlives the one that began it.
func (r *Remote) refetch(ctx context.Context) *keySet {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.fetched) < keysAtMost {
		return r.keys.Load()
	}
	r.fetched = time.Now()
	if err := r.fetchKeys(context.WithoutCancel(ctx)); err != nil {
		r.log.Warn("signing keys not fetched", "error", err)
	}
	return r.keys.Load()
}

func (r *Remote) fetchKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	raw, err := r.source.JWKS(ctx)
	if err != nil {
		return err
	}
	keys, err := readKeys(ctx, raw)
	if err != nil {
		return err
	}
	r.keys.Store(keys)
	return nil
}

func (r *Remote) fetchRevoked(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	ids, err := r.source.RevokedSessions(ctx)
	if err != nil {
		return err
	}
	set := make(map[uuid.UUID]struct{}, len(ids))
	for _, id := range ids {
		set[id] = struct{}{}
	}
	r.revoked.Store(&set)
	return nil
}

// Run keeps keys and revoked sessions fresh until ctx ends; it returns nil then.
// A failure is tried again after a second, and logged when it begins.
func (r *Remote) Run(ctx context.Context) error {
	var nextKeys time.Time
	failing := false
	for ctx.Err() == nil {
		err := r.fetchRevoked(ctx)
		if now := time.Now(); !now.Before(nextKeys) {
			keysErr := r.fetchKeys(ctx)
			if keysErr == nil {
				nextKeys = now.Add(keysEvery)
			}
			err = errors.Join(err, keysErr)
		}
		wait := r.poll
		if err != nil {
			wait = min(r.poll, failureRetry)
			if !failing && ctx.Err() == nil {
				r.log.Warn("keys and revoked sessions not fetched; the last ones stay in force", "error", err)
			}
		}
		failing = err != nil
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
	return nil
}
