package invariants_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/tests/invariants"
	"github.com/caravan-shop/caravan/tests/shop"
)

// TestRunningShop checks the stack that CARAVAN_STACK names, as it is.
func TestRunningShop(t *testing.T) {
	path := os.Getenv("CARAVAN_STACK")
	if path == "" {
		t.Skip("CARAVAN_STACK names no stack")
	}
	s, err := shop.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := invariants.Rest(ctx, s); err != nil {
		t.Error(err)
	}
	start := time.Now()
	r, err := invariants.Check(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("read and checked in %s\n%s", time.Since(start).Round(time.Millisecond), r)
	for _, v := range r.Violations() {
		t.Error(v)
	}
}
