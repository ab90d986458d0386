package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/product/internal/postgres"
	"github.com/caravan-shop/caravan/services/product/internal/search"
)

// upkeep is what the commands beside the server work with.
type upkeep struct {
	db        *pg.DB
	catalogue *postgres.Catalogue
	projector *search.Projector
}

func openUpkeep(ctx context.Context, log *slog.Logger) (*upkeep, error) {
	cfg, err := service.Load[rebuilding]()
	if err != nil {
		return nil, err
	}
	db, err := pg.Open(ctx, cfg.DatabaseURL, pg.Options{MaxConns: 4})
	if err != nil {
		return nil, err
	}
	index, err := search.Open(cfg.ElasticsearchURL, cfg.IndexAlias, time.Now)
	if err != nil {
		return nil, err
	}
	catalogue := postgres.NewCatalogue(db, outbox.New(db, service.NewID, time.Now), service.NewID, time.Now, nil)
	return &upkeep{db: db, catalogue: catalogue,
		projector: search.NewProjector(index, catalogue, postgres.NewProjections(db), log)}, nil
}

// reindex builds the index anew beside the one in use and swaps it in.
func reindex(ctx context.Context, log *slog.Logger) error {
	up, err := openUpkeep(ctx, log)
	if err != nil {
		return err
	}
	defer up.db.Close()
	return up.projector.Rebuild(ctx)
}

// reconcile reports where counters and ledger differ, sets the counters by the
// ledger if asked to, and mends the index where it differs from the database.
func reconcile(ctx context.Context, log *slog.Logger, repair bool) error {
	up, err := openUpkeep(ctx, log)
	if err != nil {
		return err
	}
	defer up.db.Close()
	drifts, err := up.catalogue.LedgerDrift(ctx)
	if err != nil {
		return err
	}
	for _, d := range drifts {
		log.Error("counters differ from the ledger", "product_id", d.ProductID, "counters", d.Counters, "ledger", d.Ledger, "mended", repair)
		if repair {
			if err := up.catalogue.FollowLedger(ctx, d.ProductID); err != nil {
				return err
			}
		}
	}
	mended, err := up.projector.Mend(ctx)
	if err != nil {
		return err
	}
	log.Info("reconciled", "ledger_drift", len(drifts), "index_mended", mended)
	if len(drifts) > 0 && !repair {
		return errDrift
	}
	return nil
}

var errDrift = errors.New("counters differ from the ledger: see the log")
