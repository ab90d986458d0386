// Package sessioncache keeps session:{session_id} in Redis, the copy of a
// session's row that is read first. It holds nothing personal, and all works
// without it.
package sessioncache

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/user/internal/outage"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// Cache implements user.Copies and access.Copies. Safe for concurrent use.
type Cache struct {
	rdb   redis.UniversalClient
	guard *outage.Guard
	now   func() time.Time
}

// New makes a cache.
func New(rdb redis.UniversalClient, guard *outage.Guard, now func() time.Time) *Cache {
	return &Cache{rdb: rdb, guard: guard, now: now}
}

const (
	prefix    = "session:"
	endPrefix = "session-ended:"
	// A read of the row that raced with its revocation can't be written for so long.
	endKept = time.Minute
)

// put stores a copy unless the session has just ended.
const put = `
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

// Put implements user.Copies.
func (c *Cache) Put(ctx context.Context, id uuid.UUID, copied user.Copy) {
	ttl := copied.ExpiresAt.Sub(c.now())
	value, err := json.Marshal(copied)
	if err != nil || ttl < time.Millisecond {
		return
	}
	_ = c.guard.Do(ctx, func(ctx context.Context) error {
		return c.rdb.Eval(ctx, put, []string{prefix + id.String(), endPrefix + id.String()}, value, ttl.Milliseconds()).Err()
	})
}

// Get gives the copy of a session; false if there is none, or Redis is away.
func (c *Cache) Get(ctx context.Context, id uuid.UUID) (user.Copy, bool) {
	var raw []byte
	err := c.guard.Do(ctx, func(ctx context.Context) error {
		var err error
		raw, err = c.rdb.Get(ctx, prefix+id.String()).Bytes()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	var copied user.Copy
	if err != nil || raw == nil || json.Unmarshal(raw, &copied) != nil {
		return user.Copy{}, false
	}
	return copied, true
}

const dropTimeout = 300 * time.Millisecond

// Drop removes the copies of sessions that have ended. It does not outlast a
// short while; a copy that stays is not trusted for long.
func (c *Cache) Drop(ctx context.Context, ids []uuid.UUID) {
	ctx, cancel := context.WithTimeout(ctx, dropTimeout)
	defer cancel()
	_ = c.guard.Do(ctx, func(ctx context.Context) error {
		_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, id := range ids {
				p.Set(ctx, endPrefix+id.String(), 1, endKept)
				p.Del(ctx, prefix+id.String())
			}
			return nil
		})
		return err
	})
}
