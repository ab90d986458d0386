// Package claimstest opens a real Redis for tests. CARAVAN_TEST_REDIS names it;
// without it the test fails, for a skipped test proves nothing.
package claimstest

import (
	"context"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// Open connects until the test ends.
func Open(t testing.TB) *redis.Client {
	t.Helper()
	address := os.Getenv("CARAVAN_TEST_REDIS")
	if address == "" {
		t.Fatal("CARAVAN_TEST_REDIS is not set: it is the URL of a Redis for tests")
	}
	options, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return client
}

// EventID gives an id of which no other test knows, and deletes its claims
// when the test ends.
func EventID(t testing.TB, client *redis.Client) string {
	t.Helper()
	id := uuid.NewString()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		keys, err := client.Keys(ctx, "mail:"+id+":*").Result()
		if err == nil && len(keys) > 0 {
			client.Del(ctx, keys...)
		}
	})
	return id
}
