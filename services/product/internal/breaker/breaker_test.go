package breaker_test

import (
	"errors"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/services/product/internal/breaker"
)

func TestOpensProbesAndCloses(t *testing.T) {
	now, away := time.Unix(0, 0), errors.New("away")
	b := breaker.New(2, time.Second, func() time.Time { return now })
	calls := 0
	do := func(err error) error {
		return b.Do(func() error { calls++; return err }, func(error) bool { return true })
	}
	for i, step := range []struct {
		wait  time.Duration
		store error
		want  error
		calls int
	}{
		{0, away, away, 1},
		{0, away, away, 2},
		{0, nil, breaker.ErrOpen, 2},
		{time.Second, away, away, 3}, // a probe that fails
		{0, nil, breaker.ErrOpen, 3},
		{time.Second, nil, nil, 4}, // a probe that succeeds
		{0, nil, nil, 5},
	} {
		now = now.Add(step.wait)
		if err := do(step.store); !errors.Is(err, step.want) || calls != step.calls {
			t.Fatalf("step %d: %v after %d calls, want %v after %d", i, err, calls, step.want, step.calls)
		}
	}
}

func TestHarmlessErrorsKeepItClosed(t *testing.T) {
	b := breaker.New(1, time.Hour, time.Now)
	for range 3 {
		err := b.Do(func() error { return errors.New("not found") }, func(error) bool { return false })
		if errors.Is(err, breaker.ErrOpen) {
			t.Fatal("open after an error that is the caller's own")
		}
	}
}
