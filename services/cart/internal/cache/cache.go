// Package cache keeps copies of signed-in users' carts in Redis under
// cart:{user_id}, for an hour. A copy is never older than the store's document,
// whatever crashes between, and Redis may be away at any time.
//
// How a copy is kept from going stale:
//
//   - Before a write the copy is replaced by the writer's mark; after it, by the
//     new cart, if the mark is still the writer's own. A writer that dies in
//     between leaves its mark: nobody fills the copy until the mark runs out,
//     long after the write can still land.
//   - A reader that finds nothing leaves a ticket, reads the store, and fills
//     the copy only while its ticket is still there: a write that came between
//     has taken it away.
//   - Copies carry an epoch. It moves on when Redis is seen with another run id
//     (it came back and may have lost its last second), when a process starts,
//     and after a mark could not be placed. A copy of an older epoch is a miss.
package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
)

const (
	epochKey = "cart-epoch"
	// life of a copy, of a reader's ticket, and of a writer's mark. A request
	// lasts seconds; a write that a frozen sidecar still holds may last longer.
	copyLife   = time.Hour
	ticketLife = 20 * time.Second
	markLife   = 10 * time.Minute
	// rest is how long Redis is left alone after it failed.
	rest = time.Second
)

// Cache implements cart.Cache. Safe for concurrent use.
type Cache struct {
	redis *redis.Client
	newID func() uuid.UUID
	now   func() time.Time
	log   *slog.Logger
	get   *redis.Script
	fill  *redis.Script
	put   *redis.Script
	drop  *redis.Script
	// missed counts the marks that could not be placed, so that a copy may be
	// stale; healed is its value when the epoch last moved on. While they
	// differ no copy is read.
	missed, healed atomic.Int64
	restUntil      atomic.Int64
}

// Options are what go-redis needs: short waits, no retries of its own, and a
// look at Redis's run id on each new connection.
func Options(url string) (*redis.Options, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("redis url can't be read") // it may hold a password
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = 500*time.Millisecond, 500*time.Millisecond, 500*time.Millisecond
	o.PoolTimeout, o.MaxRetries, o.DialerRetries = 500*time.Millisecond, -1, 1
	meet := redis.NewScript(meetScript)
	o.OnConnect = func(ctx context.Context, cn *redis.Conn) error {
		return meet.Run(ctx, cn, []string{epochKey}).Err()
	}
	return o, nil
}

// New makes a cache. Until Redis was reached once, it has no copies.
func New(client *redis.Client, newID func() uuid.UUID, now func() time.Time, log *slog.Logger) *Cache {
	c := &Cache{
		redis: client, newID: newID, now: now, log: log,
		get: redis.NewScript(getScript), fill: redis.NewScript(fillScript), put: redis.NewScript(settleScript),
		drop: redis.NewScript(dropScript),
	}
	c.missed.Store(1) // what the process before this one left is not known
	return c
}

// copied is the copy as it lies in Redis. The scripts read the epoch from its
// first bytes: it must stay the first member.
type copied struct {
	Epoch int64     `json:"epoch"`
	Cart  cart.Cart `json:"cart"`
}

// held is a ticket or a mark. The scripts know a mark by its first bytes.
type held struct {
	Ticket string `json:"ticket,omitempty"`
	Write  string `json:"write,omitempty"`
}

func key(user uuid.UUID) string { return "cart:" + user.String() }

// Get implements cart.Cache.
func (c *Cache) Get(ctx context.Context, user uuid.UUID) (cart.Cart, string, bool) {
	if !c.usable(ctx) {
		return cart.Cart{}, "", false
	}
	ticket := encode(held{Ticket: c.newID().String()})
	raw, err := c.get.Run(ctx, c.redis, []string{key(user), epochKey}, ticket, ticketLife.Milliseconds()).Text()
	if err != nil {
		c.failed(ctx, err)
		return cart.Cart{}, "", false
	}
	switch raw {
	case "":
		return cart.Cart{}, "", false
	case ticket:
		return cart.Cart{}, ticket, false
	}
	var found copied
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		c.log.WarnContext(ctx, "cached cart can't be read", "error", err)
		return cart.Cart{}, "", false
	}
	return found.Cart, "", true
}

// Fill implements cart.Cache.
func (c *Cache) Fill(ctx context.Context, user uuid.UUID, ticket string, doc cart.Cart) {
	if !c.usable(ctx) {
		return
	}
	c.run(ctx, c.fill, user, ticket, doc)
}

// Block implements cart.Cache.
func (c *Cache) Block(ctx context.Context, user uuid.UUID) string {
	mark := encode(held{Write: c.newID().String()})
	if c.resting() {
		c.missed.Add(1)
		return mark
	}
	if err := c.redis.Set(ctx, key(user), mark, markLife).Err(); err != nil {
		c.missed.Add(1)
		c.failed(ctx, err)
	}
	return mark
}

// Settle implements cart.Cache.
func (c *Cache) Settle(ctx context.Context, user uuid.UUID, mark string, doc cart.Cart) {
	if c.resting() {
		return // the mark, or the count of missed ones, stands
	}
	c.run(ctx, c.put, user, mark, doc)
}

// Drop implements cart.Cache. A writer's mark stays where it is.
func (c *Cache) Drop(ctx context.Context, user uuid.UUID) {
	if c.resting() {
		c.missed.Add(1)
		return
	}
	if err := c.drop.Run(ctx, c.redis, []string{key(user)}).Err(); err != nil {
		c.missed.Add(1)
		c.failed(ctx, err)
	}
}

// run stores a copy by one of the scripts, which hold it to ticket or mark.
func (c *Cache) run(ctx context.Context, script *redis.Script, user uuid.UUID, proof string, doc cart.Cart) {
	life := min(copyLife, doc.ExpiresAt.Sub(c.now()))
	if doc.ErasedAt != nil {
		life = time.Millisecond // nothing of an erased user stays here
	}
	body, err := json.Marshal(doc)
	if err != nil || life <= 0 {
		return // the ticket or mark runs out
	}
	err = script.Run(ctx, c.redis, []string{key(user), epochKey}, proof, `,"cart":`+string(body)+"}", life.Milliseconds()).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		c.failed(ctx, err)
	}
}

// usable makes sure that no copy of before a failure is read.
func (c *Cache) usable(ctx context.Context) bool {
	if c.resting() {
		return false
	}
	missed := c.missed.Load()
	if missed == c.healed.Load() {
		return true
	}
	if err := c.redis.HIncrBy(ctx, epochKey, "n", 1).Err(); err != nil {
		c.failed(ctx, err)
		return false
	}
	c.healed.Store(missed)
	return missed == c.missed.Load()
}

func (c *Cache) resting() bool { return c.now().UnixNano() < c.restUntil.Load() }

func (c *Cache) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	c.restUntil.Store(c.now().Add(rest).UnixNano())
	c.log.WarnContext(ctx, "cart cache is not used for a moment", "error", err)
}

// Epoch is for tests: the present epoch.
func (c *Cache) Epoch(ctx context.Context) (int64, error) {
	n, err := c.redis.HGet(ctx, epochKey, "n").Result()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read epoch: %w", err)
	}
	return strconv.ParseInt(n, 10, 64)
}

// Quiet hands what go-redis would print to the service's log, at debug level:
// the cache reports its own failures.
type Quiet struct{ Log *slog.Logger }

// Printf implements go-redis's logger.
func (q Quiet) Printf(ctx context.Context, format string, v ...any) {
	q.Log.DebugContext(ctx, "redis client", "detail", fmt.Sprintf(format, v...))
}

func encode(h held) string {
	b, err := json.Marshal(h)
	if err != nil {
		panic(err) // two strings
	}
	return string(b)
}
