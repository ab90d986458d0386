package search

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// Catalogue reads what the index copies.
type Catalogue interface {
	Products(ctx context.Context, ids []uuid.UUID) ([]product.Product, error)
	// After gives the products above an id, by id.
	After(ctx context.Context, id uuid.UUID, limit int) ([]product.Product, error)
	// Count gives how many products there are.
	Count(ctx context.Context) (int64, error)
}

// Queue tells which products the index is behind with.
type Queue interface {
	// MarkChanged queues what changed within the last while.
	MarkChanged(ctx context.Context, within time.Duration) error
}

// Projector keeps the index in line with the catalogue.
type Projector struct {
	index     *Index
	catalogue Catalogue
	queue     Queue
	log       *slog.Logger
}

// NewProjector makes it.
func NewProjector(index *Index, catalogue Catalogue, queue Queue, log *slog.Logger) *Projector {
	return &Projector{index: index, catalogue: catalogue, queue: queue, log: log}
}

// Apply writes the present rows of products into the index.
func (p *Projector) Apply(ctx context.Context, ids []uuid.UUID) error {
	ps, err := p.catalogue.Products(ctx, ids)
	if err != nil {
		return err
	}
	return p.index.Write(ctx, "", ps)
}

// ApplyNow is Apply for few products that are to be found at once: it does not
// wait for the index's own time to show what was written.
func (p *Projector) ApplyNow(ctx context.Context, ids []uuid.UUID) error {
	if err := p.Apply(ctx, ids); err != nil {
		return err
	}
	return p.index.Refresh(ctx)
}

// Ensure builds the index when there is none.
func (p *Projector) Ensure(ctx context.Context) error {
	exists, err := p.index.Exists(ctx)
	if err != nil || exists {
		return err
	}
	p.log.Info("no search index yet, building one")
	return p.Rebuild(ctx)
}

const (
	rebuildBatch = 1000
	// overlap covers what changed while the rebuild ran, with transactions that
	// were open when it began.
	overlap = 5 * time.Minute
)

// Rebuild writes every product into a new index and then swaps the alias:
// searches never see a part. What changed meanwhile is queued and follows.
func (p *Projector) Rebuild(ctx context.Context) error {
	started := p.index.now()
	name, err := p.index.Create(ctx)
	if err != nil {
		return fmt.Errorf("create index: %w", err)
	}
	n, err := p.fill(ctx, name, started)
	if err != nil {
		_ = p.index.Drop(context.WithoutCancel(ctx), name)
		return err
	}
	if err := p.index.Swap(ctx, name); err != nil {
		return fmt.Errorf("swap alias: %w", err)
	}
	within := p.index.now().Sub(started) + overlap
	if err := p.queue.MarkChanged(ctx, within); err != nil {
		return err
	}
	p.log.Info("search index rebuilt", "index", name, "products", n)
	return nil
}

func (p *Projector) fill(ctx context.Context, name string, started time.Time) (int, error) {
	total, err := p.catalogue.Count(ctx)
	if err != nil {
		return 0, err
	}
	var last uuid.UUID
	n := 0
	for {
		ps, err := p.catalogue.After(ctx, last, rebuildBatch)
		if err != nil {
			return n, err
		}
		if len(ps) == 0 {
			return n, nil
		}
		if err := p.index.Write(ctx, name, ps); err != nil {
			return n, fmt.Errorf("fill index: %w", err)
		}
		n, last = n+len(ps), ps[len(ps)-1].ID
		p.log.Info("search index grows", "index", name, "products", n, "of", total, "percent", int64(n)*100/max(total, int64(n)),
			"a_second", int(float64(n)/max(p.index.now().Sub(started).Seconds(), 0.001)))
	}
}
