package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// crowd has n callers wait at a gate, one after the other, and gives their names as
// they enter; -1 for one that did not.
func crowd(t *testing.T, g *gate, ctx context.Context, patience time.Duration, n int) chan int {
	t.Helper()
	entered := make(chan int, n)
	for i := range n {
		go func() {
			if g.enter(ctx, patience) {
				entered <- i
			} else {
				entered <- -1
			}
		}()
		for deadline := time.Now().Add(5 * time.Second); g.length() != i+1; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d wait, want %d", g.length(), i+1)
			}
		}
	}
	return entered
}

func (g *gate) length() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

func TestWhoCameLastIsNext(t *testing.T) {
	g := &gate{free: 1}
	if !g.enter(t.Context(), time.Minute) {
		t.Fatal("an open gate let nobody in")
	}
	entered := crowd(t, g, t.Context(), time.Minute, 3)
	for want := 2; want >= 0; want-- {
		g.leave()
		if got := <-entered; got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
	g.leave()
	if g.free != 1 || g.length() != 0 {
		t.Errorf("in the end %d are free and %d wait", g.free, g.length())
	}
}

func TestWaitingAtTheGateEnds(t *testing.T) {
	g := &gate{}
	off, cancel := context.WithCancel(t.Context())
	gone := crowd(t, g, off, time.Minute, 2)
	cancel()
	for range 2 {
		if got := <-gone; got != -1 {
			t.Errorf("caller %d entered after it had gone", got)
		}
	}
	if got := <-crowd(t, g, t.Context(), 20*time.Millisecond, 1); got != -1 || g.length() != 0 {
		t.Errorf("got %d and %d waiting, want a refusal and nobody", got, g.length())
	}
	g.waiting = make([]chan struct{}, mostWaiting)
	start := time.Now()
	if g.enter(t.Context(), time.Minute) || time.Since(start) > time.Second {
		t.Error("a full gate must refuse at once")
	}
}

func TestTurnsAreNeitherLostNorDoubled(t *testing.T) {
	g := &gate{free: 3}
	var mu sync.Mutex
	inside, most := 0, 0
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			if !g.enter(t.Context(), time.Duration(i%7)*time.Millisecond) {
				return
			}
			defer g.leave()
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			time.Sleep(100 * time.Microsecond)
			mu.Lock()
			inside--
			mu.Unlock()
		})
	}
	wg.Wait()
	if most > 3 || g.free != 3 || g.length() != 0 {
		t.Errorf("%d inside at once, in the end %d free and %d waiting; want at most 3, 3 and 0", most, g.free, g.length())
	}
}

// A crowd before one call holds up no other call, of the same service either; who does
// not get a turn is told to come again.
func TestCrowdsWaitForTheirOwnCallOnly(t *testing.T) {
	release := make(chan struct{})
	base, _ := start(t, func(c *config) {
		c.Crowds, c.CrowdCalls, c.CrowdWait = []string{"POST order/v1/orders"}, 2, 150*time.Millisecond
	}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			<-release
		}
		w.WriteHeader(http.StatusNoContent)
	})
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[string]int{}
	for range 6 {
		wg.Go(func() {
			resp, body := do(t, "POST", base+invoke+"order/method/v1/orders?a=b", strings.NewReader("{}"), nil)
			code := ""
			if resp.StatusCode == http.StatusServiceUnavailable {
				var p problem
				if err := json.Unmarshal([]byte(body), &p); err != nil {
					t.Errorf("%v in %s", err, body)
				}
				code = " " + p.Code + " " + resp.Header.Get("Retry-After")
			}
			mu.Lock()
			statuses[strconv.Itoa(resp.StatusCode)+code]++
			mu.Unlock()
		})
	}
	time.Sleep(30 * time.Millisecond)
	for _, path := range []string{"order/method/v1/orders", "order/method/v1/orders/1", "user/method/v1/users/me"} {
		began := time.Now()
		if resp, _ := do(t, "GET", base+invoke+path, nil, nil); resp.StatusCode != http.StatusNoContent || time.Since(began) > time.Second {
			t.Errorf("%s: %d after %s", path, resp.StatusCode, time.Since(began))
		}
	}
	time.Sleep(300 * time.Millisecond)
	close(release)
	wg.Wait()
	if statuses["204"] != 2 || statuses["503 edge_busy 5"] != 4 {
		t.Errorf("got %v, want two answers and four that come again", statuses)
	}
}
