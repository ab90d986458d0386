package httpapi_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/user/internal/user"
)

const newAddress = "Someone.New@Example.com"

// askEmail asks for a change of address and gives the id of its verification.
func (s *shop) askEmail(p person, email string) string {
	s.t.Helper()
	s.want(202, "", "POST", "/v1/users/me/email", p.access, map[string]any{"email": email, "current_password": password})
	return s.newestVerification(p)
}

func (s *shop) newestVerification(p person) string {
	s.t.Helper()
	return query[string](s, `SELECT payload->>'verification_id' FROM outbox WHERE topic = 'email.verification' AND key = $1 ORDER BY position DESC LIMIT 1`, p.id)
}

// proof asks for what the mail of a verification needs.
func (s *shop) proof(p person, verification string) reply {
	s.t.Helper()
	return s.want(200, "", "POST", "/internal/email-verifications/token", "", map[string]any{"user_id": p.id, "verification_id": verification})
}

func (s *shop) confirmEmail(status int, code, token string) {
	s.t.Helper()
	s.want(status, code, "POST", "/v1/email-verifications/confirm", "", map[string]any{"token": token})
}

func TestChangeEmail(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	verification := s.askEmail(p, newAddress)
	got := s.proof(p, verification)
	if got.str("result") != "ok" || got.str("email") != newAddress || len(got.str("token")) != 43 {
		t.Fatalf("proof: got %s, want a token for the new address", got.raw)
	}
	if me := s.call("GET", "/v1/users/me", p.access, nil); me.str("email") != p.email {
		t.Errorf("before it is proven: got %s, want the address of before", me.raw)
	}
	former := map[string]any{"user_id": p.id, "verification_id": verification}
	if r := s.want(200, "", "POST", "/internal/email-changes/former", "", former); r.str("result") != "gone" {
		t.Errorf("former address before the change: got %s", r.raw)
	}
	// A reset that was mailed to the former address must not outlive it.
	s.want(202, "", "POST", "/v1/password-resets", "", map[string]any{"email": p.email})
	s.answerResets(1)
	reset := query[string](s, `SELECT payload->>'reset_id' FROM outbox WHERE topic = 'password.reset'`)

	s.confirmEmail(204, "", got.str("token"))
	s.confirmEmail(422, "verification_token_invalid", got.str("token"))
	me := s.want(200, "", "GET", "/v1/users/me", p.access, nil)
	if me.str("email") != newAddress || me.body["email_verified"] != true {
		t.Errorf("after it: got %s, want the new address, verified", me.raw)
	}
	if r := s.call("POST", "/internal/password-resets/token", "", map[string]any{"reset_id": reset}); r.str("result") != "gone" {
		t.Errorf("reset of the former address: got %s, want gone", r.raw)
	}
	if r := s.want(200, "", "POST", "/internal/email-changes/former", "", former); r.str("email") != p.email {
		t.Errorf("former address: got %s, want %s", r.raw, p.email)
	}
	s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", map[string]any{"email": p.email, "password": password})
	s.want(201, "", "POST", "/v1/sessions", "", map[string]any{"email": strings.ToLower(newAddress), "password": password})
	topics := query[string](s, `SELECT string_agg(topic || coalesce(payload->>'changed', ''), ' ' ORDER BY position) FROM outbox WHERE key = $1 AND topic <> 'password.reset'`, p.id)
	if want := `user.registered email.verification user.updated["email"] email.changed`; topics != want {
		t.Errorf("events: got %s, want %s", topics, want)
	}
	if n := query[int](s, `SELECT count(*) FROM outbox WHERE payload::text ILIKE '%@%'`); n != 0 {
		t.Errorf("%d events hold an address", n)
	}
	s.exports["product"], s.exports["cart"], s.exports["order"], s.exports["payment"] = []byte(`{}`), []byte(`{}`), []byte(`{}`), []byte(`{}`)
	if export := s.want(200, "", "GET", "/v1/users/me/export", p.access, nil); !strings.Contains(export.raw, p.email) {
		t.Error("the export lacks the former address")
	}
	s.want(204, "", "DELETE", "/v1/users/me", p.access, nil)
	if r := s.call("POST", "/internal/email-changes/former", "", former); r.str("result") != "gone" {
		t.Errorf("former address of an erased person: got %s", r.raw)
	}
}

func TestChangeEmailRefusals(t *testing.T) {
	s := open(t)
	p, holder := s.newPerson(), s.newPerson()
	for _, c := range []struct {
		status int
		code   string
		body   map[string]any
	}{
		{422, "validation_failed", map[string]any{"email": "nonsense", "current_password": password}},
		{422, "validation_failed", map[string]any{"email": p.email, "current_password": password}},
		{422, "current_password_wrong", map[string]any{"email": newAddress, "current_password": "not the password"}},
		{409, "email_taken", map[string]any{"email": strings.ToUpper(holder.email), "current_password": password}},
	} {
		s.want(c.status, c.code, "POST", "/v1/users/me/email", p.access, c.body)
	}
	if n := query[int](s, `SELECT count(*) FROM outbox WHERE topic LIKE 'email.%'`); n != 0 {
		t.Errorf("%d events for changes that were refused", n)
	}
	// Taken between the asking and the proof: refused, and the account stays as it was.
	token := s.proof(p, s.askEmail(p, newAddress)).str("token")
	taken := s.want(201, "", "POST", "/v1/users", "", map[string]any{"email": newAddress, "password": password, "first_name": "New", "last_name": "Comer"})
	s.confirmEmail(409, "email_taken", token)
	if me := s.call("GET", "/v1/users/me", p.access, nil); me.str("email") != p.email || taken.str("email") != newAddress {
		t.Errorf("after a change that came too late: got %s", me.raw)
	}
}

// TestEmailChangeEnds lists what ends a change that waits.
func TestEmailChangeEnds(t *testing.T) {
	cases := map[string]func(s *shop, p person){
		"another change": func(s *shop, p person) { s.askEmail(p, "yet.another@example.com") },
		"another password": func(s *shop, p person) {
			s.want(204, "", "POST", "/v1/users/me/password", p.access, map[string]any{"current_password": password, "new_password": "another fine passphrase"})
		},
		"a reset": func(s *shop, p person) {
			s.want(202, "", "POST", "/v1/password-resets", "", map[string]any{"email": p.email})
			s.answerResets(1)
			reset := query[string](s, `SELECT payload->>'reset_id' FROM outbox WHERE topic = 'password.reset'`)
			token := s.call("POST", "/internal/password-resets/token", "", map[string]any{"reset_id": reset}).str("token")
			s.want(204, "", "POST", "/v1/password-resets/confirm", "", map[string]any{"token": token, "new_password": "reset to this phrase"})
		},
		"disabling": func(s *shop, p person) {
			_, err := s.users.Disable(s.t.Context(), uuid.MustParse(p.id))
			must(s.t, err)
		},
		"erasure": func(s *shop, p person) { s.want(204, "", "DELETE", "/v1/users/me", p.access, nil) },
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			p := s.newPerson()
			token := s.proof(p, s.askEmail(p, newAddress)).str("token")
			end(s, p)
			s.confirmEmail(422, "verification_token_invalid", token)
		})
	}
}

func TestResendVerification(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	first := s.call("POST", "/internal/email-verifications/token", "", map[string]any{"user_id": p.id}).str("token")
	s.want(202, "", "POST", "/v1/email-verifications", p.access, nil)
	again := s.proof(p, s.newestVerification(p))
	if again.str("email") != p.email || again.str("token") == "" || again.str("token") == first {
		t.Errorf("sent again: got %s, want another token for the account's address", again.raw)
	}
	if r := s.proof(person{id: uuid.NewString()}, s.newestVerification(p)); r.str("result") != "gone" {
		t.Errorf("as somebody else's: got %s, want gone", r.raw)
	}
	s.confirmEmail(204, "", first) // the mail of before may be the one that is found
	if r := s.proof(p, s.newestVerification(p)); r.str("result") != "gone" {
		t.Errorf("of a verified address: got %s, want gone", r.raw)
	}
	s.want(409, "email_verified", "POST", "/v1/email-verifications", p.access, nil)
}

func TestVerificationMailsAreLimited(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	var got []int
	for range 5 {
		got = append(got, s.call("POST", "/v1/email-verifications", p.access, nil).status)
	}
	if diff := cmp.Diff([]int{202, 202, 202, 202, 429}, got); diff != "" {
		t.Errorf("requests (-want +got): %s", diff)
	}
}

// TestPasswordsOfTheContext refuses what a guesser would try first, wherever a
// password is set.
func TestPasswordsOfTheContext(t *testing.T) {
	s := open(t)
	s.want(422, "password_too_weak", "POST", "/v1/users", "", map[string]any{
		"email": "ada@example.com", "password": "Lovelace1815", "first_name": "Ada", "last_name": "Lovelace"})
	p := s.newPerson()
	s.want(422, "password_too_weak", "POST", "/v1/users/me/password", p.access,
		map[string]any{"current_password": password, "new_password": "Zebediah-Quillfeather-1"})
	s.want(202, "", "POST", "/v1/password-resets", "", map[string]any{"email": p.email})
	s.answerResets(1)
	reset := query[string](s, `SELECT payload->>'reset_id' FROM outbox WHERE topic = 'password.reset'`)
	token := s.call("POST", "/internal/password-resets/token", "", map[string]any{"reset_id": reset}).str("token")
	s.want(422, "password_too_weak", "POST", "/v1/password-resets/confirm", "", map[string]any{"token": token, "new_password": "caravan 2026"})
}

func TestAdminEndsSessions(t *testing.T) {
	s := open(t)
	admin, p, bystander := s.newPerson(user.RoleAdmin), s.newPerson(), s.newPerson()
	s.want(204, "", "DELETE", "/v1/users/"+p.id+"/sessions", admin.access, nil)
	s.want(401, "session_revoked", "GET", "/v1/users/me", p.access, nil)
	s.want(401, "refresh_token_invalid", "POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": p.refresh})
	s.want(200, "", "GET", "/v1/users/me", bystander.access, nil)
	s.want(404, "user_not_found", "DELETE", "/v1/users/"+uuid.NewString()+"/sessions", admin.access, nil)
	s.signIn(p, password)
}
