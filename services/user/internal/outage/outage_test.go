package outage

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

func TestGuardPausesAfterAFailure(t *testing.T) {
	at := time.Now()
	g := New("redis", func() time.Time { return at }, slog.New(slog.DiscardHandler))
	calls, answer := 0, errors.New("refused")
	call := func(ctx context.Context) error {
		return g.Do(ctx, func(context.Context) error { calls++; return answer })
	}
	if err := call(t.Context()); !errors.Is(err, answer) {
		t.Errorf("first: got %v", err)
	}
	if err := call(t.Context()); !errors.Is(err, ErrAway) || calls != 1 {
		t.Errorf("at once after: got %v and %d calls", err, calls)
	}
	at, answer = at.Add(pause), nil
	if err := call(t.Context()); err != nil || calls != 2 {
		t.Errorf("after the pause: got %v and %d calls", err, calls)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	answer = context.Canceled
	_ = call(gone)
	answer = nil
	if err := call(t.Context()); err != nil {
		t.Errorf("a caller that gave up shut the server out: %v", err)
	}
}
