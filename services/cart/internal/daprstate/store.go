// Package daprstate keeps cart documents in Dapr's state store `carts`, by
// compare-and-set on the store's ETags, with a time to live on every write. It
// also reads the store's collection directly, read-only, for what a state
// store can't answer: which carts hold a product, and which end soon.
package daprstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/dapr/go-sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
)

// Component is the name of the state store component.
const Component = "carts"

// callTimeout bounds one call of the sidecar: a store that hangs must leave
// time for another try within the request.
const callTimeout = 5 * time.Second

// States is what is used of Dapr's client.
type States interface {
	GetState(ctx context.Context, storeName, key string, meta map[string]string) (*client.StateItem, error)
	SaveStateWithETag(ctx context.Context, storeName, key string, data []byte, etag string, meta map[string]string, so ...client.StateOption) error
	DeleteStateWithETag(ctx context.Context, storeName, key string, etag *client.ETag, meta map[string]string, opts *client.StateOptions) error
}

// Ghosts tells of documents whose time is over but which are not swept yet.
// The state store does not give them to a reader, and does not let a writer
// create in their place.
type Ghosts interface {
	// GhostTag gives the ETag of an expired document, "" where there is none.
	GhostTag(ctx context.Context, key string) (string, error)
}

// Store implements cart.Store.
type Store struct {
	dapr   States
	ghosts Ghosts
}

// New makes a store.
func New(dapr States, ghosts Ghosts) *Store { return &Store{dapr, ghosts} }

// Load implements cart.Store.
func (s *Store) Load(ctx context.Context, key string) (cart.Cart, string, error) {
	var c cart.Cart
	tag, err := s.get(ctx, key, &c)
	return c, tag, err
}

func (s *Store) get(ctx context.Context, key string, v any) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	item, err := s.dapr.GetState(ctx, Component, key, nil)
	if err != nil {
		return "", fmt.Errorf("load %s: %w", kindOf(key), err)
	}
	if len(item.Value) == 0 {
		return "", nil
	}
	if err := json.Unmarshal(item.Value, v); err != nil {
		return "", fmt.Errorf("load %s: document: %w", kindOf(key), err)
	}
	return item.Etag, nil
}

// Save implements cart.Store.
func (s *Store) Save(ctx context.Context, key string, c cart.Cart, tag string, ttl time.Duration) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("save %s: document: %w", kindOf(key), err)
	}
	err = s.put(ctx, key, data, tag, ttl)
	if tag != "" || !errors.Is(err, cart.ErrConflict) {
		return err
	}
	ghost, gerr := s.ghosts.GhostTag(ctx, key)
	if gerr != nil || ghost == "" {
		return err
	}
	return s.put(ctx, key, data, ghost, ttl)
}

// put writes by compare-and-set. A tag of a document that has vanished creates
// it anew: nothing deletes carts but the end of their time, and a writer that
// loaded one a moment before its end may as well keep it.
func (s *Store) put(ctx context.Context, key string, data []byte, tag string, ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	meta := map[string]string{
		"ttlInSeconds": seconds(ttl),
		"contentType":  "application/json",
	}
	err := s.dapr.SaveStateWithETag(ctx, Component, key, data, tag, meta,
		client.WithConcurrency(client.StateConcurrencyFirstWrite), client.WithConsistency(client.StateConsistencyStrong))
	switch {
	case err == nil:
		return nil
	case conflict(err):
		return cart.ErrConflict
	}
	return fmt.Errorf("save %s: %w", kindOf(key), err)
}

// seconds rounds up: a document may outlive its time by a moment, as readers
// look at the time in it, but must not die before.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// conflict reads Dapr's answer to an ETag that is not the present one.
func conflict(err error) bool {
	if s, ok := status.FromError(err); ok {
		return s.Code() == codes.Aborted
	}
	return false
}

// kindOf names a document for an error. A guest's key stays out of the logs:
// it is derived from a secret.
func kindOf(key string) string {
	if len(key) > 6 && key[:6] == "guest-" {
		return "guest cart"
	}
	return key
}
