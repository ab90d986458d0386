package tests

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/tests/chaos"
)

// TestPromisesAreKeptThroughChaos is `make chaos` in short: the same load and
// faults for less than a minute, from a seed that stays the same. Not parallel:
// it is felt by everybody.
func TestPromisesAreKeptThroughChaos(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	verdict, err := chaos.Run(ctx, chaos.Options{
		StackFile: w.path, Seed: 7, For: 40 * time.Second, Customers: 8, Pause: 1500 * time.Millisecond, Rest: 2 * time.Minute, Out: os.Stderr,
	})
	if verdict != nil {
		verdict.Print(os.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Failed() {
		t.Error("the shop broke a promise, or something is stuck")
	}
}
