package httpapi_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// meddling lets a test act between the check of a password and what follows.
type meddling struct {
	user.Hasher
	then func()
}

func (m *meddling) Verify(ctx context.Context, password, hash string) (match, outdated bool, err error) {
	match, outdated, err = m.Hasher.Verify(ctx, password, hash)
	if m.then != nil {
		m.then()
	}
	return match, outdated, err
}

func TestSignInThatMeetsAChangeOfRolesGetsTheNewOnes(t *testing.T) {
	s := open(t)
	s.newPerson(user.RoleAdmin)
	p := s.newPerson(user.RoleCustomer, user.RoleAdmin)
	m := &meddling{Hasher: s.users.Hasher}
	s.users.Hasher = m
	m.then = func() {
		_, err := s.users.SetRoles(t.Context(), uuid.MustParse(p.id), []string{user.RoleCustomer}, func(int64) bool { return true })
		must(t, err)
	}
	p = s.signIn(p, password)
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(p.access, ".")[1])
	must(t, err)
	if strings.Contains(string(claims), user.RoleAdmin) {
		t.Errorf("claims of the token: got %s, want no role of an administrator", claims)
	}
}

func TestSignInThatMeetsAChangeOfPasswordGetsNoSession(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	m := &meddling{Hasher: s.users.Hasher}
	s.users.Hasher = m
	m.then = func() {
		m.then = nil
		err := s.users.ChangePassword(t.Context(), uuid.MustParse(p.id), uuid.MustParse(p.session), "another long passphrase", user.Evidence{Password: password})
		must(t, err)
	}
	s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", credentials(p.email, password))
	s.want(200, "", "GET", "/v1/users/me", p.access, nil)
}

func TestIfMatchNamesSeveral(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	change := map[string]string{"locale": "de"}
	tag := s.want(200, "", "GET", "/v1/users/me", p.access, nil).header.Get("Etag")
	s.want(412, "precondition_failed", "PATCH", "/v1/users/me", p.access, change, "If-Match: W/"+tag)
	s.want(412, "precondition_failed", "PATCH", "/v1/users/me", p.access, "not even JSON", `If-Match: "999"`)
	s.want(200, "", "PATCH", "/v1/users/me", p.access, change, `If-Match: "999", `+tag)
}

func TestOddInputIsRefused(t *testing.T) {
	s := open(t)
	p := s.newPerson(user.RoleCustomer, user.RoleAdmin)
	for _, c := range []struct {
		status             int
		code, method, path string
		body               any
	}{
		{400, "malformed_parameter", "GET", "/v1/users/me/addresses/not-an-id", nil},
		{400, "malformed_parameter", "GET", "/v1/users/a%2Fb", nil},
		{404, "route_unknown", "GET", "/v1/users/" + p.id + "/", nil},
		{400, "malformed_request", "GET", "/v1/users?query=%00", nil},
		{400, "malformed_request", "GET", "/v1/users?query=%ff", nil},
		{400, "malformed_parameter", "GET", "/v1/users?limit=99999999999999999999", nil},
		{400, "bad_limit", "GET", "/v1/users?limit=0", nil},
		{400, "bad_cursor", "GET", "/v1/users?cursor=MQ", nil},
		{400, "unknown_field", "POST", "/v1/sessions", `{"Email":"a@example.com","password":"x"}`},
		{400, "malformed_body", "POST", "/v1/sessions", `{"email":"a@example.com","password":"x","password":"y"}`},
		{400, "malformed_body", "POST", "/v1/sessions", `{"email":"a\u0000@example.com","password":"x"}`},
		{400, "malformed_body", "POST", "/v1/sessions", ""},
		{400, "malformed_body", "PUT", "/v1/users/" + p.id + "/roles", `{"roles":"admin"}`},
		{413, "body_too_large", "POST", "/v1/users", `"` + strings.Repeat("x", 1<<20) + `"`},
		{422, "validation_failed", "PATCH", "/v1/users/me", map[string]string{"locale": strings.Repeat("a-", 1000)}},
	} {
		s.want(c.status, c.code, c.method, c.path, p.access, c.body)
	}
	r := s.call("HEAD", "/v1/users/me", p.access, nil)
	if r.status != 200 || r.header.Get("Etag") == "" {
		t.Errorf("HEAD: got %d with ETag %q, want 200 with one", r.status, r.header.Get("Etag"))
	}
}

func TestManyKeyedRequestsAtOnceDoNotStarveEachOther(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	place := map[string]any{"recipient": "A", "line1": "1 Road", "city": "London", "postal_code": "SW1Y 4JH", "country": "GB", "is_default_shipping": true, "is_default_billing": false}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if r := s.call("POST", "/v1/users/me/addresses", p.access, place, fmt.Sprintf("Idempotency-Key: k%d", i)); r.status != 201 {
				t.Errorf("got %d %s, want 201", r.status, r.raw)
			}
		})
	}
	wg.Wait()
	if n := query[int](s, `SELECT count(*) FROM user_addresses WHERE is_default_shipping`); n != 1 {
		t.Errorf("default addresses: got %d, want 1", n)
	}
}
