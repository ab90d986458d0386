// Package cache keeps copies of products in Redis under product:{product_id}.
// A copy carries the revision it was made from, so that a slow reader never
// puts an older copy over a newer one. Without Redis every read goes to the
// database, at once.
package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"github.com/caravan-shop/caravan/services/product/internal/breaker"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

const (
	keep       = 10 * time.Minute
	keepFence  = time.Minute     // longer than any read that could be under way
	keepAbsent = 3 * time.Second // an unknown id is asked for again soon
	redisTime  = 150 * time.Millisecond
	loadTime   = 5 * time.Second
	// joinTime is how old a load may be that a reader joins: a load that stalls
	// must not hand out what was true before a change to those who come after it.
	joinTime = time.Second
	format   = "1" // of the copy: another one is a miss
)

// A value is "<revision>|<format>|<copy>"; a fence has no copy and stops older
// ones; an absent product is revision 0.
const absent = "0|" + format + "|-"

// putScript keeps the newest: it writes unless what is there is newer.
const putScript = `
local there = redis.call('GET', KEYS[1])
if there and tonumber(string.match(there, '^%d+')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

// fenceScript removes what is older and leaves a mark against older copies.
const fenceScript = `
local there = redis.call('GET', KEYS[1])
if there and tonumber(string.match(there, '^%d+')) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

// Products reads by id, from Redis first.
type Products struct {
	rdb        *redis.Client
	next       product.Reader
	guard      *breaker.Breaker
	flight     singleflight.Group
	put, fence *redis.Script
}

// Open makes a client whose calls end quickly, whatever the state of the server.
func Open(url string) (*redis.Client, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("REDIS_URL is not a redis URL") // the parser's error may show the password
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = redisTime, redisTime, redisTime, redisTime
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true
	return redis.NewClient(o), nil
}

// New puts the cache before a reader.
func New(rdb *redis.Client, next product.Reader, now func() time.Time) *Products {
	return &Products{rdb: rdb, next: next, guard: breaker.New(3, 2*time.Second, now),
		put: redis.NewScript(putScript), fence: redis.NewScript(fenceScript)}
}

func key(id uuid.UUID) string { return "product:" + id.String() }

// Product implements product.Reader. Many that ask at once cause one load.
func (c *Products) Product(ctx context.Context, id uuid.UUID) (product.Product, error) {
	value := c.get(ctx, id)
	if value == absent {
		return product.Product{}, product.ErrNotFound
	}
	if p, known := read(value); known {
		return p, nil
	}
	v, err, _ := c.flight.Do(id.String(), func() (any, error) {
		leave := time.AfterFunc(joinTime, func() { c.flight.Forget(id.String()) })
		defer leave.Stop()
		// The load serves all who wait: it must not end with the one who began it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
		defer cancel()
		p, err := c.next.Product(ctx, id)
		c.remember(ctx, id, p, err)
		return p, err
	})
	if err != nil {
		return product.Product{}, err
	}
	return v.(product.Product), nil
}

// get gives the value kept in Redis, "" without one.
func (c *Products) get(ctx context.Context, id uuid.UUID) (value string) {
	_ = c.guarded(func() (err error) {
		value, err = c.rdb.Get(ctx, key(id)).Result()
		return err
	})
	return value
}

// read gives the copy in a value; false for a fence, another format, or none.
func read(value string) (product.Product, bool) {
	var p product.Product
	_, rest, _ := strings.Cut(value, "|")
	copied, fits := strings.CutPrefix(rest, format+"|")
	known := fits && copied != "" && json.Unmarshal([]byte(copied), &p) == nil
	return p, known
}

func (c *Products) remember(ctx context.Context, id uuid.UUID, p product.Product, err error) {
	if errors.Is(err, product.ErrNotFound) {
		_ = c.guarded(func() error { return c.rdb.SetNX(ctx, key(id), absent, keepAbsent).Err() })
		return
	}
	if err != nil {
		return
	}
	copied, err := json.Marshal(p)
	if err != nil {
		return // then it is read from the database each time
	}
	value := strconv.FormatInt(p.Revision, 10) + "|" + format + "|" + string(copied)
	_ = c.guarded(func() error {
		return c.put.Run(ctx, c.rdb, []string{key(id)}, p.Revision, value, keep.Milliseconds()).Err()
	})
}

// Fence drops copies older than the revisions given and keeps older ones out.
// An error means that Redis may still hold an old copy: try again.
func (c *Products) Fence(ctx context.Context, revisions map[uuid.UUID]int64) error {
	err := c.guarded(func() error {
		pipe := c.rdb.Pipeline()
		for id, revision := range revisions {
			value := strconv.FormatInt(revision, 10) + "|" + format + "|"
			c.fence.Eval(ctx, pipe, []string{key(id)}, revision, value, keepFence.Milliseconds())
		}
		_, err := pipe.Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("fence product cache: %w", err)
	}
	return nil
}

func (c *Products) guarded(fn func() error) error {
	return c.guard.Do(fn, func(err error) bool { return !errors.Is(err, redis.Nil) && !errors.Is(err, context.Canceled) })
}
