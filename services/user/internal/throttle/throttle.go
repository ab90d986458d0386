// Package throttle counts failures in Redis by the generic cell rate algorithm,
// and in this replica's memory while Redis is away: the bounds then hold for
// each replica alone. Subjects are keyed by a digest, since they are e-mail and
// network addresses.
package throttle

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/caravan-shop/caravan/services/user/internal/outage"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// Limiter implements user.Limiter. Safe for concurrent use.
type Limiter struct {
	redis  *redis_rate.Limiter
	guard  *outage.Guard
	secret []byte
	now    func() time.Time

	mu     sync.Mutex
	memory map[string]*rate.Limiter
}

// New makes a limiter; secret keys the digests of subjects.
func New(rdb redis.UniversalClient, guard *outage.Guard, secret []byte, now func() time.Time) *Limiter {
	return &Limiter{redis: redis_rate.NewLimiter(rdb), guard: guard, secret: secret, now: now, memory: map[string]*rate.Limiter{}}
}

// Wait implements user.Limiter.
func (l *Limiter) Wait(ctx context.Context, q user.Quota, subject string) time.Duration {
	key := l.key(q, subject)
	if r, err := l.ask(ctx, q, key, 0); err == nil {
		if r.Remaining >= 1 {
			return 0
		}
		// The next one is free when the burst has room for one.
		return max(r.ResetAfter-interval(q)*time.Duration(q.Burst-1), time.Second)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m, found := l.memory[key]
	if !found {
		return 0
	}
	if missing := 1 - m.TokensAt(l.now()); missing > 0 {
		return max(time.Duration(missing*float64(interval(q))), time.Second)
	}
	return 0
}

// Spend implements user.Limiter. What Redis can't note, memory does.
func (l *Limiter) Spend(ctx context.Context, q user.Quota, subject string) {
	key := l.key(q, subject)
	if _, err := l.ask(ctx, q, key, 1); err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m, found := l.memory[key]
	if !found {
		l.makeRoom()
		m = rate.NewLimiter(rate.Every(interval(q)), q.Burst)
		l.memory[key] = m
	}
	m.AllowN(l.now(), 1)
}

// Forget implements user.Limiter.
func (l *Limiter) Forget(ctx context.Context, q user.Quota, subject string) {
	key := l.key(q, subject)
	_ = l.guard.Do(ctx, func(ctx context.Context) error { return l.redis.Reset(ctx, key) })
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.memory, key)
}

func (l *Limiter) ask(ctx context.Context, q user.Quota, key string, n int) (*redis_rate.Result, error) {
	var r *redis_rate.Result
	err := l.guard.Do(ctx, func(ctx context.Context) error {
		var err error
		r, err = l.redis.AllowN(ctx, key, redis_rate.Limit{Rate: q.Burst, Burst: q.Burst, Period: q.Per}, n)
		return err
	})
	return r, err
}

const maxMemory = 100_000

// makeRoom bounds the memory of an outage: first the counters that are full
// again go, then any.
func (l *Limiter) makeRoom() {
	if len(l.memory) < maxMemory {
		return
	}
	at := l.now()
	for key, m := range l.memory {
		if m.TokensAt(at) >= float64(m.Burst()) {
			delete(l.memory, key)
		}
	}
	for key := range l.memory {
		if len(l.memory) < maxMemory {
			return
		}
		delete(l.memory, key)
	}
}

func interval(q user.Quota) time.Duration { return q.Per / time.Duration(q.Burst) }

func (l *Limiter) key(q user.Quota, subject string) string {
	mac := hmac.New(sha256.New, l.secret)
	mac.Write([]byte(q.Name))
	mac.Write([]byte{0})
	mac.Write([]byte(subject))
	return "user:" + q.Name + ":" + hex.EncodeToString(mac.Sum(nil)[:16])
}
