package accounts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/notification/internal/accounts"
)

// crowd answers for everybody, after a while, and counts the questions.
type crowd struct {
	takes time.Duration
	err   error

	mu    sync.Mutex
	sizes []int
}

func (c *crowd) Invoke(ctx context.Context, _, _ string, in, out any) error {
	ids := in.(map[string]any)["user_ids"].([]uuid.UUID)
	c.mu.Lock()
	c.sizes = append(c.sizes, len(ids))
	c.mu.Unlock()
	select {
	case <-time.After(c.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.err != nil {
		return c.err
	}
	var list []map[string]any
	for _, id := range ids {
		list = append(list, map[string]any{"user_id": id, "erased": false, "email": id.String() + "@example.com"})
	}
	raw, err := json.Marshal(map[string]any{"contacts": list})
	return errors.Join(err, json.Unmarshal(raw, out))
}

func person(n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("0195942a-3c48-7000-8000-%012d", n))
}

func TestThoseWhoAskTogetherShareAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{takes: 5 * time.Millisecond}
		client := accounts.New(c, time.Second)
		var wg sync.WaitGroup
		for i := range 250 {
			id := person(i % 240) // some ask twice
			wg.Go(func() {
				got, found, err := client.Contact(t.Context(), id)
				if err != nil || !found || got.Email != id.String()+"@example.com" {
					t.Errorf("%s: got %v, found %v, error %v", id, got, found, err)
				}
			})
		}
		wg.Wait()
		if len(c.sizes) > 4 {
			t.Errorf("got %d questions %v for 240 people, want 3 or 4", len(c.sizes), c.sizes)
		}
		for _, size := range c.sizes {
			if size > 100 {
				t.Errorf("a question for %d people: User takes 100", size)
			}
		}
		// Who comes later is answered anew: nothing is kept.
		before := len(c.sizes)
		if _, _, err := client.Contact(t.Context(), person(1)); err != nil || len(c.sizes) != before+1 {
			t.Errorf("error %v, %d more questions, want 1", err, len(c.sizes)-before)
		}
	})
}

func TestALeaderThatIsCalledOffLeavesNobodyWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := accounts.New(&crowd{takes: 50 * time.Millisecond}, time.Second)
		off, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _, _ = client.Contact(off, person(1)) })
		synctest.Wait() // it leads
		wg.Go(func() {
			if _, found, err := client.Contact(t.Context(), person(2)); err != nil || !found {
				t.Errorf("found %v, error %v", found, err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

func TestAQuestionThatHangsEndsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := accounts.New(&crowd{takes: time.Hour}, time.Second)
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				if _, _, err := client.Contact(t.Context(), person(i)); err == nil {
					t.Error("no error although User hangs")
				}
			})
		}
		hurried, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		synctest.Wait()
		if _, _, err := client.Contact(hurried, person(9)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the caller's own deadline", err)
		}
		if waited := time.Since(start); waited > 100*time.Millisecond {
			t.Errorf("who had 100 ms waited for %s", waited)
		}
		wg.Wait()
		if waited := time.Since(start); waited > 1100*time.Millisecond {
			t.Errorf("a call that may take a second took %s", waited)
		}
	})
}
