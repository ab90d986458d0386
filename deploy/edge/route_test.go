package main

import (
	"bufio"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

const invoke = "/v1.0/invoke/"

func TestMatchPasses(t *testing.T) {
	for target, app := range map[string]string{
		"/v1.0/healthz":                                                  "",
		"/v1.0/healthz/outbound":                                         "",
		invoke + "user/method/v1/users":                                  "user",
		invoke + "user/method/.well-known/jwks.json":                     "user",
		invoke + "product/method/v1/products?limit=5&q=a/":               "product",
		invoke + "product/method/v1/products/by-sku/A%20B":               "product",
		invoke + "product/method/v1/products/by-sku/caf%C3%A9":           "product",
		invoke + "product/method/v1/products/by-sku/85123A+x@1:2,(3)*!$": "product",
		invoke + "payment/method/v1/webhooks/stripe":                     "payment",
		invoke + "cart/method/v1/cart?next=//x/../y;z":                   "cart",
		invoke + "order/method/v1/method/v1":                             "order",
		invoke + "notification/method/v1/templates":                      "notification",
	} {
		got, why := match("GET", target)
		if why != nil || got.app != app {
			t.Errorf("match(%s): got %q, %+v, want app %q", target, got.app, why, app)
		}
	}
}

func TestMatchRefuses(t *testing.T) {
	for _, target := range []string{
		"", "*", "/", "v1.0/healthz", "http://127.0.0.1:9200/", "http://127.0.0.1:3500/v1.0/healthz", "//v1.0/healthz", "/v1.0/healthz/",
		"/v1.0/metadata", "/v1.0/shutdown", "/v1.0/state/carts", "/v1.0/publish/pubsub/order.created", "/v1.0/secrets/secrets/bulk",
		"/v1.0/healthz/inbound", "/V1.0/healthz", "/v1.0-alpha1/x", "/v1.0/invoke", invoke, "/healthz", "/v1/users",
		// apps
		invoke + "edge/method/v1/x", invoke + "User/method/v1/x", invoke + "USER/method/v1/x", invoke + "user.default/method/v1/x",
		invoke + "user.other/method/v1/x", invoke + "user,product/method/v1/x", invoke + "usera/method/v1/x", invoke + "/method/v1/x",
		invoke + "http://127.0.0.1:9200/method/v1/x", invoke + "http:/127.0.0.1:9200/method/v1/x", invoke + "http%3A%2F%2F127.0.0.1%3A9200/method/v1/x",
		invoke + "user%2Fmethod%2Fv1/method/v1/x", invoke + "%75ser/method/v1/x", invoke + "us%65r/method/v1/x", invoke + "user%00/method/v1/x",
		invoke + "user+/method/v1/x", invoke + "user:80/method/v1/x", invoke + "user@x/method/v1/x",
		// methods
		invoke + "user/method", invoke + "user/method/", invoke + "user/method/v1", invoke + "user/method/v1/", invoke + "user/method/v1/users/",
		invoke + "user/method/healthz", invoke + "user/method/metrics", invoke + "user/method/internal/contacts", invoke + "user/method/events/order.created",
		invoke + "user/method/V1/users", invoke + "user/method/v2/users", invoke + "user/method/v1x/users", invoke + "user/v1/users",
		invoke + "user/method/.Well-Known/jwks.json", invoke + "user/method/.well-known", invoke + "user/x/method/v1/users", invoke + "user/Method/v1/users",
		// disguises
		invoke + "user/method//v1/users", invoke + "user/method/v1//users", invoke + "user//method/v1/users", "/v1.0//invoke/user/method/v1/x",
		invoke + "user/method/v1/../internal/contacts", invoke + "user/method/v1/./users", invoke + "user/method/v1/..", invoke + "user/method/./v1/x",
		invoke + "user/method/v1/%2e%2e/internal/contacts", invoke + "user/method/v1/.%2E/internal/contacts", invoke + "user/method/v1/%2E%2E%2Finternal/contacts",
		invoke + "user/method/v1/%252e%252e%252finternal", invoke + "user/method/v1/..%5cinternal", invoke + `user/method/v1/..\internal`, invoke + "user/method/v1/a%2fb",
		invoke + "user/method/v1/a%2Fb", invoke + "user/method/v1/%5Cx", invoke + "user/method/v1/a;b", invoke + "user/method/v1/a%3Bb", invoke + "user/method/v1/..;/internal",
		invoke + "user/method/v1/a%3Fb=c", invoke + "user/method/v1/a%23b", invoke + "user/method/v1/a#b", invoke + "user/method/v1/a%00", invoke + "user/method/v1/a%0d%0ab",
		invoke + "user/method/v1/a%7f", invoke + "user/method/v1/a%25b", invoke + "user/method/v1/a%", invoke + "user/method/v1/a%4", invoke + "user/method/v1/a%zz",
		invoke + "user/method/v1/%61", invoke + "user/method/%76%31/users", invoke + "user/method/v1/a b", invoke + "user/method/v1/a\x00", invoke + "user/method/v1/a\tb",
		invoke + "user/method/v1/caf\xc3\xa9", invoke + "user/method/v1/caf%C3", invoke + "user/method/v1/%ff%fe", invoke + "user/method/v1/%C0%AE%C0%AE/x",
		invoke + "user/method/v1/a|b", invoke + `user/method/v1/"x"`, invoke + "user/method/v1/<x>", invoke + "user/method/v1/{x}", invoke + "user/method/v1/[x]",
	} {
		if got, why := match("GET", target); why == nil || why.status != http.StatusNotFound {
			t.Errorf("match(%q): got %+v, %+v, want 404", target, got, why)
		}
	}
}

func TestMatchMethods(t *testing.T) {
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"POST", invoke + "user/method/v1/users", 0},
		{"DELETE", invoke + "user/method/v1/users/me", 0},
		{"HEAD", invoke + "user/method/v1/users/me", 0},
		{"post", invoke + "user/method/v1/users", 405},
		{"OPTIONS", invoke + "user/method/v1/users", 405},
		{"TRACE", invoke + "user/method/v1/users", 405},
		{"CONNECT", invoke + "user/method/v1/users", 405},
		{"CONNECT", "127.0.0.1:9200", 404},
		{"POST", "/v1.0/healthz", 405},
		{"PUT", "/v1.0/metadata/x", 404},
		{"GET", invoke + "user/method/v1/" + strings.Repeat("a", maxURI), 414},
		{"GET", invoke + "user/method/v1/a?" + strings.Repeat("a", maxURI), 414},
	} {
		_, why := match(c.method, c.target)
		got := 0
		if why != nil {
			got = why.status
		}
		if got != c.status {
			t.Errorf("match(%s %.60s): got %d, want %d", c.method, c.target, got, c.status)
		}
		if got == 405 && why.allow == "" {
			t.Errorf("match(%s %.60s): no Allow header", c.method, c.target)
		}
	}
}

func TestOnlyTheImportStreams(t *testing.T) {
	for target, want := range map[string]bool{
		invoke + "product/method/v1/products/import":   true,
		invoke + "product/method/v1/products/import?x": true,
		invoke + "product/method/v1/products":          false,
		invoke + "product/method/v1/products/import/x": false,
		invoke + "user/method/v1/products/import":      false,
	} {
		if got, why := match("POST", target); why != nil || got.streams != want {
			t.Errorf("match(POST %s): got streams %v, %+v, want %v", target, got.streams, why, want)
		}
	}
	if got, _ := match("GET", invoke+"product/method/v1/products/import"); got.streams {
		t.Error("a GET of the import streams")
	}
}

// FuzzMatch plays what the two sidecars do with every path that passes, and
// demands that the app and the path which the service sees are the ones checked.
func FuzzMatch(f *testing.F) {
	for _, seed := range []string{
		"/v1.0/healthz", invoke + "user/method/v1/users", invoke + "product/method/v1/products/by-sku/A%20B?x=1", invoke + "user/method/.well-known/jwks.json",
		invoke + "http%3A%2F%2F127.0.0.1%3A9200/method/v1/x", invoke + "user/method/v1/%252e%252e/x", invoke + "user/method/v1/..;/x", "//v1.0/invoke/user/method/v1/x",
		invoke + "user/method/v1/a%3Fb%23c", invoke + "user.default/method/v1/%C3%A9", invoke + `user/method/v1/\..\x`, "http://h/v1.0/invoke/user/method/v1/x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got, why := match("GET", target)
		if why != nil {
			return
		}
		// What net/http makes of it must be what was checked; a target that it
		// refuses never gets this far.
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")))
		if err != nil {
			return
		}
		raw, _, _ := strings.Cut(target, "?")
		if req.URL.EscapedPath() != raw || req.URL.Host != "" {
			t.Fatalf("%q: net/http sends on %q", target, req.URL)
		}
		if got.app == "" {
			if raw != "/v1.0/healthz" && raw != "/v1.0/healthz/outbound" {
				t.Fatalf("%q passed as health", target)
			}
			return
		}
		app, method := daprdParse(req.URL.Path)
		if !slices.Contains([]string{"user", "product", "cart", "order", "payment", "notification"}, app) || app != got.app {
			t.Fatalf("%q: a sidecar calls app %q", target, app)
		}
		seen, err := url.Parse("http://127.0.0.1:1/" + method)
		if err != nil {
			t.Fatalf("%q: the callee's sidecar cannot call %q", target, method)
		}
		if seen.Host != "127.0.0.1:1" || seen.RawQuery != "" || seen.Fragment != "" || seen.Path != "/"+method || path.Clean(seen.Path) != seen.Path {
			t.Fatalf("%q: the service sees %q", target, seen)
		}
		if !strings.HasPrefix(seen.Path, "/v1/") && !strings.HasPrefix(seen.Path, "/.well-known/") {
			t.Fatalf("%q: the service sees %q", target, seen.Path)
		}
	})
}

// daprdParse does what daprd 1.18 documents and was observed to do: the decoded
// path is cleaned, split at the first /method/, and the app id decoded once more.
func daprdParse(decoded string) (app, method string) {
	rest := strings.TrimPrefix(path.Clean(decoded), "/v1.0/invoke/")
	app, method, _ = strings.Cut(rest, "/method/")
	if again, err := url.QueryUnescape(app); err == nil {
		app = again
	}
	return app, path.Clean(method)
}
