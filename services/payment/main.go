// Command payment charges orders, gives money back, and keeps the log of both.
// `payment migrate` applies the schema; `payment` alone serves.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/internal/sidecar"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/payment/internal/collector"
	"github.com/caravan-shop/caravan/services/payment/internal/httpapi"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
	"github.com/caravan-shop/caravan/services/payment/internal/postgres"
	"github.com/caravan-shop/caravan/services/payment/internal/stripegateway"
	"github.com/caravan-shop/caravan/services/payment/internal/subscriber"
)

//go:embed openapi.yaml
var spec []byte

func main() { service.Main("payment", run) }

func run(ctx context.Context, log *slog.Logger, args []string) error {
	if len(args) == 1 && args[0] == "migrate" {
		cfg, err := service.Load[migration]()
		if err != nil {
			return err
		}
		return pg.Migrate(ctx, cfg.DatabaseURL, postgres.Migrations())
	}
	if len(args) > 0 && args[0] == "reconcile" {
		return reconcile(ctx, log, len(args) == 2 && args[1] == "--repair")
	}
	if len(args) > 0 {
		return fmt.Errorf("usage: %s [migrate | reconcile [--repair]]", os.Args[0])
	}
	return serve(ctx, log)
}

// serve wires the service, top to bottom, and serves until ctx ends.
func serve(ctx context.Context, log *slog.Logger) error {
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
	db, err := pg.Open(ctx, cfg.DatabaseURL, pg.Options{MaxConns: int32(cfg.Workers) + 16})
	if err != nil {
		return err
	}
	defer db.Close()

	box := outbox.New(db, service.NewID, time.Now)
	relay := box.Relay(dapr, log)
	store := postgres.New(db, box, time.Now, service.NewID)
	stripe := stripegateway.New(stripegateway.Config{
		APIKey: secrets.apiKey, APIBase: cfg.StripeAPIBase, ReturnURL: cfg.ShopURL + "/orders",
		ManualCapture: cfg.Capture == "manual", CallTimeout: cfg.CallTimeout,
	})
	checkout := payment.NewCheckout(store, store, store, store, time.Now, cfg.PayBy+cfg.PayGrace)
	keys := idempotency.New(db, time.Now)
	tokens := auth.NewRemote(auth.FromSidecar(dapr), cfg.RevokedPoll, log)

	router, err := web.NewRouter(web.Setup{
		App: "payment", Spec: spec, AppToken: cfg.AppToken, Verifier: tokens, Keys: keys,
		Collectors: []prometheus.Collector{relay.Collector()}, Log: log,
	})
	if err != nil {
		return err
	}
	httpapi.Register(router, httpapi.Deps{
		Tx: store, Log: store, Wallet: store, Checkout: checkout, Keys: keys,
		Refunds: payment.NewRefunds(store, service.NewID),
		Saving:  payment.NewSaving(store, store, store, stripe, time.Now, service.NewID),
		Notices: payment.NewListening(store, store, store), Reader: stripegateway.NewHearing(secrets.webhook),
	})
	delivery.Register(router, log, delivery.KeepBeside("payment", dapr, service.NewID, time.Now), subscriber.Handlers(checkout, store))

	return service.Serve(ctx, cfg.Config, log, router,
		service.Job{Name: "tokens", Run: tokens.Run},
		service.Job{Name: "outbox", Run: relay.Run},
		service.Job{Name: "collector", Run: collector.New(store, stripe, stripe, log, cfg.Workers, cfg.Poll).Run},
		service.Job{Name: "detachments", Run: func(ctx context.Context) error {
			return service.Every(ctx, detachEvery, log, "detachments", func(ctx context.Context) error {
				return collector.DetachAll(ctx, store, stripe)
			})
		}},
		service.Job{Name: "idempotency", Run: func(ctx context.Context) error {
			return service.Every(ctx, sweepEvery, log, "idempotency", keys.Sweep)
		}},
	)
}

const (
	detachEvery = 5 * time.Second
	sweepEvery  = 10 * time.Minute
)

type secrets struct{ apiKey, webhook string }

// readSecrets waits for the sidecar, which holds the secret store.
func readSecrets(ctx context.Context, dapr *sidecar.Client) (secrets, error) {
	if err := dapr.WaitReady(ctx); err != nil {
		return secrets{}, err
	}
	apiKey, err := dapr.Secret(ctx, "payment-stripe-api-key")
	if err != nil {
		return secrets{}, err
	}
	webhook, err := dapr.Secret(ctx, "payment-stripe-webhook-secret")
	if err != nil {
		return secrets{}, err
	}
	if apiKey == "" || webhook == "" {
		return secrets{}, fmt.Errorf("secrets payment-stripe-api-key and payment-stripe-webhook-secret must not be empty")
	}
	return secrets{apiKey, webhook}, nil
}
