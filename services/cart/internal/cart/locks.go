package cart

import (
	"context"
	"sync"
)

// locks queues the writers of one cart within this process, so that they do
// not defeat each other's compare-and-set. Between replicas only the
// compare-and-set decides: a lock here is for speed, never for correctness.
type locks struct {
	mu   sync.Mutex
	held map[string]*turn
}

type turn struct {
	free    chan struct{}
	waiting int
}

// acquire waits for the key's turn or for the end of ctx, and tells whether
// there was somebody to wait for.
func (l *locks) acquire(ctx context.Context, key string) (release func(), waited bool, err error) {
	t := l.join(key)
	release = func() { t.free <- struct{}{}; l.leave(key, t) }
	select {
	case <-t.free:
		return release, false, nil
	default:
	}
	select {
	case <-t.free:
		return release, true, nil
	case <-ctx.Done():
		l.leave(key, t)
		return nil, true, ctx.Err()
	}
}

func (l *locks) join(key string) *turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]*turn{}
	}
	t, ok := l.held[key]
	if !ok {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		l.held[key] = t
	}
	t.waiting++
	return t
}

func (l *locks) leave(key string, t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.waiting--; t.waiting == 0 {
		delete(l.held, key)
	}
}
