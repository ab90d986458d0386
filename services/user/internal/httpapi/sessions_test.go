package httpapi_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func credentials(email, secret string) map[string]any {
	return map[string]any{"email": email, "password": secret}
}

func TestSignInAnswersAlike(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	wrong := s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", credentials(p.email, "wrong password"))
	unknown := s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", credentials("nobody@example.com", password))
	nonsense := s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", credentials("no address", password))
	for _, r := range []reply{wrong, unknown, nonsense} {
		delete(r.body, "trace_id")
		if diff := cmp.Diff(wrong.body, r.body); diff != "" {
			t.Errorf("answers differ (-want +got):\n%s", diff)
		}
	}
	r := s.want(201, "", "POST", "/v1/sessions", "", credentials(strings.ToUpper(p.email), password))
	if r.header.Get("Cache-Control") != "no-store" || r.str("token_type") != "Bearer" || r.body["expires_in"] != 600.0 {
		t.Errorf("grant: got %v %s", r.header, r.raw)
	}
	s.want(422, "validation_failed", "POST", "/v1/sessions", "", `{}`)
}

func TestFailuresAreLimitedAndSuccessesAreNot(t *testing.T) {
	for name, s := range map[string]*shop{"redis": open(t), "redis down": openWith(t, noRedis(t))} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			p, neighbour := s.newPerson(), s.newPerson()
			for range 3 {
				s.want(401, "invalid_credentials", "POST", "/v1/sessions", "", credentials(p.email, "wrong password"))
			}
			r := s.want(429, "too_many_attempts", "POST", "/v1/sessions", "", credentials(p.email, password))
			if r.header.Get("Retry-After") == "" {
				t.Errorf("429 without Retry-After")
			}
			for range 10 {
				s.signIn(neighbour, password)
			}
			s.want(201, "", "POST", "/v1/sessions", "", credentials(p.email, password), "X-Forwarded-For: 192.0.2.7")
		})
	}
}

func TestRefresh(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	next := s.want(200, "", "POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": p.refresh})
	lost := s.want(200, "", "POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": p.refresh})
	if lost.str("refresh_token") != next.str("refresh_token") || next.str("refresh_token") == p.refresh {
		t.Errorf("a lost reply gets another refresh token")
	}
	if next.str("session_id") != p.session {
		t.Errorf("session: got %s, want %s", next.str("session_id"), p.session)
	}
	s.want(401, "refresh_token_invalid", "POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": "made up"})

	third := s.want(200, "", "POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": next.str("refresh_token")})
	s.exec(`UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds'`)
	s.want(401, "refresh_token_reused", "POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": p.refresh})
	s.want(401, "refresh_token_invalid", "POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": third.str("refresh_token")})
	s.want(401, "session_revoked", "GET", "/v1/users/me", third.str("access_token"), nil)
	stored := query[string](s, everyColumn)
	for _, token := range []string{p.refresh, next.str("refresh_token"), third.str("refresh_token")} {
		if strings.Contains(stored, token) {
			t.Errorf("a refresh token is stored in clear")
		}
	}
}

func TestConcurrentRefreshesAgree(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	const clients = 1000
	got := make([]string, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			got[i] = s.call("POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": p.refresh}).str("refresh_token")
		})
	}
	wg.Wait()
	for i := range got {
		if got[i] == "" || got[i] != got[0] {
			t.Fatalf("client %d: got %q, want %q", i, got[i], got[0])
		}
	}
	if n := query[int](s, `SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL`); n != 1 {
		t.Errorf("unused refresh tokens: got %d, want 1", n)
	}
}

func TestSessions(t *testing.T) {
	s := open(t)
	p, stranger := s.newPerson(), s.newPerson()
	second := s.signIn(p, password)
	list := s.want(200, "", "GET", "/v1/sessions", p.access, nil)
	if items := list.items(); len(items) != 2 || items[0]["id"] != second.session || items[1]["current"] != true || items[1]["device"] != "test-browser/1.0" {
		t.Errorf("sessions: got %s", list.raw)
	}
	first := s.want(200, "", "GET", "/v1/sessions?limit=1", p.access, nil)
	rest := s.want(200, "", "GET", "/v1/sessions?limit=1&cursor="+first.str("next_cursor"), p.access, nil)
	if len(rest.items()) != 1 || rest.items()[0]["id"] != p.session || rest.body["next_cursor"] != nil {
		t.Errorf("second page: got %s", rest.raw)
	}
	s.want(400, "bad_cursor", "GET", "/v1/sessions?cursor=xyz", p.access, nil)
	s.want(400, "bad_limit", "GET", "/v1/sessions?limit=101", p.access, nil)

	s.want(404, "session_not_found", "DELETE", "/v1/sessions/"+p.session, stranger.access, nil)
	if n, _ := s.rdb.Exists(t.Context(), "session:"+second.session).Result(); n != 1 {
		t.Errorf("session:%s is not in Redis", second.session)
	}
	s.want(204, "", "DELETE", "/v1/sessions/"+second.session, p.access, nil)
	s.want(401, "session_revoked", "GET", "/v1/users/me", second.access, nil)
	if n, _ := s.rdb.Exists(t.Context(), "session:"+second.session).Result(); n != 0 {
		t.Errorf("session:%s is still in Redis", second.session)
	}
	revoked := s.want(200, "", "POST", "/internal/sessions/revoked", "", nil)
	if !strings.Contains(revoked.raw, second.session) || strings.Contains(revoked.raw, p.session) {
		t.Errorf("revoked: got %s", revoked.raw)
	}
	third := s.signIn(p, password)
	s.want(204, "", "DELETE", "/v1/sessions/current", third.access, nil)
	s.want(401, "session_revoked", "GET", "/v1/sessions", third.access, nil)
	s.want(204, "", "DELETE", "/v1/sessions", p.access, nil)
	s.want(401, "session_revoked", "GET", "/v1/sessions", p.access, nil)
	s.want(200, "", "GET", "/v1/sessions", stranger.access, nil)
}

func TestEverythingWorksWithoutRedis(t *testing.T) {
	s := openWith(t, noRedis(t))
	p := s.newPerson()
	s.want(200, "", "GET", "/v1/users/me", p.access, nil)
	other := s.signIn(p, password)
	s.want(200, "", "POST", "/v1/sessions/refresh", "", map[string]any{"refresh_token": other.refresh})
	s.want(204, "", "DELETE", "/v1/sessions/"+other.session, p.access, nil)
	s.want(401, "session_revoked", "GET", "/v1/users/me", other.access, nil)
	s.want(202, "", "POST", "/v1/password-resets", "", map[string]any{"email": p.email})
}

func TestRedisLosingItsDataSignsNobodyOut(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	must(t, s.rdb.Del(t.Context(), "session:"+p.session).Err())
	s.want(200, "", "GET", "/v1/users/me", p.access, nil)
	if n, _ := s.rdb.Exists(t.Context(), "session:"+p.session).Result(); n != 1 {
		t.Errorf("the copy did not come back")
	}
}

func TestKeyRotationSignsNobodyOut(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	keys := func() int { return len(s.want(200, "", "GET", "/.well-known/jwks.json", "", nil).body["keys"].([]any)) }
	if got := keys(); got != 1 {
		t.Fatalf("keys: got %d, want 1", got)
	}
	must(t, s.ring.Rotate(t.Context()))
	if got := keys(); got != 2 {
		t.Errorf("keys while rotating: got %d, want 2", got)
	}
	s.want(200, "", "GET", "/v1/users/me", p.access, nil)
	before, _, _ := jwt.NewParser().ParseUnverified(s.signIn(p, password).access, jwt.MapClaims{})
	s.exec(`UPDATE signing_keys SET active_at = active_at - interval '2 minutes'`)
	must(t, s.ring.Load(t.Context()))
	after := s.signIn(p, password)
	parsed, _, _ := jwt.NewParser().ParseUnverified(after.access, jwt.MapClaims{})
	if parsed.Header["kid"] == before.Header["kid"] {
		t.Errorf("the new key does not sign once it is active")
	}
	s.want(200, "", "GET", "/v1/users/me", p.access, nil)
	s.want(200, "", "GET", "/v1/users/me", after.access, nil)
}

func TestForgedTokensAreRefused(t *testing.T) {
	s := open(t)
	p := s.newPerson()
	parsed, _, err := jwt.NewParser().ParseUnverified(p.access, jwt.MapClaims{})
	must(t, err)
	kid := parsed.Header["kid"]
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	sign := func(change func(*jwt.Token, jwt.MapClaims)) string {
		claims := jwt.MapClaims{
			"iss": "caravan", "aud": "caravan", "sub": p.id, "sid": p.session, "roles": []string{"admin"}, "jti": uuid.NewString(),
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		}
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
		token.Header["kid"], token.Header["typ"] = kid, "at+jwt"
		change(token, claims)
		signed, err := token.SignedString(foreign)
		must(t, err)
		return signed
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	payload := strings.Split(p.access, ".")[1]
	for name, token := range map[string]string{
		"another key": sign(func(*jwt.Token, jwt.MapClaims) {}),
		"unknown kid": sign(func(t *jwt.Token, _ jwt.MapClaims) { t.Header["kid"] = "nobody" }),
		"no kid":      sign(func(t *jwt.Token, _ jwt.MapClaims) { delete(t.Header, "kid") }),
		"alg none":    header + "." + payload + ".",
		"cut":         p.access[:len(p.access)-4],
		"nonsense":    "nonsense",
	} {
		if r := s.call("GET", "/v1/users/me", token, nil); r.status != 401 || r.str("code") != "token_invalid" {
			t.Errorf("%s: got %d %s, want 401 token_invalid", name, r.status, r.raw)
		}
	}
}
