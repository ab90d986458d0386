package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caravan-shop/caravan/tests/shop"
)

// comingFrom is a client with a network address of its own, so that the limits
// by address are nobody else's.
func comingFrom(t *testing.T) *shop.Client {
	t.Helper()
	local := net.IPv4(127, byte(1+rand.IntN(250)), byte(rand.IntN(250)), byte(2+rand.IntN(250)))
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: local}}
	c := shop.NewClient(w.stack.Edge)
	c.HTTP.Transport = &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 8}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	return c
}

// TestAThousandRefreshesAreOne sends one refresh token a thousand times at once:
// nobody may be left with a token that does not work. Not parallel: all must
// arrive within the window for a lost reply.
func TestAThousandRefreshesAreOne(t *testing.T) {
	ctx := within(t)
	s := shopper(t, ctx)
	const callers = 1000
	var mu sync.Mutex
	answers := map[string]int{}
	var wg sync.WaitGroup
	gate, begin := make(chan struct{}), time.Now()
	for range callers {
		wg.Go(func() {
			<-gate
			var next shop.Session
			_, err := w.http.Want(ctx, http.StatusOK, &next, "POST", "user", "/v1/sessions/refresh", object{"refresh_token": s.RefreshToken})
			got := next.RefreshToken
			if err != nil {
				got = err.Error()
			}
			mu.Lock()
			answers[got]++
			mu.Unlock()
		})
	}
	close(gate)
	wg.Wait()
	t.Logf("%d refreshes took %s", callers, time.Since(begin).Round(time.Millisecond))
	if len(answers) != 1 {
		t.Fatalf("got %d different answers, want one: %v", len(answers), answers)
	}
	var sessions, live, tokens, unused int
	query(t, ctx, "user", `SELECT count(*), count(*) FILTER (WHERE revoked_at IS NULL) FROM sessions WHERE user_id = $1`, []any{s.User.ID}, &sessions, &live)
	query(t, ctx, "user", `SELECT count(*), count(*) FILTER (WHERE used_at IS NULL) FROM refresh_tokens WHERE session_id = $1`, []any{s.SessionID}, &tokens, &unused)
	if sessions != 1 || live != 1 || tokens != 2 || unused != 1 {
		t.Errorf("got %d sessions (%d live) and %d tokens (%d unused), want one live family: 1 (1) and 2 (1)", sessions, live, tokens, unused)
	}
	for token := range answers {
		if _, err := w.http.Want(ctx, http.StatusOK, nil, "POST", "user", "/v1/sessions/refresh", object{"refresh_token": token}); err != nil {
			t.Errorf("the token that all got: %v", err)
		}
	}
}

// goesOn checks that a session works at every service, refreshes, and that
// somebody else can sign in.
func goesOn(t *testing.T, ctx context.Context, s *shop.Shopper, when string) {
	t.Helper()
	for _, call := range [][2]string{{"user", "/v1/users/me"}, {"user", "/v1/sessions"}, {"cart", "/v1/cart"}, {"order", "/v1/orders"},
		{"payment", "/v1/saved-payment-methods"}, {"product", "/v1/products?limit=1"}} {
		begin := time.Now()
		if _, err := w.http.Want(ctx, http.StatusOK, nil, "GET", call[0], call[1], nil, s.Token()); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s: %s%s took %s", when, call[0], call[1], took)
		}
	}
	if _, err := w.http.Want(ctx, http.StatusOK, &s.Session, "POST", "user", "/v1/sessions/refresh", object{"refresh_token": s.RefreshToken}); err != nil {
		t.Errorf("%s: %v", when, err)
	}
	if _, err := shop.SignIn(ctx, w.http, s.Email, s.Password); err != nil {
		t.Errorf("%s: %v", when, err)
	}
}

// TestNobodyIsSignedOutWithoutRedis hangs Redis, empties it of sessions and
// starts it anew. Not parallel: it is felt by everybody.
func TestNobodyIsSignedOutWithoutRedis(t *testing.T) {
	ctx := within(t)
	s := shopper(t, ctx)
	stranger, err := shop.SignIn(ctx, w.http, s.Email, s.Password)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := shop.Load(w.path)
	if err != nil {
		t.Fatal(err)
	}
	process, ok := stack.Process("redis")
	if !ok {
		t.Fatal("no process redis in stack.json")
	}
	resume := func() { _ = syscall.Kill(process.PID, syscall.SIGCONT) }
	t.Cleanup(resume)
	if err := syscall.Kill(process.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	goesOn(t, ctx, s, "with redis hanging")
	// Ending a session works too, and is not undone by the copy when Redis is back.
	if _, err := s.Want(ctx, http.StatusNoContent, nil, "DELETE", "user", "/v1/sessions/"+stranger.SessionID, nil, s.Token()); err != nil {
		t.Error(err)
	}
	if _, err := s.Want(ctx, http.StatusUnauthorized, nil, "GET", "user", "/v1/users/me", nil, stranger.Token()); err != nil {
		t.Errorf("a session that ended while redis hung: %v", err)
	}
	resume()
	goesOn(t, ctx, s, "with redis back")

	rdb := redisClient(t)
	keys, err := rdb.Keys(ctx, "session*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("copies of sessions: got %d (%v), want some", len(keys), err)
	}
	if err := rdb.Del(ctx, keys...).Err(); err != nil {
		t.Fatal(err)
	}
	goesOn(t, ctx, s, "with redis emptied")
	if err := syscall.Kill(process.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	goesOn(t, ctx, s, "with redis down")
	restarted(t, "redis", process.PID)
	goesOn(t, ctx, s, "with redis started again")
}

// keyID is the signing key that a token names.
func keyID(t *testing.T, token string) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, &jwt.RegisteredClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(parsed.Header["kid"])
}

// TestKeysRotateWithNobodySignedOut runs `user rotate-keys` beside the service.
func TestKeysRotateWithNobodySignedOut(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	s := shopper(t, ctx)
	old, before := s.AccessToken, publishedKeys(t, ctx)
	runUser(t, ctx, []string{"KEY_LEAD=12s"}, "rotate-keys")
	var next string
	if err := shop.Eventually(ctx, func() error {
		for id := range publishedKeys(t, ctx) {
			if before[id] == nil {
				next = id
				return nil
			}
		}
		return fmt.Errorf("the next key is not published")
	}); err != nil {
		t.Fatal(err)
	}
	if publishedKeys(t, ctx)[keyID(t, old)] == nil {
		t.Error("the key that signed until now is not published any more")
	}
	goesOn(t, ctx, s, "while both keys are published")
	if err := shop.Eventually(ctx, func() error {
		time.Sleep(300 * time.Millisecond)
		if _, err := w.http.Want(ctx, http.StatusOK, &s.Session, "POST", "user", "/v1/sessions/refresh", object{"refresh_token": s.RefreshToken}); err != nil {
			return err
		}
		if got := keyID(t, s.AccessToken); got != next {
			return fmt.Errorf("tokens are signed by %s, want %s", got, next)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	goesOn(t, ctx, s, "with a token of the next key")
	s.AccessToken = old
	goesOn(t, ctx, s, "with a token of the former key")
}
