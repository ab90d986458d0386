package cache_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Readers, slow loads and updates race for a while. Whoever begins to read two
// seconds after a commit must not see what was there before it.
func TestRacingReadersAreNeverStaleForLong(t *testing.T) {
	c, db := open(t, redisURL(t))
	p := mug(1)
	db.put(p)
	db.delay = func() time.Duration { return time.Duration(rand.IntN(30)) * time.Millisecond }
	var commits sync.Map // revision -> time of its commit
	var newest atomic.Int64
	newest.Store(1)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var worst atomic.Int64
	for range 16 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				begun := time.Now()
				got, err := c.Product(context.Background(), p.ID)
				if err != nil {
					t.Error(err)
					return
				}
				if at, replaced := commits.Load(got.Revision + 1); replaced {
					if stale := begun.Sub(at.(time.Time)); stale > time.Duration(worst.Load()) {
						worst.Store(int64(stale))
					}
				}
			}
		})
	}
	for revision := int64(2); revision < 80; revision++ {
		changed := p
		changed.Revision = revision
		db.put(changed)
		commits.Store(revision, time.Now())
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond) // the fence comes a little later
		if err := c.Fence(context.Background(), map[uuid.UUID]int64{p.ID: revision}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	t.Logf("the oldest copy was %v behind", time.Duration(worst.Load()))
	if time.Duration(worst.Load()) > 2*time.Second {
		t.Errorf("a reader saw a copy %v after it was replaced, want at most 2s", time.Duration(worst.Load()))
	}
}

// A load that stalls is not joined by readers who come much later.
func TestAStalledLoadIsLeftBehind(t *testing.T) {
	c, db := open(t, redisURL(t))
	p := mug(1)
	db.put(p)
	db.gate = make(chan struct{})
	go func() { _, _ = c.Product(context.Background(), p.ID) }()
	time.Sleep(50 * time.Millisecond)
	changed := p
	changed.Revision = 2
	db.put(changed)
	if err := c.Fence(context.Background(), map[uuid.UUID]int64{p.ID: 2}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	late := make(chan int64, 1)
	go func() {
		got, _ := c.Product(context.Background(), p.ID)
		late <- got.Revision
	}()
	time.Sleep(50 * time.Millisecond)
	close(db.gate)
	if got := <-late; got != 2 {
		t.Errorf("a reader joined a stalled load and saw revision %d, want 2", got)
	}
}
