package cache_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/cart/internal/cache"
	"github.com/caravan-shop/caravan/services/cart/internal/cart"
	"github.com/caravan-shop/caravan/services/cart/internal/carttest"
)

// rig is a cache behind a wire that can be cut, and a direct way to Redis.
type rig struct {
	cache *cache.Cache
	redis *redis.Client
	wire  *wire
}

func open(t *testing.T) rig {
	t.Helper()
	o, err := cache.Options(carttest.RedisURL(t, 10))
	if err != nil {
		t.Fatal(err)
	}
	direct := redis.NewClient(o)
	t.Cleanup(func() { _ = direct.Close() })
	w := &wire{to: o.Addr}
	cut := *o
	cut.Dialer = w.dial
	c := redis.NewClient(&cut)
	t.Cleanup(func() { _ = c.Close() })
	return rig{cache.New(c, uuid.New, time.Now, slog.New(slog.DiscardHandler)), direct, w}
}

// wire dials a server, or fails and hangs up while it is cut.
type wire struct {
	to   string
	mu   sync.Mutex
	cut  bool
	open []net.Conn
}

func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, io.ErrUnexpectedEOF
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", w.to)
	if err == nil {
		w.open = append(w.open, c)
	}
	return c, err
}

func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for _, c := range w.open {
			_ = c.Close()
		}
		w.open = nil
	}
}

func doc(user uuid.UUID, version int64) cart.Cart {
	return cart.Cart{UserID: &user, Version: version, Items: []cart.Item{}, Currency: "GBP", ExpiresAt: time.Now().Add(2 * time.Hour)}
}

func (r rig) wants(t *testing.T, user uuid.UUID, version int64) (ticket string) {
	t.Helper()
	c, ticket, ok := r.cache.Get(t.Context(), user)
	if ok != (version > 0) || c.Version != version {
		t.Fatalf("got version %d (found %v), want %d", c.Version, ok, version)
	}
	return ticket
}

func TestCopyFollowsWrites(t *testing.T) {
	r := open(t)
	ctx, user := t.Context(), uuid.New()
	ticket := r.wants(t, user, 0)
	r.cache.Fill(ctx, user, ticket, doc(user, 1))
	r.wants(t, user, 1)
	if ttl := r.redis.PTTL(ctx, "cart:"+user.String()).Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("copy lives %v, want an hour at most", ttl)
	}
	mark := r.cache.Block(ctx, user)
	r.wants(t, user, 0)
	r.cache.Settle(ctx, user, mark, doc(user, 2))
	r.wants(t, user, 2)
}

func TestReaderBehindAWriterFillsNothing(t *testing.T) {
	r := open(t)
	ctx, user := t.Context(), uuid.New()
	ticket := r.wants(t, user, 0) // the reader reads version 1 from the store …
	mark := r.cache.Block(ctx, user)
	r.cache.Fill(ctx, user, ticket, doc(user, 1)) // … and is late
	r.wants(t, user, 0)
	r.cache.Settle(ctx, user, mark, doc(user, 2))
	r.cache.Fill(ctx, user, ticket, doc(user, 1))
	r.wants(t, user, 2)
}

func TestCrashedWriterLeavesNoCopy(t *testing.T) {
	r := open(t)
	ctx, user := t.Context(), uuid.New()
	r.cache.Settle(ctx, user, r.cache.Block(ctx, user), doc(user, 1))
	r.cache.Block(ctx, user) // dies between its write and Settle
	for range 2 {
		if ticket := r.wants(t, user, 0); ticket != "" {
			t.Error("a reader may fill behind a writer's mark")
		}
	}
}

func TestDroppedCopy(t *testing.T) {
	r := open(t)
	ctx, user := t.Context(), uuid.New()
	mark := r.cache.Block(ctx, user)
	r.cache.Drop(ctx, user)
	if ticket := r.wants(t, user, 0); ticket != "" {
		t.Error("the mark of a writer went with the copy")
	}
	r.cache.Settle(ctx, user, mark, doc(user, 1))
	r.wants(t, user, 1)
	r.cache.Drop(ctx, user)
	if ticket := r.wants(t, user, 0); ticket == "" {
		t.Error("nobody may fill what was dropped")
	}
}

func TestTwoWriters(t *testing.T) {
	r := open(t)
	ctx, user := t.Context(), uuid.New()
	first := r.cache.Block(ctx, user)
	second := r.cache.Block(ctx, user)
	r.cache.Settle(ctx, user, first, doc(user, 1))
	r.wants(t, user, 0) // the second's write may land any moment
	r.cache.Settle(ctx, user, second, doc(user, 2))
	r.wants(t, user, 2)
}

func TestWriteWhileRedisIsAway(t *testing.T) {
	r := open(t)
	ctx, user := t.Context(), uuid.New()
	r.wants(t, user, 0) // the cache has met Redis
	r.cache.Settle(ctx, user, r.cache.Block(ctx, user), doc(user, 1))
	r.wants(t, user, 1)
	r.wire.set(true)
	mark := r.cache.Block(ctx, user)
	r.cache.Settle(ctx, user, mark, doc(user, 2))
	r.wants(t, user, 0)
	r.wire.set(false)
	time.Sleep(1100 * time.Millisecond) // the rest after a failure
	if ticket := r.wants(t, user, 0); ticket == "" {
		t.Error("the copy of before is gone, but can't be filled")
	}
}

func TestRedisStartedAgain(t *testing.T) {
	r := open(t)
	ctx, user := t.Context(), uuid.New()
	r.wants(t, user, 0)
	r.cache.Settle(ctx, user, r.cache.Block(ctx, user), doc(user, 1))
	r.wants(t, user, 1)
	before, err := r.cache.Epoch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// A server under another run id may have lost its last second.
	if err := r.redis.HSet(ctx, "cart-epoch", "run", "0").Err(); err != nil {
		t.Fatal(err)
	}
	r.wire.set(true)
	r.wire.set(false)
	for range 40 {
		if after, err := r.cache.Epoch(ctx); err == nil && after > before {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(1100 * time.Millisecond)
	r.wants(t, user, 0)
}

func TestErasedUserLeavesNoCopy(t *testing.T) {
	r := open(t)
	ctx, user := t.Context(), uuid.New()
	erased := doc(user, 3)
	now := time.Now()
	erased.ErasedAt = &now
	r.cache.Settle(ctx, user, r.cache.Block(ctx, user), erased)
	time.Sleep(20 * time.Millisecond)
	if n := r.redis.Exists(ctx, "cart:"+user.String()).Val(); n != 0 {
		t.Error("a copy of an erased cart stays")
	}
}
