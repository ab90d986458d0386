package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/internal/sidecar"
	"github.com/caravan-shop/caravan/services/payment/internal/audit"
	"github.com/caravan-shop/caravan/services/payment/internal/orders"
	"github.com/caravan-shop/caravan/services/payment/internal/postgres"
	"github.com/caravan-shop/caravan/services/payment/internal/stripegateway"
)

// settledAfter is how old a difference must be to be one: younger ones are work under way.
const settledAfter = 30 * time.Second

var errDrift = errors.New("payment, provider and orders differ: see the log")

// reconcile compares the books with the provider and with Order, logs each
// difference, and with repair has the provider's word taken in. It works beside
// the running service and through its sidecar.
func reconcile(ctx context.Context, log *slog.Logger, repair bool) error {
	cfg, err := service.Load[config]()
	if err != nil {
		return err
	}
	if err := cfg.check(); err != nil {
		return err
	}
	dapr := sidecar.New(cfg.Config)
	secrets, err := readSecrets(ctx, dapr)
	if err != nil {
		return err
	}
	db, err := pg.Open(ctx, cfg.DatabaseURL, pg.Options{MaxConns: 2})
	if err != nil {
		return err
	}
	defer db.Close()
	store := postgres.New(db, outbox.New(db, service.NewID, time.Now), time.Now, service.NewID)
	auditor := &audit.Auditor{
		Rows: store, Mender: store, Orders: orders.New(dapr), Now: time.Now, Settled: settledAfter,
		Provider: stripegateway.New(stripegateway.Config{APIKey: secrets.apiKey, APIBase: cfg.StripeAPIBase, CallTimeout: cfg.CallTimeout}),
	}
	drifts, err := auditor.Compare(ctx, repair)
	if err != nil {
		return err
	}
	left := 0
	for _, d := range drifts {
		log.Error("drift", "kind", d.Kind, "order_id", d.Order, "transaction_id", d.Transaction, "intent", d.Intent,
			"detail", d.Detail, "mended", d.Mended)
		if !d.Mended {
			left++
		}
	}
	log.Info("reconciled", "drifts", len(drifts), "mended", len(drifts)-left)
	if left > 0 {
		return errDrift
	}
	return nil
}
