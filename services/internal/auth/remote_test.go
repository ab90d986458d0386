package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/fault"
)

// neighbour is User as the five other services see it.
type neighbour struct {
	mu      sync.Mutex
	keys    []map[string]string
	revoked []uuid.UUID
	away    bool
	asked   atomic.Int64
}

func (n *neighbour) JWKS(ctx context.Context) (json.RawMessage, error) {
	n.asked.Add(1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return nil, errors.New("away")
	}
	raw, err := json.Marshal(map[string]any{"keys": n.keys})
	return raw, errors.Join(err, ctx.Err())
}

func (n *neighbour) RevokedSessions(context.Context) ([]uuid.UUID, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return nil, errors.New("away")
	}
	return n.revoked, nil
}

func (n *neighbour) change(fn func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fn()
}

// publish makes an Ed25519 key and puts it into the set.
func (n *neighbour) publish(t testing.TB, id string) ed25519.PrivateKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	n.change(func() {
		n.keys = append(n.keys, map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": id, "alg": "EdDSA", "use": "sig", "x": base64.RawURLEncoding.EncodeToString(public)})
	})
	return private
}

// forge is a good token but for what edit changes.
func forge(t testing.TB, method jwt.SigningMethod, key crypto.PrivateKey, id string, edit func(header, claims map[string]any)) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": "caravan", "aud": "caravan", "sub": uuid.NewString(), "sid": uuid.NewString(), "jti": uuid.NewString(),
		"roles": []string{"customer"}, "iat": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix(),
	}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"], token.Header["typ"] = id, "at+jwt"
	if edit != nil {
		edit(token.Header, claims)
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func remote(n *neighbour) *auth.Remote {
	return auth.NewRemote(n, 10*time.Millisecond, slog.New(slog.DiscardHandler))
}

func TestWhatATokenMustSay(t *testing.T) {
	n := &neighbour{}
	key := n.publish(t, "k1")
	other := n.publish(t, "k2")
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := remote(n)
	set := func(name string, value any) func(h, c map[string]any) {
		return func(_, c map[string]any) { c[name] = value }
	}
	header := func(name string, value any) func(h, c map[string]any) {
		return func(h, _ map[string]any) { h[name] = value }
	}
	ed := jwt.SigningMethodEdDSA
	for _, c := range []struct{ name, token, want string }{
		{"good", forge(t, ed, key, "k1", nil), ""},
		{"issued by a clock that is ahead", forge(t, ed, key, "k1", set("iat", time.Now().Add(3*time.Second).Unix())), ""},
		{"expired", forge(t, ed, key, "k1", set("exp", time.Now().Add(-time.Second).Unix())), "token_expired"},
		{"not valid yet", forge(t, ed, key, "k1", set("nbf", time.Now().Add(time.Hour).Unix())), "token_invalid"},
		{"no expiry", forge(t, ed, key, "k1", func(_, c map[string]any) { delete(c, "exp") }), "token_invalid"},
		{"other issuer", forge(t, ed, key, "k1", set("iss", "else")), "token_invalid"},
		{"other audience", forge(t, ed, key, "k1", set("aud", "else")), "token_invalid"},
		{"other type", forge(t, ed, key, "k1", header("typ", "JWT")), "token_invalid"},
		{"no key id", forge(t, ed, key, "k1", func(h, _ map[string]any) { delete(h, "kid") }), "token_invalid"},
		{"another key's id", forge(t, ed, other, "k1", nil), "token_invalid"},
		{"key id that is no text", forge(t, ed, key, "k1", header("kid", 1)), "token_invalid"},
		{"other algorithm under a known id", forge(t, jwt.SigningMethodES256, elliptical, "k1", nil), "token_invalid"},
		{"HMAC", forge(t, jwt.SigningMethodHS256, []byte("secret"), "k1", nil), "token_invalid"},
		{"unsigned", forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "k1", nil), "token_invalid"},
		{"nobody", forge(t, ed, key, "k1", set("sub", uuid.Nil.String())), "token_invalid"},
		{"subject that is no id", forge(t, ed, key, "k1", set("sub", "ada")), "token_invalid"},
		{"no session", forge(t, ed, key, "k1", func(_, c map[string]any) { delete(c, "sid") }), "token_invalid"},
		{"no token at all", "x", "token_invalid"},
		{"empty", "", "token_invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := r.Verify(t.Context(), c.token); fault.CodeOf(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestKeysComeGoAndStayWhileUserIsAway(t *testing.T) {
	n := &neighbour{away: true}
	key := n.publish(t, "k1")
	r := remote(n)
	token := forge(t, jwt.SigningMethodEdDSA, key, "k1", nil)
	if _, err := r.Verify(t.Context(), token); fault.CodeOf(err) != "keys_unavailable" {
		t.Fatalf("with no keys yet: got %v, want keys_unavailable", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	defer running.Wait()
	defer stop()
	n.change(func() { n.away = false })
	eventually(t, "the job fetches keys", func() bool { _, err := r.Verify(t.Context(), token); return err == nil })

	fresh := n.publish(t, "k2")
	rotated := forge(t, jwt.SigningMethodEdDSA, fresh, "k2", nil)
	eventually(t, "a new key is asked for", func() bool { _, err := r.Verify(t.Context(), rotated); return err == nil })

	n.change(func() { n.keys = nil })
	unknown := forge(t, jwt.SigningMethodEdDSA, fresh, "k3", nil)
	time.Sleep(2100 * time.Millisecond) // past the pause between two fetches
	if _, err := r.Verify(t.Context(), unknown); fault.CodeOf(err) != "token_invalid" {
		t.Errorf("unknown key: got %v, want token_invalid", err)
	}
	n.change(func() { n.away = true })
	if _, err := r.Verify(t.Context(), token); err != nil {
		t.Errorf("with an empty set published and User away: got %v, want the last keys to serve", err)
	}
}

func TestUnknownKeysCannotStormUser(t *testing.T) {
	n := &neighbour{}
	key := n.publish(t, "k1")
	r := remote(n)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_, _ = r.Verify(t.Context(), forge(t, jwt.SigningMethodEdDSA, key, uuid.NewString(), nil))
		})
	}
	wg.Wait()
	if got := n.asked.Load(); got > 2 {
		t.Errorf("fetches: got %d, want 2 at most", got)
	}
}

func TestFetchOutlivesTheRequestThatBeganIt(t *testing.T) {
	n := &neighbour{}
	key := n.publish(t, "k1")
	ctx, giveUp := context.WithCancel(t.Context())
	giveUp()
	if _, err := remote(n).Verify(ctx, forge(t, jwt.SigningMethodEdDSA, key, "k1", nil)); err != nil {
		t.Errorf("got %v, want the keys to be fetched all the same", err)
	}
}

func TestRevokedSessionsAreRefusedAndTheListIsKept(t *testing.T) {
	n := &neighbour{}
	key := n.publish(t, "k1")
	r := remote(n)
	session := uuid.New()
	token := forge(t, jwt.SigningMethodEdDSA, key, "k1", func(_, c map[string]any) { c["sid"] = session.String() })
	p, err := r.Verify(t.Context(), token)
	if err != nil || p.SessionID != session {
		t.Fatalf("got %v (%v), want session %v", p, err, session)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	defer running.Wait()
	defer stop()
	n.change(func() { n.revoked = []uuid.UUID{session} })
	revoked := func() bool {
		_, err := r.Verify(t.Context(), token)
		return fault.CodeOf(err) == "session_revoked"
	}
	eventually(t, "the revoked session is refused", revoked)
	n.change(func() { n.away = true })
	time.Sleep(50 * time.Millisecond)
	if !revoked() {
		t.Error("the list was forgotten while User was away")
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal(what + ": not in time")
}

func TestRememberedTokenExpiresAndGoesWithItsKey(t *testing.T) {
	n := &neighbour{}
	key := n.publish(t, "k1")
	r := remote(n)
	short := forge(t, jwt.SigningMethodEdDSA, key, "k1", func(_, c map[string]any) { c["exp"] = time.Now().Add(2 * time.Second).Unix() })
	long := forge(t, jwt.SigningMethodEdDSA, key, "k1", nil)
	for _, token := range []string{short, long, short, long} {
		if _, err := r.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Verify(t.Context(), long[:len(long)-4]+"AAAA"); fault.CodeOf(err) != "token_invalid" {
		t.Errorf("another signature: got %v, want token_invalid", err)
	}
	eventually(t, "it expires", func() bool { _, err := r.Verify(t.Context(), short); return fault.CodeOf(err) == "token_expired" })

	n.change(func() { n.keys = nil })
	next := n.publish(t, "k2")
	eventually(t, "the new key comes", func() bool {
		_, err := r.Verify(t.Context(), forge(t, jwt.SigningMethodEdDSA, next, "k2", nil))
		return err == nil
	})
	if _, err := r.Verify(t.Context(), long); fault.CodeOf(err) != "token_invalid" {
		t.Errorf("token of a withdrawn key: got %v, want token_invalid", err)
	}
}

func TestManyTokensAreNotAllRemembered(t *testing.T) {
	n := &neighbour{}
	key := n.publish(t, "k1")
	r := remote(n)
	for range 9000 {
		if _, err := r.Verify(t.Context(), forge(t, jwt.SigningMethodEdDSA, key, "k1", nil)); err != nil {
			t.Fatal(err)
		}
	}
	if got := auth.Remembered(r); got > 8192 {
		t.Errorf("remembered: got %d, want 8192 at most", got)
	}
}

func BenchmarkVerify(b *testing.B) {
	n := &neighbour{}
	key := n.publish(b, "k1")
	one := forge(b, jwt.SigningMethodEdDSA, key, "k1", nil)
	verify := func(b *testing.B, r *auth.Remote, token string) {
		if _, err := r.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("remembered", func(b *testing.B) {
		r := remote(n)
		for b.Loop() {
			verify(b, r, one)
		}
	})
	b.Run("first", func(b *testing.B) {
		r := remote(n)
		verify(b, r, one)
		for b.Loop() {
			auth.Forget(r)
			verify(b, r, one)
		}
	})
}
