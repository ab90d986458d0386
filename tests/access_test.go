package tests

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"gopkg.in/yaml.v3"

	"github.com/caravan-shop/caravan/tests/shop"
)

// who is one column of the matrix: somebody who sends a request.
type who string

const (
	anonymous who = "anonymous"
	owner     who = "owner"
	other     who = "other customer"
	staff     who = "staff"
	admin     who = "admin"
	expired   who = "expired token"
	revoked   who = "revoked session's token"
	foreign   who = "token signed by another key"
	noAlg     who = "alg none"
	confused  who = "public key taken for an HMAC secret"
)

// everybody ends with who may do most: the owner comes after those whose try
// must have changed nothing.
func everybody() []who {
	return []who{anonymous, expired, revoked, foreign, noAlg, confused, other, owner, staff, admin}
}

func (w who) signedIn() bool { return slices.Contains([]who{owner, other, staff, admin}, w) }

// route is one operation of an OpenAPI document.
type route struct{ app, method, path, operation, access string }

func (r route) name() string { return r.app + "." + r.operation }

// readRoutes reads every service's document from the checkout.
func readRoutes(t *testing.T) []route {
	t.Helper()
	files, err := filepath.Glob("../services/*/openapi.yaml")
	if err != nil || len(files) != 6 {
		t.Fatalf("OpenAPI documents: got %d (%v), want one of each service", len(files), err)
	}
	var all []route
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Paths map[string]map[string]yaml.Node `yaml:"paths"`
		}
		if err := yaml.Unmarshal(raw, &doc); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		app := filepath.Base(filepath.Dir(file))
		for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
			for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
				if method == "parameters" {
					continue
				}
				node := doc.Paths[path][method]
				var op struct {
					ID     string `yaml:"operationId"`
					Access string `yaml:"x-access"`
				}
				if err := node.Decode(&op); err != nil || op.ID == "" || op.Access == "" {
					t.Fatalf("%s: %s %s lacks operationId or x-access (%v)", file, method, path, err)
				}
				all = append(all, route{app, strings.ToUpper(method), path, op.ID, op.Access})
			}
		}
	}
	return all
}

// probe says how one route is tried. The zero probe is a GET that answers 200.
type probe struct {
	ok    int // for whoever may; 0: 200
	owned bool
	seen  []who // who besides the owner sees a thing that is owned
	// params gives the values of the path's parameters; anew after each success if fresh.
	params func(*cast) []string
	fresh  bool
	query  func(*cast, []string) string
	body   func(c *cast, as *shop.Shopper, params []string) any
	header func(*cast, []string) []shop.Header
	alone  bool // it ends what it is tried with: take an account made for it
	want   map[who]int
}

// expected is what x-access promises, the probe's exceptions first.
func (p probe) expected(r route, as who) int {
	ok := p.ok
	if ok == 0 {
		ok = http.StatusOK
	}
	want, exception := p.want[as]
	switch {
	case exception:
		return want
	case r.access == "internal":
		return http.StatusNotFound
	case r.access == "public", as == anonymous && r.access == "guest":
		return ok
	case !as.signedIn():
		return http.StatusUnauthorized
	case r.access == "admin" && as != admin, r.access == "staff" && as != staff && as != admin:
		return http.StatusForbidden
	case p.owned && as != owner && !slices.Contains(p.seen, as):
		return http.StatusNotFound
	}
	return ok
}

// TestEveryRouteRefusesWhomItMust walks each operation of each service's OpenAPI
// document with each kind of caller, through the edge.
func TestEveryRouteRefusesWhomItMust(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	routes, table := readRoutes(t), probes()
	for _, r := range routes {
		if _, known := table[r.name()]; !known && r.access != "internal" {
			t.Errorf("%s %s (%s) is not in the table of probes: who may call it?", r.method, r.path, r.name())
		}
		delete(table, r.name())
	}
	for name := range table {
		t.Errorf("the table of probes names %s, which no document has", name)
	}
	if t.Failed() {
		return
	}
	c, table, calls := newCast(t, ctx), probes(), 0
	for _, r := range routes {
		p, params := table[r.name()], []string(nil)
		for _, as := range everybody() {
			if params == nil && p.params != nil {
				params = p.params(c)
			}
			got := c.try(r, p, as, params)
			calls++
			if want := p.expected(r, as); got.Status != want {
				t.Errorf("%s %s%s as %s: got %d, want %d: %.200s", r.method, r.app, r.path, as, got.Status, want, got.Body)
			}
			if got.Status >= 400 && got.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s%s as %s: %d is no problem document", r.method, r.app, r.path, as, got.Status)
			}
			if p.fresh && got.Status < 300 {
				params = nil
			}
		}
	}
	t.Logf("%d operations, %d calls", len(routes), calls)
}

// cast is who acts in the matrix, and what they own.
type cast struct {
	t      *testing.T
	ctx    context.Context
	people map[who]*shop.Shopper
	tokens map[who]string // of those who are nobody
	stock  *shop.Product
	order  *shop.Order // confirmed and paid, the owner's
}

func newCast(t *testing.T, ctx context.Context) *cast {
	t.Helper()
	c := &cast{t: t, ctx: ctx, people: map[who]*shop.Shopper{}, tokens: map[who]string{}}
	for _, as := range []who{owner, other, staff, admin} {
		c.people[as] = c.account(as)
	}
	c.tokens[expired] = expiredToken(t, ctx, c.people[owner])
	c.forge()
	c.tokens[revoked] = c.revokedToken()
	c.stock = product(t, ctx, 1000, 10_000)
	c.order = c.paidOrder()
	return c
}

// must ends the test on an error of what a probe needs.
func (c *cast) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// account makes an account of its own with the role of a column.
func (c *cast) account(as who) *shop.Shopper {
	c.t.Helper()
	s := shopper(c.t, c.ctx)
	if as != staff && as != admin {
		return s
	}
	_, err := w.staff.Want(c.ctx, http.StatusOK, nil, "PUT", "user", "/v1/users/"+s.User.ID+"/roles",
		map[string]any{"roles": []string{"customer", string(as)}}, w.staff.Token())
	c.must(err)
	return c.again(s)
}

// again signs in once more.
func (c *cast) again(s *shop.Shopper) *shop.Shopper {
	c.t.Helper()
	next, err := shop.SignIn(c.ctx, w.http, s.Email, s.Password)
	c.must(err)
	next.AddressID = s.AddressID
	return next
}

// forge makes tokens that say what the owner's says, signed by nobody who may.
func (c *cast) forge() {
	c.t.Helper()
	var claims jwt.MapClaims
	genuine, parts, err := jwt.NewParser().ParseUnverified(c.people[owner].AccessToken, &claims)
	c.must(err)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	c.must(err)
	forged := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	forged.Header = genuine.Header
	c.tokens[foreign], err = forged.SignedString(private)
	c.must(err)
	head := func(alg string) string {
		raw, err := json.Marshal(map[string]any{"alg": alg, "typ": genuine.Header["typ"], "kid": genuine.Header["kid"]})
		c.must(err)
		return base64.RawURLEncoding.EncodeToString(raw) + "." + parts[1]
	}
	c.tokens[noAlg] = head("none") + "."
	mac := hmac.New(sha256.New, publicKey(c.t, c.ctx, fmt.Sprint(genuine.Header["kid"])))
	_, _ = mac.Write([]byte(head("HS256")))
	c.tokens[confused] = head("HS256") + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// revokedToken ends a session and waits until each service has heard of it,
// which must be within 60 s.
func (c *cast) revokedToken() string {
	c.t.Helper()
	s := c.again(c.people[owner])
	_, err := s.Want(c.ctx, http.StatusNoContent, nil, "DELETE", "user", "/v1/sessions/current", nil, s.Token())
	c.must(err)
	ctx, cancel := context.WithTimeout(c.ctx, time.Minute)
	defer cancel()
	for app, path := range map[string]string{"user": "/v1/users/me", "product": "/v1/products?limit=1", "cart": "/v1/cart", "order": "/v1/orders",
		"payment": "/v1/saved-payment-methods", "notification": "/v1/templates"} {
		c.must(shop.Eventually(ctx, func() error {
			_, err := s.Want(ctx, http.StatusUnauthorized, nil, "GET", app, path, nil, s.Token())
			return err
		}))
	}
	return s.AccessToken
}

// try sends the request of a probe.
func (c *cast) try(r route, p probe, as who, params []string) *shop.Response {
	c.t.Helper()
	// Who is nobody sends what the owner would.
	person := c.people[owner]
	if as.signedIn() {
		person = c.people[as]
		if p.alone {
			person = c.account(as)
		}
	}
	path, headers := fill(r.path, params), []shop.Header{shop.IdempotencyKey(shop.Unique("matrix"))}
	if p.query != nil {
		path += "?" + p.query(c, params)
	}
	if p.header != nil {
		headers = append(headers, p.header(c, params)...)
	}
	switch {
	case as.signedIn():
		headers = append(headers, person.Token())
	case as != anonymous:
		headers = append(headers, shop.Bearer(c.tokens[as]))
	}
	var body any
	if p.body != nil {
		body = p.body(c, person, params)
	} else if r.method == "POST" && r.access == "internal" {
		body = map[string]any{}
	}
	if text, isText := body.(string); isText {
		headers = append(headers, shop.Header{Name: "Content-Type", Value: "application/x-ndjson"})
		resp, err := w.http.Raw(c.ctx, r.method, r.app, path, strings.NewReader(text), headers...)
		c.must(err)
		return resp
	}
	resp, err := w.http.Do(c.ctx, r.method, r.app, path, body, headers...)
	c.must(err)
	return resp
}

// fill puts values for the parameters of a path, in order.
func fill(path string, params []string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") && len(params) > 0 {
			parts[i], params = params[0], params[1:]
		}
	}
	return strings.Join(parts, "/")
}
