package throttle

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/caravan-shop/caravan/services/user/internal/outage"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

func open(t *testing.T, address string) (*Limiter, *redis.Client) {
	t.Helper()
	opt, err := redis.ParseURL(address)
	if err != nil {
		t.Fatalf("redis url: %v", err)
	}
	opt.DialerRetries, opt.MaxRetries = 1, -1
	rdb := redis.NewClient(opt)
	t.Cleanup(func() { _ = rdb.Close() })
	return New(rdb, outage.New("redis", time.Now, slog.New(slog.DiscardHandler)), []byte("secret"), time.Now), rdb
}

func server(t *testing.T) string {
	t.Helper()
	address := os.Getenv("CARAVAN_TEST_REDIS")
	if address == "" {
		t.Fatal("CARAVAN_TEST_REDIS is not set: run the tests by `make test`")
	}
	return address
}

func TestLimiter(t *testing.T) {
	for name, address := range map[string]string{"redis": server(t), "redis down": "redis://127.0.0.1:1/0"} {
		t.Run(name, func(t *testing.T) {
			l, _ := open(t, address)
			q, subject := user.Quota{Name: "test", Burst: 3, Per: time.Minute}, uuid.NewString()
			for i := range 3 {
				if wait := l.Wait(t.Context(), q, subject); wait != 0 {
					t.Fatalf("try %d: got a wait of %v, want none", i, wait)
				}
				l.Spend(t.Context(), q, subject)
			}
			if wait := l.Wait(t.Context(), q, subject); wait <= 0 || wait > 21*time.Second {
				t.Errorf("spent: got a wait of %v, want about 20s", wait)
			}
			if wait := l.Wait(t.Context(), q, "another"+subject); wait != 0 {
				t.Errorf("another subject: got a wait of %v, want none", wait)
			}
			l.Forget(t.Context(), q, subject)
			if wait := l.Wait(t.Context(), q, subject); wait != 0 {
				t.Errorf("forgotten: got a wait of %v, want none", wait)
			}
		})
	}
}

func TestSubjectsAreNotKeptInClear(t *testing.T) {
	l, rdb := open(t, server(t))
	q, subject := user.Quota{Name: "test-" + uuid.NewString(), Burst: 3, Per: time.Minute}, "ada@example.com"
	l.Spend(t.Context(), q, subject)
	keys, err := rdb.Keys(t.Context(), "*"+q.Name+"*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys: got %v %v, want one", keys, err)
	}
	if strings.Contains(keys[0], "ada") {
		t.Errorf("key: got %q", keys[0])
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l, _ := open(t, "redis://127.0.0.1:1/0")
	q := user.Quota{Name: "test", Burst: 1, Per: time.Hour}
	full := rate.NewLimiter(1, 1)
	for range maxMemory + 100 {
		l.memory[uuid.NewString()] = full
	}
	l.Spend(t.Context(), q, "x")
	// Every counter but the new one was full again.
	if len(l.memory) != 1 {
		t.Errorf("memory: got %d counters, want 1", len(l.memory))
	}
}
