package claims_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/notification/internal/claims"
	"github.com/caravan-shop/caravan/services/notification/internal/claimstest"
	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

func TestTakeIsGivenToOne(t *testing.T) {
	client := claimstest.Open(t)
	store := claims.New(client, time.Minute, uuid.New)
	key := "mail:" + claimstest.EventID(t, client) + ":welcome"
	var given atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			lease, held, settled, err := store.Take(t.Context(), key)
			if err != nil || settled {
				t.Errorf("take: settled %v, error %v", settled, err)
			}
			if lease != "" {
				given.Add(1)
			}
			if (lease == "") != held {
				t.Errorf("take: lease %q and held %v", lease, held)
			}
		})
	}
	wg.Wait()
	if got := given.Load(); got != 1 {
		t.Errorf("the claim was given %d times, want once", got)
	}
}

func TestLeaseEndsByItself(t *testing.T) {
	client := claimstest.Open(t)
	store := claims.New(client, 50*time.Millisecond, uuid.New)
	key := "mail:" + claimstest.EventID(t, client) + ":welcome"
	if lease, _, _, err := store.Take(t.Context(), key); err != nil || lease == "" {
		t.Fatalf("first take: lease %q, error %v", lease, err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		lease, _, _, err := store.Take(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if lease != "" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the lease of a worker that died did not end")
}

func TestSettleIsForEver(t *testing.T) {
	client := claimstest.Open(t)
	store := claims.New(client, 50*time.Millisecond, uuid.New)
	key := "mail:" + claimstest.EventID(t, client) + ":receipt"
	lease, _, _, err := store.Take(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Settle(t.Context(), key, notification.Sent); err != nil {
		t.Fatal(err)
	}
	if err := store.Release(t.Context(), key, lease); err != nil {
		t.Fatal(err)
	}
	if _, _, settled, err := store.Take(t.Context(), key); err != nil || !settled {
		t.Errorf("take of a settled mail: settled %v, error %v", settled, err)
	}
	if ttl := client.TTL(t.Context(), key).Val(); ttl != -1 {
		t.Errorf("the mark ends after %v, want never", ttl)
	}
}

func TestReleaseLeavesAnothersLease(t *testing.T) {
	client := claimstest.Open(t)
	store := claims.New(client, time.Minute, uuid.New)
	key := "mail:" + claimstest.EventID(t, client) + ":refund"
	if _, _, _, err := store.Take(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := store.Release(t.Context(), key, "lease:somebody-else"); err != nil {
		t.Fatal(err)
	}
	if _, held, _, err := store.Take(t.Context(), key); err != nil || !held {
		t.Errorf("after a stranger's release: held %v, error %v", held, err)
	}
}
