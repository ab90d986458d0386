package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"

	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// authenticator is a person's app and recovery codes.
type authenticator struct {
	secret   string
	recovery []string
}

// code is what the app shows when the domain's clock is read.
func (s *shop) code(a authenticator) string { return s.codeAt(a, 0) }

func (s *shop) codeAt(a authenticator, d time.Duration) string {
	s.t.Helper()
	code, err := totp.GenerateCode(a.secret, time.Now().Add(s.ahead+d))
	must(s.t, err)
	return code
}

// later lets the app show its next code.
func (s *shop) later() { s.ahead += 30 * time.Second }

func begins(secret string) map[string]any { return map[string]any{"current_password": secret} }

func withOTP(email, secret, otp string) map[string]any {
	return map[string]any{"email": email, "password": secret, "otp": otp}
}

// enrol gives a person a second factor and lets the code that confirmed it pass.
func (s *shop) enrol(p person) authenticator {
	s.t.Helper()
	a := authenticator{secret: s.want(201, "", "POST", "/v1/users/me/totp", p.access, begins(password)).str("secret")}
	r := s.want(200, "", "POST", "/v1/users/me/totp/confirm", p.access, map[string]any{"code": s.code(a)})
	for _, code := range r.body["recovery_codes"].([]any) {
		a.recovery = append(a.recovery, code.(string))
	}
	s.later()
	return a
}

func (s *shop) twoFactor(p person) (enabled bool, left int) {
	s.t.Helper()
	v := s.want(200, "", "GET", "/v1/users/me", p.access, nil).body["two_factor"].(map[string]any)
	return v["enabled"].(bool), int(v["recovery_codes_left"].(float64))
}

func TestASecondFactorIsAskedForOnceItIsConfirmed(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	other := s.signIn(p, password)
	s.want(422, "current_password_wrong", "POST", "/v1/users/me/totp", p.access, begins("wrong password"))
	s.want(409, "two_factor_not_begun", "POST", "/v1/users/me/totp/confirm", p.access, map[string]any{"code": "123456"})
	s.want(201, "", "POST", "/v1/users/me/totp", p.access, begins(password))
	begun := s.want(201, "", "POST", "/v1/users/me/totp", p.access, begins(password)) // takes the first one's place
	a := authenticator{secret: begun.str("secret")}
	if len(a.secret) != 32 || !strings.HasPrefix(begun.str("otpauth_uri"), "otpauth://totp/Caravan:"+p.email+"?") || begun.header.Get("Cache-Control") != "no-store" {
		t.Errorf("enrolment: got %v %s", begun.header, begun.raw)
	}
	s.signIn(p, password) // not in force yet
	s.want(422, "code_invalid", "POST", "/v1/users/me/totp/confirm", p.access, map[string]any{"code": s.codeAt(a, 5*time.Minute)})
	tag := s.want(200, "", "GET", "/v1/users/me", p.access, nil).header.Get("Etag")

	r := s.want(200, "", "POST", "/v1/users/me/totp/confirm", p.access, map[string]any{"code": s.code(a)})
	if codes := r.body["recovery_codes"].([]any); len(codes) != 10 || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("recovery codes: got %v %s", r.header, r.raw)
	}
	if on, left := s.twoFactor(p); !on || left != 10 {
		t.Errorf("account: got %v with %d codes, want it on with 10", on, left)
	}
	s.want(200, "", "GET", "/v1/users/me", p.access, nil, "If-None-Match: "+tag)
	s.want(401, "session_revoked", "GET", "/v1/users/me", other.access, nil)
	s.want(409, "two_factor_enabled", "POST", "/v1/users/me/totp", p.access, begins(password))
	s.want(409, "two_factor_enabled", "POST", "/v1/users/me/totp/confirm", p.access, map[string]any{"code": s.code(a)})
	if got := query[string](s, `SELECT payload->>'changed' FROM outbox WHERE topic = 'user.updated'`); got != `["two_factor"]` {
		t.Errorf("user.updated names %s", got)
	}
}

func TestSignInWithASecondFactor(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	confirmed := s.ahead
	a := s.enrol(p)
	spent := s.codeAt(a, confirmed-s.ahead)
	s.want(401, "otp_required", "POST", "/v1/sessions", "", credentials(p.email, password))
	s.want(401, "otp_required", "POST", "/v1/sessions", "", withOTP(p.email, password, ""))
	s.want(401, "otp_invalid", "POST", "/v1/sessions", "", withOTP(p.email, password, spent))
	s.want(401, "otp_invalid", "POST", "/v1/sessions", "", withOTP(p.email, password, s.codeAt(a, 2*time.Minute)))
	now := s.code(a)
	s.want(201, "", "POST", "/v1/sessions", "", withOTP(p.email, password, now))
	s.want(401, "otp_invalid", "POST", "/v1/sessions", "", withOTP(p.email, password, now))
	// The app's clock may be off by a period, and what is older than what was taken is worth nothing.
	s.later()
	ahead := s.codeAt(a, 30*time.Second)
	s.want(201, "", "POST", "/v1/sessions", "", withOTP(p.email, password, ahead[:3]+" "+ahead[3:]))
	s.want(401, "otp_invalid", "POST", "/v1/sessions", "", withOTP(p.email, password, s.code(a)))

	other := s.newPerson()
	b := s.enrol(other)
	s.want(401, "otp_invalid", "POST", "/v1/sessions", "", withOTP(other.email, password, s.code(a)))
	s.want(401, "otp_invalid", "POST", "/v1/sessions", "", withOTP(other.email, password, a.recovery[0]))
	s.want(201, "", "POST", "/v1/sessions", "", withOTP(other.email, password, s.code(b)))
	// Who has no second factor may send what they like.
	s.want(201, "", "POST", "/v1/sessions", "", withOTP(s.newPerson().email, password, "123456"))
}

// A second factor must not tell who has an account: with a wrong password all
// answers are the same, whatever code comes with it.
func TestASecondFactorTellsNothingWithoutThePassword(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	a := s.enrol(p)
	without := s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", credentials("nobody@example.com", password))
	for _, body := range []map[string]any{
		credentials(p.email, "wrong password"), withOTP(p.email, "wrong password", s.code(a)), withOTP("nobody@example.com", password, s.code(a)),
	} {
		r := s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", body)
		delete(r.body, "trace_id")
		delete(without.body, "trace_id")
		if fmt.Sprint(r.body) != fmt.Sprint(without.body) {
			t.Errorf("answers differ: %v and %v", r.body, without.body)
		}
	}
	s.want(201, "", "POST", "/v1/sessions", "", withOTP(p.email, password, s.code(a))) // nothing was spent
}

// atOnce signs in many times with the same code and counts the sessions.
func (s *shop) atOnce(p person, otp string) (opened int) {
	s.t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 15 {
		wg.Go(func() {
			r := s.call("POST", "/v1/sessions", "", withOTP(p.email, password, otp), fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", i+1))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case r.status == 201:
				opened++
			case r.status != 401 || r.str("code") != "otp_invalid":
				s.t.Errorf("got %d %s, want 401 otp_invalid", r.status, r.raw)
			}
		})
	}
	wg.Wait()
	return opened
}

func TestACodeOpensOneSessionHoweverManyAsk(t *testing.T) {
	s := open(t)
	s.users.Policy.FactorFailures.Burst = 100
	p := s.newPerson()
	a := s.enrol(p)
	for name, otp := range map[string]string{"of the app": s.code(a), "for recovery": a.recovery[3]} {
		if got := s.atOnce(p, otp); got != 1 {
			t.Errorf("code %s: got %d sessions, want 1", name, got)
		}
	}
	if n := query[int](s, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL`); n != 3 {
		t.Errorf("live sessions: got %d, want 3", n)
	}
	if _, left := s.twoFactor(p); left != 9 {
		t.Errorf("recovery codes left: got %d, want 9", left)
	}
}

func TestRecoveryCodesWorkOnceEach(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	a := s.enrol(p)
	tag := s.want(200, "", "GET", "/v1/users/me", p.access, nil).header.Get("Etag")
	s.want(201, "", "POST", "/v1/sessions", "", withOTP(p.email, password, strings.ToUpper(strings.ReplaceAll(a.recovery[0], "-", ""))))
	s.want(401, "otp_invalid", "POST", "/v1/sessions", "", withOTP(p.email, password, a.recovery[0]))
	s.want(200, "", "GET", "/v1/users/me", p.access, nil, "If-None-Match: "+tag)
	for i, code := range a.recovery[1:] {
		s.want(201, "", "POST", "/v1/sessions", "", withOTP(p.email, password, code))
		if _, left := s.twoFactor(p); left != 8-i {
			t.Errorf("recovery codes left: got %d, want %d", left, 8-i)
		}
	}
	s.want(201, "", "POST", "/v1/sessions", "", withOTP(p.email, password, s.code(a)))
}

func TestWrongCodesAreLimited(t *testing.T) {
	for name, s := range map[string]*shop{"redis": open(t), "redis down": openWith(t, noRedis(t))} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			p := s.newPerson()
			a := s.enrol(p)
			wrong := withOTP(p.email, password, "wrong")
			for range 3 {
				s.want(401, "otp_invalid", "POST", "/v1/sessions", "", wrong)
			}
			s.want(429, "too_many_attempts", "POST", "/v1/sessions", "", wrong) // as failures of the password from one address are
			for i := range 17 {
				s.want(401, "otp_invalid", "POST", "/v1/sessions", "", wrong, fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", i+1))
			}
			r := s.want(429, "too_many_attempts", "POST", "/v1/sessions", "", withOTP(p.email, password, s.code(a)), "X-Forwarded-For: 192.0.2.99")
			if r.header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			// The password alone is not guessed at through it, and changes are bounded alike.
			s.want(401, "otp_required", "POST", "/v1/sessions", "", credentials(p.email, password), "X-Forwarded-For: 192.0.2.99")
			s.want(429, "too_many_attempts", "POST", "/v1/users/me/totp/disable", p.access,
				map[string]any{"current_password": password, "code": s.code(a)}, "X-Forwarded-For: 192.0.2.99")
		})
	}
}

func TestAPasswordResetKeepsTheSecondFactor(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	a := s.enrol(p)
	s.want(202, "", "POST", "/v1/password-resets", "", map[string]any{"email": p.email})
	s.answerResets(1)
	token := s.call("POST", "/internal/password-resets/token", "",
		map[string]any{"reset_id": query[string](s, `SELECT id::text FROM password_reset_tokens`)}).str("token")
	s.want(204, "", "POST", "/v1/password-resets/confirm", "", map[string]any{"token": token, "new_password": "reset to this phrase"})
	s.want(401, "otp_required", "POST", "/v1/sessions", "", credentials(p.email, "reset to this phrase"))
	s.want(401, "otp_invalid", "POST", "/v1/sessions", "", withOTP(p.email, "reset to this phrase", token))
	s.want(201, "", "POST", "/v1/sessions", "", withOTP(p.email, "reset to this phrase", s.code(a)))
}

// What changes how one signs in takes both factors, and a code is spent with
// the change alone.
func TestChangesTakeTheSecondFactorToo(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	a := s.enrol(p)
	change := map[string]any{"current_password": password, "new_password": "another fine passphrase"}
	s.want(422, "code_required", "POST", "/v1/users/me/password", p.access, change)
	change["code"] = "wrong"
	s.want(422, "code_invalid", "POST", "/v1/users/me/password", p.access, change)
	change["code"], change["new_password"] = s.code(a), "password1"
	s.want(422, "password_too_weak", "POST", "/v1/users/me/password", p.access, change)
	change["new_password"] = "another fine passphrase"
	s.want(204, "", "POST", "/v1/users/me/password", p.access, change)
	change["current_password"] = "another fine passphrase"
	s.want(422, "code_invalid", "POST", "/v1/users/me/password", p.access, change)

	email := map[string]any{"current_password": "another fine passphrase", "email": newAddress}
	s.want(422, "code_required", "POST", "/v1/users/me/email", p.access, email)
	email["code"] = a.recovery[0]
	s.want(202, "", "POST", "/v1/users/me/email", p.access, email)
	s.want(422, "code_invalid", "POST", "/v1/users/me/email", p.access, email)
}

func TestDisableASecondFactor(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	disable := func(secret, code string) map[string]any {
		return map[string]any{"current_password": secret, "code": code}
	}
	s.want(409, "two_factor_disabled", "POST", "/v1/users/me/totp/disable", p.access, disable(password, "123456"))
	a := s.enrol(p)
	other := s.want(201, "", "POST", "/v1/sessions", "", withOTP(p.email, password, s.code(a))).str("access_token")
	s.later()
	s.want(422, "current_password_wrong", "POST", "/v1/users/me/totp/disable", p.access, disable("wrong password", s.code(a)))
	s.want(422, "code_required", "POST", "/v1/users/me/totp/disable", p.access, disable(password, ""))
	s.want(422, "code_invalid", "POST", "/v1/users/me/totp/disable", p.access, disable(password, "000"))
	s.want(204, "", "POST", "/v1/users/me/totp/disable", p.access, disable(password, s.code(a)))
	s.want(401, "session_revoked", "GET", "/v1/users/me", other, nil)
	if on, left := s.twoFactor(p); on || left != 0 {
		t.Errorf("account: got %v with %d codes, want it off", on, left)
	}
	s.signIn(p, password)
	s.enrol(p) // and on again
}

func TestAdministratorsFreeWhoIsLockedOut(t *testing.T) {
	s := open(t)
	admin, p := s.newPerson("admin"), s.newPerson()
	s.enrol(p)
	s.want(404, "user_not_found", "DELETE", "/v1/users/"+uuid.NewString()+"/totp", admin.access, nil)
	s.want(409, "own_account", "DELETE", "/v1/users/"+admin.id+"/totp", admin.access, nil)
	s.want(204, "", "DELETE", "/v1/users/"+p.id+"/totp", admin.access, nil)
	s.want(401, "session_revoked", "GET", "/v1/users/me", p.access, nil)
	p = s.signIn(p, password)
	s.want(204, "", "DELETE", "/v1/users/"+p.id+"/totp", admin.access, nil)
	s.want(200, "", "GET", "/v1/users/me", p.access, nil) // nothing to remove ends no session
	changes := query[int](s, `SELECT count(*) FROM outbox WHERE topic = 'user.updated' AND key = $1 AND payload->>'changed' = '["two_factor"]'`, p.id)
	if changes != 2 {
		t.Errorf("user.updated: got %d, want 2", changes)
	}
}

func TestAnEnrolmentDoesNotWaitForEver(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	a := authenticator{secret: s.want(201, "", "POST", "/v1/users/me/totp", p.access, begins(password)).str("secret")}
	s.ahead += 11 * time.Minute
	s.want(409, "two_factor_not_begun", "POST", "/v1/users/me/totp/confirm", p.access, map[string]any{"code": s.code(a)})
}

func TestSecondFactorsAreKeptUnreadableAndGoWithThePerson(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	a := s.enrol(p)
	for _, app := range []string{"product", "cart", "order", "payment"} {
		s.exports[app] = json.RawMessage(`{}`)
	}
	export := s.want(200, "", "GET", "/v1/users/me/export", p.access, nil).raw
	if !strings.Contains(export, `"two_factor":{"enabled":true,"recovery_codes_left":10}`) {
		t.Errorf("export: got %s, want it to tell of the second factor", export)
	}
	stored := query[string](s, everyColumn)
	for where, text := range map[string]string{"the export": export, "the tables": stored, "the log": s.log.String()} {
		for _, secret := range append(a.recovery, a.secret) {
			if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				t.Errorf("a secret is in %s", where)
			}
		}
	}
	s.want(204, "", "DELETE", "/v1/users/me", p.access, nil)
	if n := query[int](s, `SELECT count(*) FROM second_factors`); n != 0 {
		t.Errorf("second factors after the erasure: got %d, want none", n)
	}
}

func TestASecretMovedToAnotherAccountIsWorthNothing(t *testing.T) {
	s := open(t)
	p, thief := s.newPerson(), s.newPerson()
	s.enrol(p)
	a := s.enrol(thief)
	s.exec(`UPDATE second_factors SET secret = (SELECT secret FROM second_factors WHERE user_id = $2) WHERE user_id = $1`, p.id, thief.id)
	if r := s.call("POST", "/v1/sessions", "", withOTP(p.email, password, s.code(a))); r.status != 500 {
		t.Errorf("got %d %s, want 500", r.status, r.raw)
	}
}

func TestSignInThatMeetsANewSecondFactorGetsNoSession(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	m := &meddling{Hasher: s.users.Hasher}
	s.users.Hasher = m
	m.then = func() {
		m.then = nil
		s.enrol(p)
	}
	s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", credentials(p.email, password))
	s.want(401, "otp_required", "POST", "/v1/sessions", "", credentials(p.email, password))
}

func TestRolesThatTakeASecondFactor(t *testing.T) {
	s := open(t)
	s.users.Policy.FactorRoles = []string{user.RoleStaff, user.RoleAdmin}
	admin := s.newPerson(user.RoleCustomer, user.RoleAdmin)
	s.want(403, "role_required", "GET", "/v1/users", admin.access, nil)
	a := s.enrol(admin)
	s.want(403, "role_required", "GET", "/v1/users", admin.access, nil)
	refreshed := s.want(200, "", "POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": admin.refresh})
	s.want(200, "", "GET", "/v1/users", refreshed.str("access_token"), nil)
	r := s.want(201, "", "POST", "/v1/sessions", "", withOTP(admin.email, password, s.code(a)))
	s.want(200, "", "GET", "/v1/users", r.str("access_token"), nil)
}

func TestADisabledAccountIsNotAskedForACode(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	s.enrol(p)
	_, err := s.users.Disable(context.Background(), uuid.MustParse(p.id))
	must(t, err)
	s.want(403, "account_disabled", "POST", "/v1/sessions", "", credentials(p.email, password))
}
