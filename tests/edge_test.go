package tests

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// rawGet writes a request line as it is: Go's client would tidy the path.
func rawGet(t *testing.T, method, target string, headers ...string) int {
	t.Helper()
	u, err := url.Parse(w.stack.Edge)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
	head := method + " " + target + " HTTP/1.1\r\nHost: " + u.Host + "\r\nConnection: close\r\nContent-Length: 0\r\n"
	for _, h := range headers {
		head += h + "\r\n"
	}
	if _, err := fmt.Fprint(conn, head+"\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode
}

func TestEdgePassesOnlyTheSixServices(t *testing.T) {
	t.Parallel()
	inner := url.PathEscape(w.stack.Elasticsearch)
	for _, target := range []string{
		"/v1.0/invoke/" + w.stack.Elasticsearch + "/method/v1/x",
		"/v1.0/invoke/" + inner + "/method/v1/x",
		"/v1.0/invoke/edge/method/v1/x",
		"/v1.0/invoke/product.default/method/v1/products",
		"/v1.0/invoke/PRODUCT/method/v1/products",
		"/v1.0/invoke/product/method/internal/products/lookup",
		"/v1.0/invoke/product/method/events/order.confirmed",
		"/v1.0/invoke/product/method/metrics",
		"/v1.0/invoke/product/method/v1/../internal/products/lookup",
		"/v1.0/invoke/product/method/v1/%2e%2e/internal/products/lookup",
		"/v1.0/invoke/product/method/v1/..%2finternal/products/lookup",
		"/v1.0/invoke/product/method//v1/products",
		"/v1.0/invoke/product/method/v1//products",
		"/v1.0/invoke/product/method/v1/./products",
		"/v1.0//invoke/product/method/v1/products",
		"/v1.0/invoke/product/method/%76%31/products",
		"/v1.0/state/carts/x", "/v1.0/publish/pubsub/order.created", "/v1.0/secrets/secrets/user-token-hmac",
		"/v1.0/metadata", "/v1.0/shutdown", "/v1.0/bindings/x", "/v1.0-alpha1/state/carts/query",
		"/", "/v1/products", "*",
	} {
		if got := rawGet(t, "POST", target); got < 400 || got > 499 {
			t.Errorf("POST %s: got %d, want a refusal of the client", target, got)
		}
	}
	if got := rawGet(t, "GET", "/v1.0/invoke/product/method/v1/products"); got != http.StatusOK {
		t.Errorf("products through the edge: got %d, want 200", got)
	}
	for _, path := range []string{"/v1.0/healthz", "/v1.0/healthz/outbound"} {
		if got := rawGet(t, "GET", path); got != http.StatusNoContent {
			t.Errorf("%s: got %d, want 204", path, got)
		}
	}
}

func TestEdgeDropsWhatWouldSteerTheSidecar(t *testing.T) {
	t.Parallel()
	for _, header := range []string{
		"dapr-app-id: user", "Dapr-App-Id: " + w.stack.Elasticsearch, "dapr-api-token: x", "Dapr-Caller-App-Id: order",
		"Authorization: Basic ZGFwci1hcHAtaWQ6dXNlcjp4",
	} {
		if got := rawGet(t, "GET", "/v1.0/invoke/product/method/v1/products", header); got != http.StatusOK {
			t.Errorf("with %q: got %d, want 200 as if it were not there", header, got)
		}
		if got := rawGet(t, "GET", "/v1/products", header); got < 400 || got > 499 {
			t.Errorf("plain path with %q: got %d, want a refusal", header, got)
		}
	}
}

// direct calls through an app's own sidecar, as that app would.
func direct(t *testing.T, ctx context.Context, from, app, method, path, body string, headers ...shop.Header) *shop.Response {
	t.Helper()
	sidecar := w.stack.Sidecars[from]
	c := shop.NewClient(sidecar.HTTP)
	headers = append([]shop.Header{{Name: "dapr-api-token", Value: sidecar.APIToken}, {Name: "Content-Type", Value: "application/json"}}, headers...)
	resp, err := c.Raw(ctx, method, app, path, strings.NewReader(body), headers...)
	if err != nil {
		t.Fatalf("%s calls %s%s: %v", from, app, path, err)
	}
	return resp
}

func TestAServiceThatMayNotCallIsRefused(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	const hold = "/internal/holds/place"
	if got := direct(t, ctx, "cart", "product", "POST", "/internal/products/lookup", `{"product_ids":[]}`); got.Status != http.StatusOK {
		t.Errorf("cart looks products up: got %d %s, want 200", got.Status, got.Body)
	}
	for _, from := range []string{"cart", "payment", "notification", "user", "edge"} {
		if got := direct(t, ctx, from, "product", "POST", hold, `{}`); got.Status != http.StatusForbidden {
			t.Errorf("%s places a hold: got %d, want 403", from, got.Status)
		}
	}
	forged := shop.Header{Name: "Dapr-Caller-App-Id", Value: "order"}
	if got := direct(t, ctx, "cart", "product", "POST", hold, `{}`, forged); got.Status != http.StatusForbidden {
		t.Errorf("cart says it is order: got %d, want 403", got.Status)
	}
	if got := direct(t, ctx, "notification", "payment", "POST", "/internal/payments/close", `{}`); got.Status != http.StatusForbidden {
		t.Errorf("notification closes a payment: got %d, want 403", got.Status)
	}
	noToken := shop.NewClient(w.stack.Sidecars["order"].HTTP)
	if resp, err := noToken.Do(ctx, "POST", "product", hold, map[string]any{}); err != nil || resp.Status != http.StatusUnauthorized {
		t.Errorf("no API token: got %v (%v), want 401", resp, err)
	}
}

var lookups = regexp.MustCompile(`caravan_http_request_seconds_count\{method="POST",route="/internal/products/lookup",status="(\d+)"\} (\d+)`)

// answered counts product's lookups by status, in product itself.
func answered(t *testing.T, ctx context.Context) (good, bad int) {
	t.Helper()
	for _, m := range lookups.FindAllStringSubmatch(string(direct(t, ctx, "product", "product", "GET", "/metrics", "").Body), -1) {
		n, _ := strconv.Atoi(m[2])
		if m[1] == "200" {
			good += n
		} else {
			bad += n
		}
	}
	return good, bad
}

// TestDaprRetriesWhatFailsForAMoment kills PostgreSQL under calls to product:
// product answers 503, and Dapr, not the caller, tries again. So product fails
// more often than its caller sees. Not parallel: it is felt by everybody.
func TestDaprRetriesWhatFailsForAMoment(t *testing.T) {
	ctx := within(t)
	p := product(t, ctx, 100, 1)
	body := `{"product_ids":["` + p.ID + `"]}`
	t.Cleanup(func() { serving(t) })
	_, before := answered(t, ctx)
	seen := 0 // failures that reached the caller
	for range 5 {
		kill(t, ctx, "postgres")
		// Backends outlive the killed postmaster for a moment: call until they are gone.
		for until := time.Now().Add(3 * time.Second); time.Now().Before(until); {
			if resp := direct(t, ctx, "cart", "product", "POST", "/internal/products/lookup", body); resp.Status != http.StatusOK {
				seen++
			}
			if _, now := answered(t, ctx); now-before > seen {
				t.Logf("product failed %d times, its caller saw %d of them", now-before, seen)
				return
			}
		}
	}
	_, now := answered(t, ctx)
	t.Errorf("product failed %d times and its caller saw %d of them: Dapr retried nothing", now-before, seen)
}

// serving waits until the four databases answer through their services again,
// and then as long as a pool may trust a connection without asking it.
func serving(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	reads := map[string]string{"user": "/v1/users?limit=1", "product": "/v1/categories", "order": "/v1/orders?limit=1", "payment": "/v1/transactions?limit=1"}
	for app, path := range reads {
		if err := shop.Eventually(ctx, func() error {
			_, err := w.staff.Want(ctx, http.StatusOK, nil, "GET", app, path, nil, w.staff.Token())
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(1500 * time.Millisecond)
}

// kill ends a process as a crash would and waits until its successor is listed.
func kill(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	stack, err := shop.Load(w.path)
	if err != nil {
		t.Fatal(err)
	}
	old, ok := stack.Process(name)
	if !ok {
		t.Fatalf("no process %s in stack.json", name)
	}
	if err := syscall.Kill(old.PID, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %s: %v", name, err)
	}
	t.Cleanup(func() { restarted(t, name, old.PID) })
}

func restarted(t *testing.T, name string, oldPID int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := shop.Eventually(ctx, func() error {
		stack, err := shop.Load(w.path)
		if err != nil {
			return err
		}
		if p, ok := stack.Process(name); !ok || p.PID == oldPID {
			return fmt.Errorf("%s has not been started again", name)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
