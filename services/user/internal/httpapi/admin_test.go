package httpapi_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
)

func TestAdministration(t *testing.T) {
	s := open(t)
	admin, p := s.newPerson("customer", "admin"), s.newPerson()
	found := s.want(200, "", "GET", "/v1/users?query="+strings.ToUpper(p.email[:15]), admin.access, nil).items()
	if len(found) != 1 || found[0]["id"] != p.id {
		t.Errorf("search: got %v", found)
	}
	if none := s.want(200, "", "GET", "/v1/users?query=%25", admin.access, nil); len(none.items()) != 0 {
		t.Errorf("a wildcard matched: %s", none.raw)
	}
	first := s.want(200, "", "GET", "/v1/users?limit=1&query=quillfeather", admin.access, nil)
	second := s.want(200, "", "GET", "/v1/users?limit=1&query=quillfeather&cursor="+first.str("next_cursor"), admin.access, nil)
	if first.items()[0]["id"] != p.id || second.items()[0]["id"] != admin.id || second.body["next_cursor"] != nil {
		t.Errorf("pages: got %s, %s", first.raw, second.raw)
	}

	s.want(422, "role_unknown", "PUT", "/v1/users/"+p.id+"/roles", admin.access, map[string]any{"roles": []string{"king"}})
	s.want(422, "validation_failed", "PUT", "/v1/users/"+p.id+"/roles", admin.access, map[string]any{"roles": []string{}})
	r := s.want(200, "", "PUT", "/v1/users/"+p.id+"/roles", admin.access, map[string]any{"roles": []string{"staff", "customer", "staff"}})
	if roles := r.body["roles"].([]any); len(roles) != 2 {
		t.Errorf("roles: got %v", roles)
	}
	s.want(401, "session_revoked", "GET", "/v1/users/me", p.access, nil)
	p = s.signIn(p, password)
	s.want(200, "", "PUT", "/v1/users/"+p.id+"/roles", admin.access, map[string]any{"roles": []string{"customer", "staff"}})
	s.want(200, "", "GET", "/v1/users/me", p.access, nil) // the same roles end no session

	s.want(200, "", "POST", "/v1/users/"+p.id+"/disable", admin.access, nil)
	s.want(200, "", "POST", "/v1/users/"+p.id+"/disable", admin.access, nil)
	s.want(401, "session_revoked", "GET", "/v1/users/me", p.access, nil)
	s.want(401, "refresh_token_invalid", "POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": p.refresh})
	s.want(403, "account_disabled", "POST", "/v1/sessions", "", credentials(p.email, password))
	s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", credentials(p.email, "wrong password"))
	s.want(200, "", "POST", "/v1/users/"+p.id+"/enable", admin.access, nil)
	s.signIn(p, password)

	s.want(409, "last_admin", "POST", "/v1/users/"+admin.id+"/disable", admin.access, nil)
	s.want(409, "last_admin", "PUT", "/v1/users/"+admin.id+"/roles", admin.access, map[string]any{"roles": []string{"customer"}})
	s.want(409, "last_admin", "DELETE", "/v1/users/me", admin.access, nil)
	s.want(404, "user_not_found", "GET", "/v1/users/"+uuid.NewString(), admin.access, nil)
}

// Every route of the document is walked, so that a new one can't be forgotten.
func TestEveryRouteAsksWhoCalls(t *testing.T) {
	s := open(t)
	doc, err := openapi3.NewLoader().LoadFromFile("../../openapi.yaml")
	must(t, err)
	customer, staff, victim := s.newPerson(), s.newPerson("staff"), s.newPerson()
	foreign := map[string]string{
		"/v1/users/me/addresses/{id}": s.want(201, "", "POST", "/v1/users/me/addresses", victim.access, london()).str("id"),
		"/v1/sessions/{id}":           victim.session,
	}
	for template, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			id, belongs := foreign[template]
			if !belongs {
				id = victim.id
			}
			path := strings.ReplaceAll(template, "{id}", id)
			switch access := op.Extensions["x-access"]; access {
			case "public":
			case "internal":
				if r := s.call(method, path, "", nil, "dapr-api-token: wrong"); r.status != 401 {
					t.Errorf("%s %s without the app token: got %d, want 401", method, path, r.status)
				}
			case "user", "admin":
				s.want(401, "token_missing", method, path, "", nil)
				s.want(401, "token_invalid", method, path, "forged", nil)
				if access == "admin" {
					s.want(403, "role_required", method, path, customer.access, nil)
					s.want(403, "role_required", method, path, staff.access, nil)
				}
				if belongs {
					s.want(404, "", method, path, customer.access, nil)
					s.want(404, "", method, path, staff.access, nil)
				}
			default:
				t.Errorf("%s %s: x-access %v is not known to this test", method, template, access)
			}
		}
	}
	s.want(200, "", "GET", "/v1/users/me", victim.access, nil)
}

func TestNothingPersonalLeaves(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	s.call("POST", "/v1/sessions", "", credentials(p.email, "hunter2hunter2"))
	s.call("PATCH", "/v1/users/me", p.access, map[string]any{"first_name": "Bartholomew"})
	s.call("POST", "/v1/password-resets", "", map[string]any{"email": p.email})
	s.answerResets(1)
	s.call("POST", "/v1/users/me/addresses", p.access, london())
	events := query[string](s, `SELECT string_agg(payload::text, ' ') FROM outbox`)
	for where, text := range map[string]string{"events": events, "log": s.log.String()} {
		for _, secret := range []string{p.email, "Zebediah", "Bartholomew", "Downing", password, "hunter2", p.access, p.refresh} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in the %s: %s", secret, where, text)
			}
		}
	}
}

func TestDocumentIsValid(t *testing.T) {
	raw, err := os.ReadFile("../../openapi.yaml")
	must(t, err)
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	must(t, err)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.OperationID == "" || op.Summary == "" {
				t.Errorf("%s %s has no operationId or summary", method, path)
			}
			if method == http.MethodGet && op.RequestBody != nil {
				t.Errorf("%s %s has a body", method, path)
			}
		}
	}
}
