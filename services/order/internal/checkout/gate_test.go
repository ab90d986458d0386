package checkout

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// queue has n callers wait at the gate, one after the other, and gives which of
// them entered, in that order; -1 for one that did not.
func queue(t *testing.T, g *Gate, ctx context.Context, n int) chan int {
	t.Helper()
	order := make(chan int, n)
	for i := range n {
		go func() {
			if g.enter(ctx) == nil {
				order <- i
			} else {
				order <- -1
			}
		}()
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			g.mu.Lock()
			waiting := g.waiting.Len()
			g.mu.Unlock()
			if waiting == i+1 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d wait, want %d", waiting, i+1)
			}
		}
	}
	return order
}

func TestWhoCameLastIsNext(t *testing.T) {
	g := NewGate(1, time.Minute)
	if err := g.enter(context.Background()); err != nil {
		t.Fatal(err)
	}
	order := queue(t, g, context.Background(), 3)
	for want := 2; want >= 0; want-- {
		g.leave()
		if got := <-order; got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
	g.leave()
	if g.free != 1 || g.waiting.Len() != 0 {
		t.Errorf("in the end %d are free and %d wait", g.free, g.waiting.Len())
	}
}

func TestWaitingEnds(t *testing.T) {
	g := NewGate(1, 20*time.Millisecond)
	if err := g.enter(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := g.enter(context.Background()); !errors.Is(err, ErrBusy) {
		t.Errorf("waited too long: got %v, want busy", err)
	}
	g.within = time.Minute
	ctx, cancel := context.WithCancel(context.Background())
	order := queue(t, g, ctx, 2)
	cancel()
	for range 2 {
		if got := <-order; got != -1 {
			t.Errorf("a client that went away entered as %d", got)
		}
	}
	g.leave()
	if g.free != 1 || g.waiting.Len() != 0 {
		t.Errorf("in the end %d are free, %d wait", g.free, g.waiting.Len())
	}
}

// However many come and go, no more than allowed are in, and no turn is lost.
func TestNoTurnIsLost(t *testing.T) {
	const atOnce = 4
	g := NewGate(atOnce, time.Millisecond)
	var in, most atomic.Int64
	var wg sync.WaitGroup
	for i := range 2000 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%5)*time.Millisecond)
			defer cancel()
			if g.enter(ctx) != nil {
				return
			}
			defer g.leave()
			if now := in.Add(1); now > most.Load() {
				most.Store(now)
			}
			time.Sleep(50 * time.Microsecond)
			in.Add(-1)
		})
	}
	wg.Wait()
	if most.Load() > atOnce {
		t.Errorf("%d were in at once, want at most %d", most.Load(), atOnce)
	}
	if g.free != atOnce || g.waiting.Len() != 0 {
		t.Errorf("in the end %d are free, %d wait", g.free, g.waiting.Len())
	}
}

func TestTheCrowdIsBounded(t *testing.T) {
	g := NewGate(1, time.Minute)
	g.most = 2
	if err := g.enter(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(context.Background())
	order := queue(t, g, ctx, 2)
	if err := g.enter(context.Background()); !errors.Is(err, ErrBusy) {
		t.Errorf("third in the crowd: got %v, want %v at once", err, ErrBusy)
	}
	giveUp()
	for range 2 {
		if got := <-order; got != -1 {
			t.Errorf("%d entered, though nobody left", got)
		}
	}
}
