package httpapi_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func london(changes ...map[string]any) map[string]any {
	a := map[string]any{"recipient": "Marmaduke", "line1": "10 Downing Street", "city": "London", "postal_code": "sw1a 2aa", "country": "gb"}
	for _, c := range changes {
		maps.Copy(a, c)
	}
	return a
}

func TestAddresses(t *testing.T) {
	s := open(t)
	p, stranger := s.newPerson(), s.newPerson()
	both := map[string]any{"is_default_shipping": true, "is_default_billing": true}
	first := s.want(201, "", "POST", "/v1/users/me/addresses", p.access, london(both))
	if first.str("postal_code") != "SW1A 2AA" || first.str("country") != "GB" {
		t.Errorf("address: got %s", first.raw)
	}
	path := first.header.Get("Location")
	if got := s.want(200, "", "GET", path, p.access, nil); got.raw != first.raw || got.header.Get("ETag") != first.header.Get("ETag") {
		t.Errorf("read back: got %s, want %s", got.raw, first.raw)
	}
	second := s.want(201, "", "POST", "/v1/users/me/addresses", p.access, london(map[string]any{"is_default_shipping": true}))
	list := s.want(200, "", "GET", "/v1/users/me/addresses", p.access, nil).items()
	if len(list) != 2 || list[0]["is_default_shipping"] != false || list[0]["is_default_billing"] != true || list[1]["is_default_shipping"] != true {
		t.Errorf("defaults: got %v", list)
	}
	// The first address lost a default: its tag of before is stale.
	s.want(412, "precondition_failed", "PUT", path, p.access, `nonsense`, "If-Match: "+first.header.Get("ETag"))
	tag := s.call("GET", path, p.access, nil).header.Get("ETag")
	put := s.want(200, "", "PUT", path, p.access, london(map[string]any{"label": "Work"}), "If-Match: "+tag)
	if put.str("label") != "Work" || put.body["is_default_billing"] != false {
		t.Errorf("replaced: got %s", put.raw)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		s.want(404, "address_not_found", method, path, stranger.access, nil)
		s.want(404, "address_not_found", method, "/v1/users/me/addresses/"+uuid.NewString(), p.access, nil)
	}
	s.want(412, "precondition_failed", "DELETE", path, p.access, nil, "If-Match: "+tag)
	s.want(204, "", "DELETE", path, p.access, nil)
	s.want(404, "address_not_found", "GET", path, p.access, nil)
	s.want(404, "address_not_found", "DELETE", path, p.access, nil)
	if rest := s.call("GET", "/v1/users/me/addresses", p.access, nil).items(); len(rest) != 1 {
		t.Errorf("after delete: got %v", rest)
	}
	ids := []string{first.str("id"), second.str("id"), uuid.NewString()}
	lookup := s.want(200, "", "POST", "/internal/addresses/lookup", "", map[string]any{"user_id": p.id, "address_ids": ids})
	if lookup.str("account") != "active" || strings.Count(lookup.raw, `"recipient"`) != 1 || !strings.Contains(lookup.raw, ids[1]) {
		t.Errorf("lookup: got %s", lookup.raw)
	}
	foreign := s.want(200, "", "POST", "/internal/addresses/lookup", "", map[string]any{"user_id": stranger.id, "address_ids": ids})
	if strings.Contains(foreign.raw, "recipient") {
		t.Errorf("lookup of another's: got %s", foreign.raw)
	}
	nobody := s.want(200, "", "POST", "/internal/addresses/lookup", "", map[string]any{"user_id": uuid.NewString(), "address_ids": ids})
	if nobody.str("account") != "unknown" {
		t.Errorf("lookup of nobody: got %s", nobody.raw)
	}
}

func TestAddressesFollowTheirCountry(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	for name, bad := range map[string]map[string]any{
		"country":     {"country": "XX"},
		"reserved":    {"country": "ZZ"},
		"postal_code": {"postal_code": "12345"},
		"no code":     {"postal_code": ""},
		"no region":   {"country": "US", "postal_code": "94043"},
		"recipient":   {"recipient": " "},
		"line1":       {"line1": strings.Repeat("x", 201)},
		"city":        {"city": "Lon\u0007don"},
		"phone":       {"phone": "call me"},
	} {
		if r := s.call("POST", "/v1/users/me/addresses", p.access, london(bad)); r.status != 422 || r.str("code") != "validation_failed" || r.body["errors"] == nil {
			t.Errorf("%s: got %d %s, want 422 validation_failed", name, r.status, r.raw)
		}
	}
	for _, good := range []map[string]any{
		{"country": "US", "postal_code": "94043", "region": "CA"},
		{"country": "DE", "postal_code": "10115"},
		{"country": "NL", "postal_code": "1012 AB"},
		{"country": "IE", "postal_code": ""},
		{"country": "AE", "postal_code": "", "region": "Dubai"},
		{"postal_code": "ec1a1bb", "phone": "+44 (0)20 7946-0000"},
	} {
		s.want(201, "", "POST", "/v1/users/me/addresses", p.access, london(good))
	}
}

func TestRepeatedKeyAddsOneAddress(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	first := s.want(201, "", "POST", "/v1/users/me/addresses", p.access, london(), "Idempotency-Key: a1")
	again := s.want(201, "", "POST", "/v1/users/me/addresses", p.access, london(), "Idempotency-Key: a1")
	if first.raw != again.raw || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay: got %s, want %s", again.raw, first.raw)
	}
	s.want(422, "idempotency_key_reused", "POST", "/v1/users/me/addresses", p.access, london(map[string]any{"city": "Leeds"}), "Idempotency-Key: a1")
}
