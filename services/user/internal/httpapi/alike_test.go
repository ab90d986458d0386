package httpapi_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// work notes what the domain asks of stores, limits and hashing, in order.
type work struct {
	mu    sync.Mutex
	calls []string
}

func (w *work) note(call string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
}

func (w *work) during(fn func()) []string {
	w.calls = nil
	fn()
	return w.calls
}

type notedLimiter struct {
	user.Limiter
	*work
}

func (n notedLimiter) Wait(ctx context.Context, q user.Quota, subject string) time.Duration {
	n.note("wait " + q.Name)
	return n.Limiter.Wait(ctx, q, subject)
}

func (n notedLimiter) Spend(ctx context.Context, q user.Quota, subject string) {
	n.note("spend " + q.Name)
	n.Limiter.Spend(ctx, q, subject)
}

func (n notedLimiter) Forget(ctx context.Context, q user.Quota, subject string) {
	n.note("forget " + q.Name)
	n.Limiter.Forget(ctx, q, subject)
}

type notedHasher struct {
	user.Hasher
	*work
}

func (n notedHasher) Hash(ctx context.Context, password string) (string, error) {
	n.note("hash")
	return n.Hasher.Hash(ctx, password)
}

func (n notedHasher) Verify(ctx context.Context, password, hash string) (match, outdated bool, err error) {
	n.note("verify")
	return n.Hasher.Verify(ctx, password, hash)
}

type notedAccounts struct {
	user.Accounts
	*work
}

func (n notedAccounts) Find(ctx context.Context, id uuid.UUID) (user.User, error) {
	n.note("find")
	return n.Accounts.Find(ctx, id)
}

func (n notedAccounts) FindByEmail(ctx context.Context, normal string) (user.User, error) {
	n.note("find by e-mail")
	return n.Accounts.FindByEmail(ctx, normal)
}

type notedResets struct {
	user.Resets
	*work
}

func (n notedResets) Ask(ctx context.Context, id uuid.UUID, email string, at time.Time) error {
	n.note("ask for reset")
	return n.Resets.Ask(ctx, id, email, at)
}

// What is asked about a known address and about an unknown one is the same
// work, call for call; the whole-stack tests time it besides.
func TestUnknownAddressesAreTheSameWork(t *testing.T) {
	s := open(t)
	known, guarded := s.newPerson(), s.newPerson()
	s.enrol(guarded)
	w := &work{}
	s.users.Limiter, s.users.Hasher = notedLimiter{s.users.Limiter, w}, notedHasher{s.users.Hasher, w}
	s.users.Accounts, s.users.Resets = notedAccounts{s.users.Accounts, w}, notedResets{s.users.Resets, w}
	for name, c := range map[string]struct {
		path string
		body func(email string) map[string]any
		want []string
	}{
		"sign-in": {"/v1/sessions", func(email string) map[string]any { return withOTP(email, "wrong password", "123456") },
			[]string{"wait pair", "wait account", "find by e-mail", "verify", "spend pair", "spend account"}},
		"reset": {"/v1/password-resets", func(email string) map[string]any { return map[string]any{"email": email} },
			[]string{"wait resets", "spend resets", "wait reset", "spend reset", "ask for reset"}},
	} {
		for _, email := range []string{known.email, guarded.email, "nobody@example.com"} {
			got := w.during(func() { s.call("POST", c.path, "", c.body(email)) })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", name, email, diff)
			}
		}
	}
	if n := query[int](s, `SELECT count(*) FROM password_reset_requests`); n != 3 {
		t.Errorf("rows of requests: got %d, want one each: 3", n)
	}
}
