package tests

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/caravan-shop/caravan/tests/shop"
)

// authenticator is a shopper's second factor.
type authenticator struct {
	Secret   string   `json:"secret"`
	Recovery []string `json:"recovery_codes"`
}

// code is what the app shows so long after now.
func (a *authenticator) code(t *testing.T, after time.Duration) string {
	t.Helper()
	code, err := totp.GenerateCode(a.Secret, time.Now().Add(after))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// begins asks for a second factor, which is not in force yet.
func begins(t *testing.T, ctx context.Context, s *shop.Shopper) *authenticator {
	t.Helper()
	var a authenticator
	if _, err := s.Want(ctx, http.StatusCreated, &a, "POST", "user", "/v1/users/me/totp", object{"current_password": s.Password}, s.Token()); err != nil {
		t.Fatal(err)
	}
	return &a
}

// enrols puts it in force.
func enrols(t *testing.T, ctx context.Context, s *shop.Shopper) *authenticator {
	t.Helper()
	a := begins(t, ctx, s)
	if _, err := s.Want(ctx, http.StatusOK, a, "POST", "user", "/v1/users/me/totp/confirm", object{"code": a.code(t, 0)}, s.Token()); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestASecondFactorIsUsedOnce sends one code from many clients at once, through
// every replica that there is.
func TestASecondFactorIsUsedOnce(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	s := shopper(t, ctx)
	a := enrols(t, ctx, s)
	attempt := func(c *shop.Client, otp string) *shop.Response {
		resp, err := c.Do(ctx, "POST", "user", "/v1/sessions", object{"email": s.Email, "password": s.Password, "otp": otp})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	if got := attempt(w.http, ""); got.Code() != "otp_required" {
		t.Errorf("without a code: got %d %s, want otp_required", got.Status, got.Body)
	}
	// The code of now has been shown to confirm; an app that is a little fast shows the next one already.
	next := a.code(t, 30*time.Second)
	var mu sync.Mutex
	var wg sync.WaitGroup
	opened := 0
	for range 8 {
		c := comingFrom(t)
		wg.Go(func() {
			got := attempt(c, next)
			mu.Lock()
			defer mu.Unlock()
			if got.Status == http.StatusCreated {
				opened++
			} else if got.Code() != "otp_invalid" {
				t.Errorf("got %d %s, want otp_invalid", got.Status, got.Body)
			}
		})
	}
	wg.Wait()
	if opened != 1 {
		t.Errorf("one code opened %d sessions, want 1", opened)
	}
	if got := attempt(w.http, a.Recovery[0]); got.Status != http.StatusCreated {
		t.Errorf("a recovery code: got %d %s, want a session", got.Status, got.Body)
	}
}
