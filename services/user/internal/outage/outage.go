// Package outage keeps a server that is away from slowing every request: after
// a failure the next calls fail at once for a moment.
package outage

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// ErrAway says that the server failed a moment ago and was not asked.
var ErrAway = errors.New("server is away")

const pause = time.Second

// Guard stands before one server. Safe for concurrent use.
type Guard struct {
	name  string
	log   *slog.Logger
	now   func() time.Time
	until atomic.Int64
}

// New makes a guard; name goes into the log.
func New(name string, now func() time.Time, log *slog.Logger) *Guard {
	return &Guard{name: name, log: log, now: now}
}

// Do calls fn unless the server failed a moment ago. An error of fn counts as
// the server's, unless the caller gave up.
func (g *Guard) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	now := g.now()
	if now.UnixNano() < g.until.Load() {
		return ErrAway
	}
	err := fn(ctx)
	if err != nil && ctx.Err() == nil {
		g.until.Store(now.Add(pause).UnixNano())
		g.log.Warn("server is away", "server", g.name, "error", err)
	}
	return err
}
