// Package hashing hashes passwords by argon2id behind a bounded queue of its
// own, so that a storm of sign-ins costs neither all processors nor memory
// without bound.
package hashing

import (
	"context"
	"fmt"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/caravan-shop/caravan/services/internal/fault"
)

// ErrBusy refuses work that would wait too long.
var ErrBusy = fault.New(fault.TooMany, "busy", "Too many passwords are being checked at the moment; try again.").After(2 * time.Second)

// Cost is the work of one hash.
type Cost struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// Default is what OWASP asks for at least: 19 MiB, two passes, one lane.
func Default() Cost { return Cost{MemoryKiB: 19 << 10, Passes: 2, Lanes: 1} }

// Queue implements user.Hasher. Safe for concurrent use.
type Queue struct {
	params  *argon2id.Params
	slots   chan struct{}
	waiting chan struct{}
	dummy   string
}

// New makes a queue that hashes workers passwords at once while at most waiting
// others wait.
func New(cost Cost, workers, waiting int) (*Queue, error) {
	if workers < 1 || waiting < 0 {
		return nil, fmt.Errorf("hash queue: %d workers and room for %d are too few", workers, waiting)
	}
	q := &Queue{
		params:  &argon2id.Params{Memory: cost.MemoryKiB, Iterations: cost.Passes, Parallelism: cost.Lanes, SaltLength: 16, KeyLength: 32},
		slots:   make(chan struct{}, workers),
		waiting: make(chan struct{}, workers+waiting),
	}
	var err error
	if q.dummy, err = argon2id.CreateHash("no account has this hash", q.params); err != nil {
		return nil, fmt.Errorf("dummy hash: %w", err)
	}
	return q, nil
}

// do runs fn in a slot of the queue.
func (q *Queue) do(ctx context.Context, fn func() error) error {
	select {
	case q.waiting <- struct{}{}:
	default:
		return ErrBusy
	}
	defer func() { <-q.waiting }()
	select {
	case q.slots <- struct{}{}:
	case <-ctx.Done():
		return ErrBusy.Because(ctx.Err())
	}
	defer func() { <-q.slots }()
	return fn()
}

// Hash implements user.Hasher.
func (q *Queue) Hash(ctx context.Context, password string) (hash string, err error) {
	err = q.do(ctx, func() error {
		hash, err = argon2id.CreateHash(password, q.params)
		return err
	})
	return hash, err
}

// Verify implements user.Hasher.
func (q *Queue) Verify(ctx context.Context, password, hash string) (match, outdated bool, err error) {
	known := hash != ""
	if !known {
		hash = q.dummy
	}
	err = q.do(ctx, func() error {
		var p *argon2id.Params
		var err error
		if match, p, err = argon2id.CheckHash(password, hash); err != nil {
			return fmt.Errorf("check password: %w", err)
		}
		outdated = p.Memory < q.params.Memory || p.Iterations < q.params.Iterations
		return nil
	})
	return match && known, outdated, err
}
