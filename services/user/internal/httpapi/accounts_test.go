package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func registration(email, secret string) map[string]any {
	return map[string]any{"email": email, "password": secret, "first_name": "Ada", "last_name": "Lovelace"}
}

func TestRegister(t *testing.T) {
	s := open(t)
	r := s.want(201, "", "POST", "/v1/users", "", registration("Ada@Example.com", password))
	if got := r.str("email"); got != "Ada@Example.com" {
		t.Errorf("email: got %q, want it as typed", got)
	}
	if strings.Contains(r.raw, password) || r.body["status"] != "active" || r.body["email_verified"] != false {
		t.Errorf("account: got %s", r.raw)
	}
	if r.header.Get("Location") == "" || r.header.Get("ETag") == "" {
		t.Errorf("headers: got %v", r.header)
	}
	for _, same := range []string{"ada@example.com", "ADA@EXAMPLE.COM", "\uff21da@example.com", " ada@example.com "} {
		s.want(409, "email_taken", "POST", "/v1/users", "", registration(same, password))
	}
	for _, weak := range []string{"short", "password", "PASSWORD1", "12345678", "iloveyou1"} {
		s.want(422, "password_too_weak", "POST", "/v1/users", "", registration("new@example.com", weak))
	}
	s.want(201, "", "POST", "/v1/users", "", registration("eight@example.com", "ünïcödé8"))
	for _, bad := range []string{"", "ada", "ada@", "@example.com", "a b@example.com", "Ada <ada2@example.com>", "ada@example"} {
		s.want(422, "validation_failed", "POST", "/v1/users", "", registration(bad, password))
	}
	s.want(400, "unknown_field", "POST", "/v1/users", "", map[string]any{"email": "x@example.com", "admin": true})
	s.want(400, "malformed_body", "POST", "/v1/users", "", `{"email":`)
	s.want(415, "unsupported_media_type", "POST", "/v1/users", "", `{}`, "Content-Type: text/plain")
	s.want(413, "body_too_large", "POST", "/v1/users", "", `"`+strings.Repeat("x", 2<<20)+`"`)
}

func TestLongPasswords(t *testing.T) {
	s := open(t)
	long := strings.Repeat("no rule but length ", 50)[:900]
	s.want(201, "", "POST", "/v1/users", "", registration("long@example.com", long))
	for _, other := range []string{long[:899], strings.ToUpper(long), long + " ", strings.Repeat("x", 1025)} {
		s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", credentials("long@example.com", other))
		s.want(201, "", "POST", "/v1/sessions", "", credentials("long@example.com", long))
	}
	s.want(422, "validation_failed", "POST", "/v1/users", "", registration("longer@example.com", strings.Repeat("too long ", 114)))
	// Composed and decomposed letters are the same to a keyboard.
	s.want(201, "", "POST", "/v1/users", "", registration("composed@example.com", "caf\u00e9 by the sea"))
	s.want(201, "", "POST", "/v1/sessions", "", credentials("composed@example.com", "cafe\u0301 by the sea"))
}

func TestProfile(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	me := s.want(200, "", "GET", "/v1/users/me", p.access, nil)
	tag := me.header.Get("ETag")
	r := s.want(200, "", "PATCH", "/v1/users/me", p.access, map[string]any{"locale": "de-at", "first_name": " Grace "}, "If-Match: "+tag)
	if r.str("locale") != "de-AT" || r.str("first_name") != "Grace" || r.str("last_name") != "Quillfeather" {
		t.Errorf("profile: got %s", r.raw)
	}
	s.want(412, "precondition_failed", "PATCH", "/v1/users/me", p.access, `not json`, "If-Match: "+tag)
	s.want(422, "validation_failed", "PATCH", "/v1/users/me", p.access, map[string]any{"locale": "not a locale"})
	s.want(400, "unknown_field", "PATCH", "/v1/users/me", p.access, map[string]any{"roles": []string{"admin"}})
	changed := query[string](s, `SELECT payload->>'changed' FROM outbox WHERE topic = 'user.updated'`)
	if changed != `["first_name", "locale"]` {
		t.Errorf("user.updated names %s", changed)
	}
}

func TestChangePassword(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	other := s.signIn(p, password)
	change := map[string]any{"current_password": "not the password", "new_password": "another fine passphrase"}
	s.want(422, "current_password_wrong", "POST", "/v1/users/me/password", p.access, change)
	change["current_password"] = password
	change["new_password"] = "password1"
	s.want(422, "password_too_weak", "POST", "/v1/users/me/password", p.access, change)
	change["new_password"] = "another fine passphrase"
	s.want(204, "", "POST", "/v1/users/me/password", p.access, change, "Idempotency-Key: k1")
	again := s.want(204, "", "POST", "/v1/users/me/password", p.access, change, "Idempotency-Key: k1")
	if again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay: got %v", again.header)
	}
	s.want(200, "", "GET", "/v1/users/me", p.access, nil)
	s.want(401, "session_revoked", "GET", "/v1/users/me", other.access, nil)
	s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", map[string]any{"email": p.email, "password": password})
	s.signIn(p, "another fine passphrase")
}

func TestPasswordReset(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	known := s.want(202, "", "POST", "/v1/password-resets", "", map[string]any{"email": strings.ToUpper(p.email)})
	unknown := s.want(202, "", "POST", "/v1/password-resets", "", map[string]any{"email": "nobody@example.com"})
	if known.raw != unknown.raw {
		t.Errorf("answers differ: %q, %q", known.raw, unknown.raw)
	}
	s.answerResets(1)
	reset := query[string](s, `SELECT payload->>'reset_id' FROM outbox WHERE topic = 'password.reset'`)
	got := s.want(200, "", "POST", "/internal/password-resets/token", "", map[string]any{"reset_id": reset})
	token := got.str("token")
	if len(token) != 43 || got.str("result") != "ok" {
		t.Fatalf("token: got %s, want 256 bits", got.raw)
	}
	if again := s.call("POST", "/internal/password-resets/token", "", map[string]any{"reset_id": reset}); again.str("token") != token {
		t.Errorf("token asked for again: got another one")
	}
	s.want(422, "password_too_weak", "POST", "/v1/password-resets/confirm", "", map[string]any{"token": token, "new_password": "password"})
	confirm := map[string]any{"token": token, "new_password": "reset to this phrase"}
	s.want(204, "", "POST", "/v1/password-resets/confirm", "", confirm)
	s.want(422, "reset_token_invalid", "POST", "/v1/password-resets/confirm", "", confirm)
	s.want(422, "reset_token_invalid", "POST", "/v1/password-resets/confirm", "", map[string]any{"token": "x", "new_password": password})
	s.want(401, "session_revoked", "GET", "/v1/users/me", p.access, nil)
	gone := s.want(200, "", "POST", "/internal/password-resets/token", "", map[string]any{"reset_id": reset})
	if gone.str("result") != "gone" {
		t.Errorf("used reset: got %s", gone.raw)
	}
	s.signIn(p, "reset to this phrase")
}

func TestExpiredResetIsRefused(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	s.want(202, "", "POST", "/v1/password-resets", "", map[string]any{"email": p.email})
	s.answerResets(1)
	reset := query[string](s, `SELECT id::text FROM password_reset_tokens`)
	token := s.call("POST", "/internal/password-resets/token", "", map[string]any{"reset_id": reset}).str("token")
	s.exec(`UPDATE password_reset_tokens SET expires_at = now() - interval '1 second'`)
	s.want(422, "reset_token_invalid", "POST", "/v1/password-resets/confirm", "", map[string]any{"token": token, "new_password": "a fine new phrase"})
}

func TestEmailVerification(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	token := s.call("POST", "/internal/email-verifications/token", "", map[string]any{"user_id": p.id}).str("token")
	s.want(422, "verification_token_invalid", "POST", "/v1/email-verifications/confirm", "", map[string]any{"token": token + "x"})
	s.want(204, "", "POST", "/v1/email-verifications/confirm", "", map[string]any{"token": token})
	s.want(422, "verification_token_invalid", "POST", "/v1/email-verifications/confirm", "", map[string]any{"token": token})
	if me := s.call("GET", "/v1/users/me", p.access, nil); me.body["email_verified"] != true {
		t.Errorf("account: got %s", me.raw)
	}
	if r := s.call("POST", "/internal/email-verifications/token", "", map[string]any{"user_id": uuid.NewString()}); r.str("result") != "gone" {
		t.Errorf("unknown account: got %s", r.raw)
	}
}

func TestExport(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	s.want(201, "", "POST", "/v1/users/me/addresses", p.access, london())
	for _, app := range []string{"product", "cart", "order"} {
		s.exports[app] = json.RawMessage(`{"of":"` + app + `"}`)
	}
	s.want(503, "neighbour_unavailable", "GET", "/v1/users/me/export", p.access, nil)
	s.exports["payment"] = json.RawMessage(`{"of":"payment"}`)
	r := s.want(200, "", "GET", "/v1/users/me/export", p.access, nil)
	for _, want := range []string{p.email, "Quillfeather", "Downing", `"of":"payment"`, `"of":"cart"`, "test-browser"} {
		if !strings.Contains(r.raw, want) {
			t.Errorf("export lacks %q: %s", want, r.raw)
		}
	}
	if strings.Contains(r.raw, "argon2") {
		t.Errorf("export holds the password's hash")
	}
}

// everyColumn lists all text of every table, so that a new table can't be missed.
const everyColumn = `
SELECT coalesce(string_agg(query_to_xml(format('SELECT * FROM %I', tablename), true, false, '')::text, ''), '')
FROM pg_tables WHERE schemaname = 'public'`

func TestErase(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	admin := s.newPerson("admin")
	a := s.want(201, "", "POST", "/v1/users/me/addresses", p.access, london(), "Idempotency-Key: e1").str("id")
	hidden := s.want(201, "", "POST", "/v1/users/me/addresses", p.access, london()).str("id")
	s.want(204, "", "DELETE", "/v1/users/me/addresses/"+hidden, p.access, nil)
	s.want(202, "", "POST", "/v1/password-resets", "", map[string]any{"email": p.email})
	s.answerResets(1)

	s.want(204, "", "DELETE", "/v1/users/me", p.access, nil)
	s.want(401, "session_revoked", "GET", "/v1/users/me", p.access, nil)
	s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", map[string]any{"email": p.email, "password": password})
	s.want(401, "refresh_token_invalid", "POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": p.refresh})

	all := query[string](s, everyColumn)
	if strings.Contains(all, p.email) || strings.Contains(all, "Downing") || strings.Contains(all, "Marmaduke") {
		t.Errorf("something personal is left: %s", all)
	}
	for _, id := range []string{p.id, a, hidden} {
		if !strings.Contains(all, id) {
			t.Errorf("bare id %s is gone", id)
		}
	}
	if n := query[int](s, `SELECT count(*) FROM outbox WHERE topic = 'user.deleted' AND payload->>'user_id' = $1`, p.id); n != 1 {
		t.Errorf("user.deleted: got %d events, want 1", n)
	}
	lookup := s.want(200, "", "POST", "/internal/addresses/lookup", "", map[string]any{"user_id": p.id, "address_ids": []string{a}})
	if lookup.str("account") != "erased" || strings.Contains(lookup.raw, a) {
		t.Errorf("lookup: got %s", lookup.raw)
	}
	c := s.want(200, "", "POST", "/internal/contacts", "", map[string]any{"user_ids": []string{p.id}})
	if want := `{"contacts":[{"erased":true,"user_id":"` + p.id + `"}]}`; strings.TrimSpace(c.raw) != want {
		t.Errorf("contacts: got %s, want %s", c.raw, want)
	}
	if u := s.want(200, "", "GET", "/v1/users/"+p.id, admin.access, nil); u.str("status") != "erased" || u.str("email") != "" {
		t.Errorf("erased account: got %s", u.raw)
	}
	s.want(404, "user_not_found", "POST", "/v1/users/"+p.id+"/enable", admin.access, nil)
	s.want(201, "", "POST", "/v1/users", "", registration(p.email, password))
}

// A mail goes to whom it is for: each account that was asked for is answered once, in its place.
func TestContactsAreThoseOfWhomWasAskedFor(t *testing.T) {
	s := open(t)
	admin := s.newPerson("admin")
	ann, bob, gone, barred := s.newPerson(), s.newPerson(), s.newPerson(), s.newPerson()
	unknown := uuid.NewString()
	s.want(204, "", "DELETE", "/v1/users/me", gone.access, nil)
	s.want(200, "", "POST", "/v1/users/"+barred.id+"/disable", admin.access, nil)
	asked := []string{bob.id, unknown, gone.id, barred.id, ann.id, bob.id}
	got := s.want(200, "", "POST", "/internal/contacts", "", map[string]any{"user_ids": asked})
	list, _ := got.body["contacts"].([]any)
	if len(list) != len(asked) {
		t.Fatalf("got %s, want %d contacts", got.raw, len(asked))
	}
	emails := map[string]string{ann.id: ann.email, bob.id: bob.email, barred.id: barred.email}
	for i, entry := range list {
		c := entry.(map[string]any)
		email, alive := emails[asked[i]]
		told, _ := c["email"].(string)
		if c["user_id"] != asked[i] || c["erased"] != !alive || !strings.EqualFold(told, email) {
			t.Errorf("%d: got %v, want %s at %q", i, c, asked[i], email)
		}
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = uuid.NewString()
	}
	for _, ids := range []any{[]string{}, many} {
		if r := s.want(422, "validation_failed", "POST", "/internal/contacts", "", map[string]any{"user_ids": ids}); !strings.Contains(r.raw, "user_ids") {
			t.Errorf("got %s, want the field named", r.raw)
		}
	}
	s.want(422, "", "POST", "/internal/contacts", "", map[string]any{})
}
