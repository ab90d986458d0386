package httpapi_test

import (
	"testing"

	"github.com/caravan-shop/caravan/services/user/internal/user"
)

func TestDemoAccountsAreMadeOnce(t *testing.T) {
	s := open(t)
	demo := []user.DemoAccount{
		{Email: "admin@demo.example", Password: "first passphrase", FirstName: "Ann", LastName: "Admin", Roles: []string{"admin", "customer"}},
		{Email: "customer@demo.example", Password: "first passphrase", FirstName: "Cat", LastName: "Customer"},
	}
	must(t, s.users.EnsureDemo(t.Context(), demo))
	demo[0].Password = "another passphrase"
	must(t, s.users.EnsureDemo(t.Context(), demo))
	s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", credentials("admin@demo.example", "another passphrase"))
	r := s.want(201, "", "POST", "/v1/sessions", "", credentials("admin@demo.example", "first passphrase"))
	s.want(200, "", "GET", "/v1/users", r.str("access_token"), nil)
	if n := query[int](s, `SELECT count(*) FROM users`); n != 2 {
		t.Errorf("accounts: got %d, want 2", n)
	}
	if err := s.users.EnsureDemo(t.Context(), []user.DemoAccount{{Email: "no address"}}); err == nil {
		t.Error("took an account without an address")
	}
}
