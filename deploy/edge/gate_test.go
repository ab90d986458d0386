package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func (g *gate) length() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

func TestWhoCameLastIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{free: 1}
		leave, ok := g.enter(t.Context(), nil)
		if !ok {
			t.Fatal("an open gate let nobody in")
		}
		entered := make(chan int, 3)
		leaves := make(chan func(), 3)
		for i := range 3 {
			go func() {
				if leave, ok := g.enter(t.Context(), nil); ok {
					entered <- i
					leaves <- leave
				}
			}()
			synctest.Wait()
		}
		for want := 2; want >= 0; want-- {
			leave()
			leave() // once counts
			if got := <-entered; got != want {
				t.Errorf("got %d, want %d", got, want)
			}
			leave = <-leaves
		}
		leave()
		if g.free != 1 || g.length() != 0 {
			t.Errorf("in the end %d are free and %d wait", g.free, g.length())
		}
	})
}

func TestWaitingAtTheGateEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, ok := g.enter(ctx, nil); ok || g.length() != 0 {
			t.Errorf("entered %v and %d waiting, want a refusal and nobody", ok, g.length())
		}
		g.waiting = make([]chan struct{}, mostWaiting)
		start := time.Now()
		if _, ok := g.enter(t.Context(), nil); ok || time.Since(start) > 0 {
			t.Error("a full gate must refuse at once")
		}
	})
}

func TestACallThatHangsGivesItsTurnAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{free: 1}
		hanging, _ := g.enter(t.Context(), nil)
		start := time.Now()
		leave, ok := g.enter(t.Context(), nil)
		if waited := time.Since(start); !ok || waited != longestTurn {
			t.Errorf("entered %v after %s, want after %s", ok, waited, longestTurn)
		}
		hanging() // its turn is gone: it gives away no second one
		leave()
		if g.free != 1 {
			t.Errorf("in the end %d are free, want 1", g.free)
		}
	})
}

func TestTurnsAreNeitherLostNorDoubled(t *testing.T) {
	g := &gate{free: 3}
	var mu sync.Mutex
	inside, most := 0, 0
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*time.Millisecond)
			defer cancel()
			leave, ok := g.enter(ctx, nil)
			if !ok {
				return
			}
			defer leave()
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

// crowded runs an edge that lets one POST of an order through at a time, whose sidecar
// answers POSTs once release is closed and everything else at once.
func crowded(t *testing.T, change func(*config)) (base string, calls chan seen, release chan struct{}) {
	t.Helper()
	release = make(chan struct{})
	base, calls = start(t, func(c *config) {
		c.Crowds, c.CrowdCalls, c.CrowdWait = "GET user/v1/x, POST order/v1/orders", 1, 5*time.Second
		if change != nil {
			change(c)
		}
	}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			<-release
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return base, calls, release
}

// comesAgain is the outcome for one who got no turn.
var comesAgain = regexp.MustCompile(`^429 edge_busy [1-5]$`)

// outcome is the status of an answer, with code and Retry-After of a refusal.
func outcome(t *testing.T, resp *http.Response, body string) string {
	t.Helper()
	if resp.StatusCode < 400 {
		return strconv.Itoa(resp.StatusCode)
	}
	var p problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Errorf("%v in %s", err, body)
	}
	return strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + p.Code + " " + resp.Header.Get("Retry-After"))
}

const ordersPath = invoke + "order/method/v1/orders"

// order begins one order and gives its outcome later.
func order(t *testing.T, base string) chan string {
	t.Helper()
	done := make(chan string, 1)
	go func() {
		resp, body := do(t, "POST", base+ordersPath+"?a=b", strings.NewReader("{}"), nil)
		done <- outcome(t, resp, body)
	}()
	return done
}

// A crowd before one call holds up no other call, of the same service either; who does
// not get a turn is told to come again.
func TestCrowdsWaitForTheirOwnCallOnly(t *testing.T) {
	base, calls, release := crowded(t, func(c *config) { c.CrowdWait = 100 * time.Millisecond })
	first := order(t, base)
	<-calls // it is under way
	second := order(t, base)
	for _, path := range []string{"order/method/v1/orders", "order/method/v1/orders/1", "user/method/v1/users/me"} {
		if resp, body := do(t, "GET", base+invoke+path, nil, nil); resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: got %s", path, outcome(t, resp, body))
		}
	}
	if got := <-second; !comesAgain.MatchString(got) {
		t.Errorf("who waited in vain: got %s", got)
	}
	close(release)
	if got := <-first; got != "204" {
		t.Errorf("who was under way: got %s", got)
	}
}

// Who sends slowly holds no turn.
func TestASlowBodyTakesNobodysTurn(t *testing.T) {
	base, _, release := crowded(t, nil)
	close(release)
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "POST "+ordersPath+" HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := <-order(t, base); got != "204" {
			t.Errorf("beside a slow body: got %s", got)
		}
	}
	answer, _ := io.ReadAll(conn) // the body is given a second
	if !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("the slow one: got %.60q, want a timeout", answer)
	}
	large := strings.NewReader(strings.Repeat(" ", 1001))
	if resp, body := do(t, "POST", base+ordersPath, large, nil); outcome(t, resp, body) != "413 body_too_large" {
		t.Errorf("a large body: got %s", outcome(t, resp, body))
	}
}

// Who leaves while waiting is not let in later.
func TestWhoLeavesTheCrowdIsNotLetIn(t *testing.T) {
	base, calls, release := crowded(t, nil)
	first := order(t, base)
	<-calls
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+ordersPath, strings.NewReader("{}"))
		if err == nil {
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}
		gone <- err
	}()
	time.Sleep(100 * time.Millisecond) // it waits
	cancel()
	if err := <-gone; err == nil {
		t.Fatal("the one who left had an answer")
	}
	time.Sleep(100 * time.Millisecond) // that is noticed
	close(release)
	if got := <-first; got != "204" {
		t.Errorf("got %s", got)
	}
	if got := <-order(t, base); got != "204" {
		t.Errorf("afterwards: got %s", got)
	}
	<-calls
	if len(calls) > 0 {
		t.Error("the sidecar was called for one who had left")
	}
}

func TestNobodyWaitsWhenTheEdgeIsToStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := newEdge(ctx, config{BodyLimit: 1000, HeaderTimeout: time.Second, CrowdWait: time.Minute, Crowds: "POST order/v1/orders"}, slog.New(slog.DiscardHandler))
	cancel()
	s := httptest.NewServer(e)
	defer s.Close()
	start := time.Now()
	if got := <-order(t, s.URL); !comesAgain.MatchString(got) || time.Since(start) > 10*time.Second {
		t.Errorf("got %s after %s", got, time.Since(start))
	}
}

func TestCrowdsOfTheConfiguration(t *testing.T) {
	for crowds, fine := range map[string]bool{
		"none": true, "POST order/v1/orders": true, "POST order/v1/orders, GET product/v1/products": true,
		"": false, "POST v1/orders": false, "order/v1/orders": false, "POST order/v1/orders,": false, "POST product/v1/products/import": false,
	} {
		if err := (config{Crowds: crowds, CrowdCalls: 1}).checkCrowds(); (err == nil) != fine {
			t.Errorf("%q: got %v", crowds, err)
		}
	}
	if err := (config{Crowds: "none"}).checkCrowds(); err == nil {
		t.Error("a gate that lets nobody through was accepted")
	}
}
