package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const usersPath = invoke + "user/method/v1/users"

// seen is what reached the sidecar.
type seen struct {
	uri    string
	header http.Header
	length int64
	body   string
}

// start runs an edge before a sidecar that answers as told; the returned channel
// yields what the sidecar saw of each call.
func start(t *testing.T, change func(*config), answer http.HandlerFunc) (base string, calls chan seen) {
	t.Helper()
	calls = make(chan seen, 100)
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- seen{uri: r.RequestURI, header: r.Header.Clone(), length: r.ContentLength, body: string(body)}
		answer(w, r)
	}))
	t.Cleanup(sidecar.Close)
	return startBefore(t, sidecar.URL, change), calls
}

func startBefore(t *testing.T, sidecar string, change func(*config)) string {
	t.Helper()
	at, err := url.Parse(sidecar)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config{
		Sidecar: *at, APIToken: "edge-token", BodyLimit: 1000, HeaderTimeout: time.Second, Timeout: 10 * time.Second,
		IdleTimeout: 30 * time.Second, StallTimeout: 10 * time.Second, Grace: 5 * time.Second, Crowds: "none",
	}
	if change != nil {
		change(&cfg)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, cfg, listener, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: got %v, want a clean end", err)
		}
	})
	return "http://" + listener.Addr().String()
}

func do(t *testing.T, method, url string, body io.Reader, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}

// raw sends bytes as they are and returns the answer.
func raw(t *testing.T, base, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

func wantProblem(t *testing.T, res *http.Response, body string, status int, code string) {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(body), &p); err != nil || res.StatusCode != status || p.Status != status || p.Code != code {
		t.Errorf("answer: got %d %s, want %d %s", res.StatusCode, body, status, code)
		return
	}
	if ct := res.Header.Get("Content-Type"); ct != problemType || p.Type == "" || p.Title == "" || p.Detail == "" || len(p.TraceID) != 32 {
		t.Errorf("problem: got %s %+v, want all members", ct, p)
	}
	if status == 503 && res.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }

func TestHeadersOfAClientAreNotBelieved(t *testing.T) {
	base, calls := start(t, nil, ok)
	res, body := do(t, "POST", base+usersPath+"?a=1&b=%2F;c", strings.NewReader(`{"x":1}`), http.Header{
		"Dapr-App-Id": {"product"}, "dapr-caller-app-id": {"order"}, "DAPR-API-TOKEN": {"guess"}, "Dapr_App_Id": {"product"}, "dapr_app-id": {"x"},
		"Grpc-Timeout": {"1n"}, "X-Forwarded-For": {"1.2.3.4"}, "X-Forwarded-Host": {"evil"}, "X_Forwarded_For": {"1.2.3.4"}, "X-Forwarded-User": {"admin"},
		"Forwarded": {"for=1.2.3.4"}, "X-Real-Ip": {"1.2.3.4"}, "Authorization": {"basic ZGFwci1hcHAtaWQ6cHJvZHVjdA==", "Bearer jwt", " BASIC eDp5"},
		"Te": {"trailers"}, "Proxy-Authorization": {"Basic x"}, "Connection": {"X-Secret"}, "X-Secret": {"1"},
		"X-Cart-Token": {"tok"}, "Idempotency-Key": {"k"}, "If-Match": {`"1"`}, "Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	})
	if res.StatusCode != 200 {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	got := <-calls
	if got.uri != usersPath+"?a=1&b=%2F;c" || got.body != `{"x":1}` || got.length != 7 {
		t.Errorf("request: got %s %q (%d bytes)", got.uri, got.body, got.length)
	}
	want := http.Header{
		"Accept-Encoding": {"gzip"}, "Authorization": {"Bearer jwt"}, "Content-Length": {"7"}, "Dapr-Api-Token": {"edge-token"}, "Idempotency-Key": {"k"},
		"If-Match": {`"1"`}, "Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "User-Agent": {"Go-http-client/1.1"},
		"X-Cart-Token": {"tok"}, "X-Forwarded-For": {"127.0.0.1"},
	}
	if diff := cmp.Diff(want, got.header); diff != "" {
		t.Errorf("headers at the sidecar (-want +got):\n%s", diff)
	}
}

func TestAnswersLoseTheInternalsAndGainSecurity(t *testing.T) {
	base, _ := start(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range map[string]string{"Dapr-Caller-App-Id": "edge", "X-Forwarded-Host": "h", "Forwarded": "x", "Etag": `"3"`, "Cache-Control": "max-age=60", "Content-Type": "application/json"} {
			w.Header().Set(k, v)
		}
		w.WriteHeader(201)
		_, _ = io.WriteString(w, `{"id":"1"}`)
	})
	res, body := do(t, "GET", base+usersPath, nil, nil)
	if res.StatusCode != 201 || body != `{"id":"1"}` {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	for k, want := range map[string]string{
		"Dapr-Caller-App-Id": "", "X-Forwarded-Host": "", "Forwarded": "", "Etag": `"3"`, "Cache-Control": "max-age=60",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if got := res.Header.Get(k); got != want {
			t.Errorf("%s: got %q, want %q", k, got, want)
		}
	}
}

func TestAServicesOwnErrorsPassUntouched(t *testing.T) {
	for _, c := range []struct {
		status     int
		kind, body string
	}{
		{409, problemType, `{"code":"out_of_stock","status":409}`},
		{503, problemType, `{"code":"keys_unavailable","status":503}`},
		{401, "application/problem+json; charset=utf-8", `{"code":"token_invalid"}`},
		{500, "application/json", `{"error":"odd","errorCode":"OTHER"}`},
		{500, "application/json", strings.Repeat(" ", 2*peekBytes) + `{"errorCode":"ERR_DIRECT_INVOKE"}`},
		{422, "text/html", "<p>no</p>"},
	} {
		base, _ := start(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.kind)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		res, body := do(t, "GET", base+usersPath, nil, nil)
		if res.StatusCode != c.status || body != c.body || res.Header.Get("Content-Type") != c.kind {
			t.Errorf("%d %s: got %d %s %.80s", c.status, c.kind, res.StatusCode, res.Header.Get("Content-Type"), body)
		}
	}
}

func TestErrorsOfSidecarsBecomeProblems(t *testing.T) {
	for _, c := range []struct {
		status     int
		kind, body string
		want       int
		code       string
	}{
		{500, "application/json", `{"errorCode":"ERR_DIRECT_INVOKE","message":"failed to invoke, id: user, err: dial tcp 127.0.0.1:7001: refused"}`, 503, "neighbour_unavailable"},
		{500, "application/json", `{"errorCode":"ERR_HEALTH_NOT_READY","message":"dapr is not ready"}`, 503, "neighbour_unavailable"},
		{403, "application/json", `{"errorCode":"ERR_DIRECT_INVOKE","message":"access control policy has denied access"}`, 403, "access_denied"},
		{500, "application/json", `{"errorCode":"ERR_DIRECT_INVOKE","message":"stream too large"}`, 413, "body_too_large"},
		{401, "text/plain; charset=utf-8", "invalid api token\n", 503, "sidecar_unavailable"},
		{404, "text/plain; charset=utf-8", "404 page not found\n", 404, "route_unknown"},
		{405, "", "", 405, "method_not_allowed"},
		{502, "", "", 503, "sidecar_unavailable"},
		{500, "text/plain", "boom", 500, "internal"},
	} {
		base, _ := start(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{c.kind}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		res, body := do(t, "GET", base+usersPath, nil, http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}})
		wantProblem(t, res, body, c.want, c.code)
		if strings.Contains(body, "127.0.0.1") || !strings.Contains(body, "0af7651916cd43dd8448eb211c80319c") {
			t.Errorf("problem: got %s, want the trace id and no address", body)
		}
	}
}

func TestHeadOfAServiceThatIsAway(t *testing.T) {
	base, _ := start(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(500)
	})
	if res, _ := do(t, "HEAD", base+usersPath, nil, nil); res.StatusCode != 503 || res.Header.Get("Content-Type") != problemType {
		t.Errorf("got %d %s, want 503 and a problem", res.StatusCode, res.Header.Get("Content-Type"))
	}
}

func TestTracesStartAtTheEdge(t *testing.T) {
	const client = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	for _, c := range []struct{ export, sent, suffix string }{
		{"", "", "-00"}, {"http://127.0.0.1:4318", "", "-01"}, {"http://127.0.0.1:4318", client, client},
		{"", "junk", "-00"}, {"", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "-00"},
	} {
		base, calls := start(t, func(cfg *config) { cfg.TraceExport = c.export }, ok)
		do(t, "GET", base+usersPath, nil, http.Header{"Traceparent": {c.sent}})
		got := (<-calls).header
		if traceOf(got) == "" || !strings.HasSuffix(got.Get("Traceparent"), c.suffix) {
			t.Errorf("export %q, sent %q: got %q, want …%s", c.export, c.sent, got.Get("Traceparent"), c.suffix)
		}
	}
}

func TestRefusalsOverTheWire(t *testing.T) {
	base, calls := start(t, nil, ok)
	host := "Host: x\r\n"
	for _, c := range []struct {
		request string
		status  int
		code    string
	}{
		{"GET /v1.0/metadata HTTP/1.1\r\n" + host + "\r\n", 404, "route_unknown"},
		{"GET http://127.0.0.1:9200/ HTTP/1.1\r\n" + host + "\r\n", 404, "path_not_canonical"},
		{"GET " + invoke + "http%3a%2f%2f127.0.0.1%3a9200/method/v1/x HTTP/1.1\r\n" + host + "\r\n", 404, "path_not_canonical"},
		{"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 404, "path_not_canonical"},
		{"TRACE " + usersPath + " HTTP/1.1\r\n" + host + "\r\n", 405, "method_not_allowed"},
		{"GET " + usersPath + " HTTP/1.1\r\n" + host + "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n", 400, "upgrade_refused"},
		{"GET " + usersPath + " HTTP/1.1\r\n" + host + "Upgrade: h2c\r\n\r\n", 400, "upgrade_refused"},
		{"GET " + usersPath + "?" + strings.Repeat("a", maxURI) + " HTTP/1.1\r\n" + host + "\r\n", 414, "uri_too_long"},
		{"GET " + usersPath + " HTTP/1.1\r\n" + host + "X-Big: " + strings.Repeat("a", maxHeaders) + "\r\n\r\n", 431, "headers_too_large"},
		{"POST " + usersPath + " HTTP/1.1\r\n" + host + "Content-Length: 1001\r\n\r\n", 413, "body_too_large"},
		{"POST " + usersPath + " HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + strings.Repeat("a", 1001) + "\r\n0\r\n\r\n", 413, "body_too_large"},
	} {
		res, body := raw(t, base, c.request)
		wantProblem(t, res, body, c.status, c.code)
	}
	if len(calls) != 0 {
		t.Errorf("calls at the sidecar: got %d, want none", len(calls))
	}
	if res, _ := raw(t, base, "POST "+usersPath+" HTTP/1.1\r\n"+host+"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"); res.StatusCode != 200 {
		t.Errorf("both lengths: got %d", res.StatusCode)
	}
	// net/http lets the chunks count and drops the length, so nothing can be smuggled.
	if got := <-calls; got.length != 0 || got.body != "" {
		t.Errorf("both lengths: the sidecar saw %+v", got)
	}
}

func TestBodiesOfUnknownLengthGetOne(t *testing.T) {
	base, calls := start(t, nil, ok)
	do(t, "POST", base+usersPath, io.MultiReader(strings.NewReader("abc"), strings.NewReader("def")), nil)
	if got := <-calls; got.length != 6 || got.body != "abcdef" {
		t.Errorf("got %d bytes %q, want 6", got.length, got.body)
	}
}

func TestImportIsStreamedWithoutALength(t *testing.T) {
	base, calls := start(t, func(c *config) { c.Timeout = 50 * time.Millisecond }, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(150 * time.Millisecond) // longer than any other call may take
		ok(w, r)
	})
	big := strings.Repeat("x", 100_000) // far over BodyLimit
	res, body := do(t, "POST", base+invoke+"product/method/v1/products/import", strings.NewReader(big), nil)
	if res.StatusCode != 200 {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	if got := <-calls; got.length != -1 || got.body != big || got.header.Get("Content-Length") != "" {
		t.Errorf("import: got length %d, %d bytes", got.length, len(got.body))
	}
}

// TestEmptyImportPasses: what an import without a line deserves is the service's to say.
func TestEmptyImportPasses(t *testing.T) {
	base, calls := start(t, nil, ok)
	res, body := do(t, "POST", base+invoke+"product/method/v1/products/import", nil, nil)
	if res.StatusCode != 200 {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	if got := <-calls; got.body != "" {
		t.Errorf("got a body of %d bytes", len(got.body))
	}
}

func TestStalledImportEnds(t *testing.T) {
	base, _ := start(t, func(c *config) { c.StallTimeout = 100 * time.Millisecond }, ok)
	res, body := raw(t, base, "POST "+invoke+"product/method/v1/products/import HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
	wantProblem(t, res, body, 408, "body_timeout")
}

func TestAwayAndSlow(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	base := startBefore(t, gone.URL, nil)
	for _, path := range []string{usersPath, "/v1.0/healthz"} {
		res, body := do(t, "GET", base+path, nil, nil)
		wantProblem(t, res, body, 503, "sidecar_unavailable")
	}

	release := make(chan struct{})
	base, _ = start(t, func(c *config) { c.Timeout = 100 * time.Millisecond }, func(http.ResponseWriter, *http.Request) { <-release })
	res, body := do(t, "POST", base+usersPath, strings.NewReader("{}"), nil)
	wantProblem(t, res, body, 503, "neighbour_timeout")
	close(release)
}

func TestConnectionsAreReused(t *testing.T) {
	var mu sync.Mutex
	peers := map[string]bool{}
	base, calls := start(t, nil, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		peers[r.RemoteAddr] = true
		mu.Unlock()
		ok(w, r)
	})
	const clients, each = 20, 20
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := range each {
				res, err := client.Post(base+usersPath, "application/json", strings.NewReader(fmt.Sprintf(`{"i":%d}`, i)))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				<-calls
			}
		})
	}
	group.Wait()
	mu.Lock()
	defer mu.Unlock()
	if len(peers) > 3*clients {
		t.Errorf("connections to the sidecar: got %d for %d calls", len(peers), clients*each)
	}
}
