package sessioncache

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/user/internal/outage"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

func TestCache(t *testing.T) {
	address := os.Getenv("CARAVAN_TEST_REDIS")
	if address == "" {
		t.Fatal("CARAVAN_TEST_REDIS is not set: run the tests by `make test`")
	}
	opt, err := redis.ParseURL(address)
	if err != nil {
		t.Fatalf("redis url: %v", err)
	}
	rdb := redis.NewClient(opt)
	t.Cleanup(func() { _ = rdb.Close() })
	c := New(rdb, outage.New("redis", time.Now, slog.New(slog.DiscardHandler)), time.Now)
	id := uuid.New()
	want := user.Copy{UserID: uuid.New(), ExpiresAt: time.Now().Add(time.Minute).UTC(), CheckedAt: time.Now().UTC()}
	if _, ok := c.Get(t.Context(), id); ok {
		t.Error("found what was not put")
	}
	c.Put(t.Context(), id, want)
	got, ok := c.Get(t.Context(), id)
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("copy (-want +got):\n%s", diff)
	}
	if ttl := rdb.PTTL(t.Context(), "session:"+id.String()).Val(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("time to live: got %v, want up to the session's end", ttl)
	}
	c.Drop(t.Context(), []uuid.UUID{id})
	// A reader that saw the row alive writes late.
	c.Put(t.Context(), id, want)
	if _, ok := c.Get(t.Context(), id); ok {
		t.Error("an ended session came back")
	}
}
