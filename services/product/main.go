// Command product is the catalogue, stock, review and search service of the shop.
//
//	product            serves
//	product migrate    brings the schema of its database up to date
//	product reindex    rebuilds the search index and swaps it in
//	product reconcile  recomputes the counters from the ledger, and compares the
//	                   index with the database; reports drift and mends the index
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/internal/sidecar"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/product/internal/cache"
	"github.com/caravan-shop/caravan/services/product/internal/httpapi"
	"github.com/caravan-shop/caravan/services/product/internal/orders"
	"github.com/caravan-shop/caravan/services/product/internal/postgres"
	"github.com/caravan-shop/caravan/services/product/internal/product"
	"github.com/caravan-shop/caravan/services/product/internal/search"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
	"github.com/caravan-shop/caravan/services/product/internal/subscriber"
)

//go:embed openapi.yaml
var spec []byte

func main() { service.Main("product", run) }

func run(ctx context.Context, log *slog.Logger, args []string) error {
	command := ""
	if len(args) == 1 {
		command = args[0]
	}
	switch {
	case command == "migrate":
		return migrate(ctx)
	case command == "reindex":
		return reindex(ctx, log)
	case command == "reconcile":
		return reconcile(ctx, log, false)
	case len(args) == 2 && args[0] == "reconcile" && args[1] == "--repair":
		return reconcile(ctx, log, true)
	case len(args) > 0:
		return fmt.Errorf("usage: product [migrate | reindex | reconcile [--repair]]")
	}
	cfg, err := service.Load[Config]()
	if err != nil {
		return err
	}
	app, err := wire(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer app.close()
	return app.serve(ctx)
}

func migrate(ctx context.Context) error {
	cfg, err := service.Load[migration]()
	if err != nil {
		return err
	}
	return pg.Migrate(ctx, cfg.URL, postgres.Migrations())
}

// application is the wired service.
type application struct {
	cfg       Config
	log       *slog.Logger
	sidecar   *sidecar.Client
	db        *pg.DB
	rdb       *redis.Client
	box       *outbox.Box
	catalogue *postgres.Catalogue
	queue     *postgres.Projections
	copies    *copies
	cached    *cache.Products
	projector *search.Projector
	stock     *stock.Service
	reviews   *product.Reviews
	server    *httpapi.Server
}

// wire makes every part, from the outside in. It connects to nothing yet.
func wire(ctx context.Context, cfg Config, log *slog.Logger) (*application, error) {
	a := &application{cfg: cfg, log: log, sidecar: sidecar.New(cfg.Config)}
	var err error
	if a.db, err = pg.Open(ctx, cfg.DatabaseURL, pg.Options{MaxConns: 24}); err != nil {
		return nil, err
	}
	if a.rdb, err = cache.Open(cfg.RedisURL); err != nil {
		return nil, err
	}
	index, err := search.Open(cfg.ElasticsearchURL, cfg.IndexAlias, time.Now)
	if err != nil {
		return nil, err
	}
	a.box = outbox.New(a.db, service.NewID, time.Now)
	a.queue = postgres.NewProjections(a.db)
	a.copies = newCopies(log)
	a.catalogue = postgres.NewCatalogue(a.db, a.box, service.NewID, time.Now, a.copies.behind)
	a.cached = cache.New(a.rdb, a.catalogue, time.Now)
	a.projector = search.NewProjector(index, a.catalogue, a.queue, log)
	a.wireUseCases(index)
	return a, nil
}

func (a *application) wireUseCases(index *search.Index) {
	neighbour := orders.New(a.sidecar)
	a.stock = stock.New(postgres.NewStock(a.db, a.box, a.copies.behind), neighbour, a.cfg.HoldTTL, a.log)
	a.reviews = product.NewReviews(a.catalogue, a.catalogue, neighbour, service.NewID, time.Now, a.log)
	a.server = &httpapi.Server{
		Categories: product.NewCategories(a.catalogue, service.NewID, time.Now),
		Catalogue:  product.NewCatalogue(a.catalogue, a.cached, a.cfg.Currency, service.NewID, time.Now),
		Importer:   product.NewImporter(a.catalogue, a.cfg.Currency, service.NewID, time.Now, a.log),
		Reviews:    a.reviews,
		Alerts:     product.NewAlerts(a.catalogue, a.cached),
		Stock:      a.stock,
		Searcher:   product.Fallback{Index: index, Database: postgres.NewSearch(a.catalogue)},
		Records:    a.catalogue,
	}
}

func (a *application) close() {
	a.db.Close()
	_ = a.rdb.Close()
}

func (a *application) serve(ctx context.Context) error {
	keeper := idempotency.New(a.db, time.Now)
	relay := a.box.Relay(a.sidecar, a.log)
	verifier := auth.NewRemote(auth.FromSidecar(a.sidecar), a.cfg.RevokedPoll, a.log)
	router, err := httpapi.New(web.Setup{
		App: "product", Spec: spec, AppToken: a.cfg.AppToken, Verifier: verifier, Keys: keeper, Log: a.log,
		Collectors: []prometheus.Collector{relay.Collector()},
	}, a.server)
	if err != nil {
		return err
	}
	delivery.Register(router, a.log, delivery.KeepBeside("product", a.sidecar, service.NewID, time.Now), subscriber.Table(a.db, a.stock, a.catalogue, a.queue, a.copies.queued))
	return service.Serve(ctx, a.cfg.Config, a.log, router,
		service.Job{Name: "outbox relay", Run: relay.Run},
		service.Job{Name: "token keys", Run: verifier.Run},
		service.Job{Name: "search index", Run: a.followSearch},
		service.Job{Name: "product cache", Run: a.followCache},
		service.Job{Name: "search freshness", Run: func(ctx context.Context) error { return a.copies.runFresh(ctx, a.projector.ApplyNow) }},
		service.Job{Name: "stock alerts", Run: a.tellWaiting},
		service.Job{Name: "cache fences", Run: func(ctx context.Context) error { return a.copies.run(ctx, a.fence) }},
		service.Job{Name: "due holds", Run: a.every(a.cfg.ExpiryPoll, "due holds", a.expireHolds)},
		service.Job{Name: "purchases to verify", Run: a.every(verifyEvery, "purchases to verify", a.reviews.VerifyWaiting)},
		service.Job{Name: "popularity", Run: a.every(popularityEvery, "popularity", a.catalogue.RefreshPopularity)},
		service.Job{Name: "sweep", Run: a.every(sweepEvery, "sweep", keeper.Sweep)},
	)
}

const (
	verifyEvery     = 5 * time.Second
	popularityEvery = 10 * time.Minute
	sweepEvery      = 10 * time.Minute
)

func (a *application) every(d time.Duration, name string, fn func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error { return service.Every(ctx, d, a.log, name, fn) }
}

func (a *application) expireHolds(ctx context.Context) error {
	n, err := a.stock.ExpireDue(ctx)
	if n > 0 {
		a.log.Info("holds without an order ended", "holds", n)
	}
	return err
}

// fence drops the cached copies of products that have just changed. It is the
// quick way; the queue is the sure one.
func (a *application) fence(ctx context.Context, ids []uuid.UUID) error {
	ps, err := a.catalogue.Products(ctx, ids)
	if err != nil {
		return err
	}
	revisions := make(map[uuid.UUID]int64, len(ps))
	for _, p := range ps {
		revisions[p.ID] = p.Revision
	}
	return a.cached.Fence(ctx, revisions)
}
