// Package claims keeps in Redis who works on a mail and which mails are done
// with. A key is first a lease that ends by itself, then a mark without an
// end: the topics are kept for ever, so the marks are too. Redis must
// therefore persist and must not evict (maxmemory-policy noeviction).
package claims

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

// leasePrefix tells a lease from a mark.
const leasePrefix = "lease:"

// release deletes a lease if it is still the caller's: one that ended may
// belong to somebody else by now, or have become a mark.
const release = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`

// Store implements notification.Claims.
type Store struct {
	redis redis.Cmdable
	lease time.Duration
	newID func() uuid.UUID
}

// New makes a store. lease must outlast the longest delivery: a shorter one
// lets a second worker send the mail that the first is still sending.
func New(client redis.Cmdable, lease time.Duration, newID func() uuid.UUID) *Store {
	return &Store{redis: client, lease: lease, newID: newID}
}

// Take implements notification.Claims in one command, so that of any number of
// workers one gets the lease.
func (s *Store) Take(ctx context.Context, key string) (lease string, held, settled bool, err error) {
	mine := leasePrefix + s.newID().String()
	was, err := s.redis.SetArgs(ctx, key, mine, redis.SetArgs{Mode: "NX", Get: true, TTL: s.lease}).Result()
	switch {
	case errors.Is(err, redis.Nil): // there was nothing: it is ours
		return mine, false, false, nil
	case err != nil:
		return "", false, false, err
	case was == mine: // the client repeated the command after a lost reply
		return mine, false, false, nil
	case strings.HasPrefix(was, leasePrefix):
		return "", true, false, nil
	default:
		return "", false, true, nil
	}
}

// Settle implements notification.Claims. It writes over a lease of whoever
// holds it: what is done is done.
func (s *Store) Settle(ctx context.Context, key string, o notification.Outcome) error {
	return s.redis.Set(ctx, key, string(o), 0).Err()
}

// Release implements notification.Claims.
func (s *Store) Release(ctx context.Context, key, lease string) error {
	return s.redis.Eval(ctx, release, []string{key}, lease).Err()
}
