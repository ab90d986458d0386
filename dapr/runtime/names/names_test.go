package names_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dapr/components-contrib/nameresolution"

	"caravan/dapr/runtime/names"
)

// book is a resolver whose answers a test turns over.
type book struct {
	nameresolution.Resolver
	addresses map[string]string
	asked     int
}

func (b *book) ResolveID(_ context.Context, req nameresolution.ResolveRequest) (string, error) {
	b.asked++
	if a, ok := b.addresses[req.ID]; ok {
		return a, nil
	}
	return "", errors.New("no host")
}

func TestAddressesAreRememberedForTheirLife(t *testing.T) {
	b := &book{addresses: map[string]string{"cart": "127.0.0.1:1", "user": "127.0.0.1:2"}}
	now := time.Unix(0, 0)
	r := &names.Resolver{Resolver: b, Life: 100 * time.Millisecond, Now: func() time.Time { return now }}
	steps := []struct {
		after     time.Duration
		app, want string
		asked     int
	}{
		{0, "cart", "127.0.0.1:1", 1},
		{0, "user", "127.0.0.1:2", 2},
		{99 * time.Millisecond, "cart", "127.0.0.1:1", 2},
		{time.Millisecond, "cart", "127.0.0.1:9", 3},
		{0, "cart", "127.0.0.1:9", 3},
	}
	for i, s := range steps {
		if now = now.Add(s.after); i == 3 {
			b.addresses["cart"] = "127.0.0.1:9" // it moved
		}
		got, err := r.ResolveID(t.Context(), nameresolution.ResolveRequest{ID: s.app})
		if err != nil || got != s.want || b.asked != s.asked {
			t.Errorf("step %d: got %q, %v after %d questions, want %q after %d", i, got, err, b.asked, s.want, s.asked)
		}
	}
}

func TestNobodyIsRememberedAsAway(t *testing.T) {
	b := &book{addresses: map[string]string{}}
	r := &names.Resolver{Resolver: b, Life: time.Hour, Now: time.Now}
	if got, err := r.ResolveID(t.Context(), nameresolution.ResolveRequest{ID: "cart"}); err == nil {
		t.Fatalf("got %q for an app that is nowhere", got)
	}
	b.addresses["cart"] = "127.0.0.1:1"
	if got, err := r.ResolveID(t.Context(), nameresolution.ResolveRequest{ID: "cart"}); err != nil || got != "127.0.0.1:1" {
		t.Errorf("got %q, %v once the app is there", got, err)
	}
}
