package tests

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caravan-shop/caravan/tests/shop"
)

// program gives the executable of a running process of the stack and its
// environment, so that a test can run the same program another way.
func program(t *testing.T, name string) (path string, env []string) {
	t.Helper()
	stack, err := shop.Load(w.path)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := stack.Process(name)
	if !ok {
		t.Fatalf("no process %s in stack.json", name)
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("/proc/%d/exe", p.PID), strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00")
}

func setting(env []string, name string) string {
	for _, entry := range env {
		if key, value, _ := strings.Cut(entry, "="); key == name {
			return value
		}
	}
	return ""
}

// userReplica runs a second User beside the first one, with other settings, and
// gives its address and the token of its sidecar.
func userReplica(t *testing.T, ctx context.Context, settings ...string) (base, appToken string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	path, env := program(t, "user")
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = slices.Concat(env, []string{fmt.Sprintf("APP_PORT=%d", address.Port)}, settings)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the replica's log:\n%s", log.String())
		}
	})
	base = "http://" + address.String()
	if err := shop.Eventually(ctx, func() error {
		resp, err := http.Get(base + "/healthz")
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}); err != nil {
		t.Fatal(err)
	}
	return base, setting(env, "APP_API_TOKEN")
}

// expiredToken is a genuine access token whose time is over: a replica of User
// with short-lived tokens issues it.
func expiredToken(t *testing.T, ctx context.Context, s *shop.Shopper) string {
	t.Helper()
	base, appToken := userReplica(t, ctx, "ACCESS_TTL=1s")
	body, err := json.Marshal(map[string]string{"email": s.Email, "password": s.Password})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/sessions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("dapr-api-token", appToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var session shop.Session
	if err := json.NewDecoder(resp.Body).Decode(&session); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("sign in at the replica: status %d, %v", resp.StatusCode, err)
	}
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(session.AccessToken, &claims); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(claims.ExpiresAt.Time) + 100*time.Millisecond):
	}
	// It is the time alone that is wrong with it.
	if got, err := w.http.Do(ctx, "GET", "order", "/v1/orders", nil, shop.Bearer(session.AccessToken)); err != nil || got.Code() != "token_expired" {
		t.Fatalf("a token that is too old: got %v (%v), want token_expired", got, err)
	}
	return session.AccessToken
}

// publishedKeys gives the signing keys by their ids, as clients see them.
func publishedKeys(t *testing.T, ctx context.Context) map[string][]byte {
	t.Helper()
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
			X  string `json:"x"`
		} `json:"keys"`
	}
	if _, err := w.http.Want(ctx, http.StatusOK, &set, "GET", "user", "/.well-known/jwks.json", nil); err != nil {
		t.Fatal(err)
	}
	keys := map[string][]byte{}
	for _, k := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil {
			t.Fatal(err)
		}
		keys[k.ID] = x
	}
	return keys
}

func publicKey(t *testing.T, ctx context.Context, id string) []byte {
	t.Helper()
	key, ok := publishedKeys(t, ctx)[id]
	if !ok {
		t.Fatalf("key %s is not published", id)
	}
	return key
}

// runUser runs a command of User to its end.
func runUser(t *testing.T, ctx context.Context, settings []string, args ...string) {
	t.Helper()
	path, env := program(t, "user")
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = slices.Concat(env, settings)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("user %v: %v\n%s", args, err, out)
	}
}
