package checkout

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
)

// shelf asks Product what there is of what has run out, for all who want to know at
// about the same time: while one question is under way, those who come share the
// next, so that nobody is shown the shelf as it was before they came. The zero value
// is ready. Safe for concurrent use.
type shelf struct {
	mu    sync.Mutex
	busy  bool
	ahead *glance // takes those who come while one is under way; nil: nobody waits
}

// glance is one question. Once done is closed, products and err stand.
type glance struct {
	ids      map[uuid.UUID]bool
	done     chan struct{}
	products map[uuid.UUID]Product
	err      error
}

// glanceTime bounds a question that many wait for. It is no caller's own.
const glanceTime = 3 * time.Second

// look gives what is known of the products; unknown ones are missing.
func (s *shelf) look(ctx context.Context, catalog Catalog, ids []uuid.UUID) (map[uuid.UUID]Product, error) {
	g, lead := s.join(ids)
	if g == nil {
		return catalog.Lookup(ctx, ids)
	}
	if lead {
		go s.work(context.WithoutCancel(ctx), catalog)
	}
	select {
	case <-g.done:
		return g.products, g.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// join puts products on the next question, if it has room for them, and tells
// whether nobody is at work.
func (s *shelf) join(ids []uuid.UUID) (g *glance, lead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ahead != nil && len(s.ahead.ids)+len(ids) > maxLines:
		return nil, false
	case s.ahead == nil:
		s.ahead = &glance{ids: map[uuid.UUID]bool{}, done: make(chan struct{})}
	}
	for _, id := range ids {
		s.ahead.ids[id] = true
	}
	lead = !s.busy
	s.busy = true
	return s.ahead, lead
}

// work asks question after question until nobody waits.
func (s *shelf) work(ctx context.Context, catalog Catalog) {
	for g := s.next(); g != nil; g = s.next() {
		g.ask(ctx, catalog)
	}
}

func (s *shelf) next() *glance {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.ahead
	s.ahead = nil
	s.busy = g != nil
	return g
}

func (g *glance) ask(ctx context.Context, catalog Catalog) {
	defer close(g.done)
	ctx, cancel := context.WithTimeout(ctx, glanceTime)
	defer cancel()
	ids := make([]uuid.UUID, 0, len(g.ids))
	for id := range g.ids {
		ids = append(ids, id)
	}
	g.products, g.err = catalog.Lookup(ctx, ids)
}
