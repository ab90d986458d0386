// Package names lets a sidecar remember for a moment where its neighbours are. Dapr's SQLite resolver asks its file for
// every single call: a twelfth of a busy sidecar's time.
package names

import (
	"context"
	"sync"
	"time"

	"github.com/dapr/components-contrib/nameresolution"
)

// Resolver answers from memory what the resolver beneath it was asked less than Life ago. A replica that leaves is
// called for that long at most, as one that dies unseen is anyway, and two replicas take turns at that pace. Safe for
// concurrent use.
type Resolver struct {
	nameresolution.Resolver

	Life time.Duration
	Now  func() time.Time

	mu     sync.Mutex
	places map[string]place // of apps that were found, so there are no more of them than apps
}

type place struct {
	address string
	until   time.Time
}

// ResolveID implements nameresolution.Resolver. Failures are not remembered.
func (r *Resolver) ResolveID(ctx context.Context, req nameresolution.ResolveRequest) (string, error) {
	key := req.CacheKey()
	if address, ok := r.remembered(key); ok {
		return address, nil
	}
	asked := r.Now()
	address, err := r.Resolver.ResolveID(ctx, req)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.places == nil {
		r.places = map[string]place{}
	}
	r.places[key] = place{address, asked.Add(r.Life)}
	return address, nil
}

func (r *Resolver) remembered(key string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.places[key]
	return p.address, ok && r.Now().Before(p.until)
}
