// Command order serves quotes and orders. `order migrate` applies the schema.
package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"log/slog"
	"net/http"
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
	"github.com/caravan-shop/caravan/services/order/internal/accounts"
	"github.com/caravan-shop/caravan/services/order/internal/carts"
	"github.com/caravan-shop/caravan/services/order/internal/catalog"
	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/desk"
	"github.com/caravan-shop/caravan/services/order/internal/httpapi"
	"github.com/caravan-shop/caravan/services/order/internal/payments"
	"github.com/caravan-shop/caravan/services/order/internal/postgres"
	"github.com/caravan-shop/caravan/services/order/internal/pricing"
	"github.com/caravan-shop/caravan/services/order/internal/subscriber"
)

//go:embed openapi.yaml
var spec []byte

func main() { service.Main("order", run) }

func run(ctx context.Context, log *slog.Logger, args []string) error {
	if len(args) == 1 && args[0] == "migrate" {
		return migrate(ctx)
	}
	if len(args) > 0 {
		return fmt.Errorf("unknown arguments %q: want none, or migrate", args)
	}
	cfg, err := service.Load[Config]()
	if err != nil {
		return err
	}
	if err := cfg.check(); err != nil {
		return err
	}
	tariffs, err := loadTariffs(cfg.TariffsFile, cfg.Currency)
	if err != nil {
		return err
	}
	db, err := pg.Open(ctx, cfg.DatabaseURL, pg.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	dapr := sidecar.New(cfg.Config)
	box, keys := outbox.New(db, service.NewID, time.Now), idempotency.New(db, time.Now)
	store, pay := postgres.New(db, box, keys), payments.New(dapr)
	orders := &desk.Desk{Reader: store, Writer: store, Payments: pay, Now: time.Now, Log: log}
	saga := &checkout.Service{
		Store: store, Carts: carts.New(dapr), Accounts: accounts.New(dapr), Payments: pay,
		Catalog: catalog.New(dapr, cfg.Currency), Tariffs: tariffs,
		NewID: service.NewID, Now: time.Now, Random: rand.Reader, Log: log,
		Gate: checkout.NewGate(cfg.CheckoutsAtOnce, cfg.CheckoutWait), Lease: cfg.CheckoutLease, PayBy: cfg.PayBy,
		Quoted: checkout.NewQuoted(),
	}
	people := auth.NewRemote(auth.FromSidecar(dapr), cfg.RevokedPoll, log)
	relay := box.Relay(dapr, log)
	handler, err := router(cfg, log, keys, people, relay.Collector(), saga, orders,
		delivery.KeepBeside("order", dapr, service.NewID, time.Now))
	if err != nil {
		return err
	}
	every := func(name string, d time.Duration, fn func(context.Context) error) service.Job {
		return service.Job{Name: name, Run: func(ctx context.Context) error { return service.Every(ctx, d, log, name, fn) }}
	}
	return service.Serve(ctx, cfg.Config, log, handler,
		service.Job{Name: "relay", Run: relay.Run},
		service.Job{Name: "keys", Run: people.Run},
		every("undo checkouts", cfg.PollEvery, saga.Recover),
		every("settle payments", cfg.PollEvery, orders.SettlePayments),
		every("sweep idempotency keys", time.Minute, keys.Sweep),
		every("sweep checkouts", time.Hour, store.SweepCheckouts),
	)
}

func router(cfg Config, log *slog.Logger, keys *idempotency.Keeper, people auth.Verifier, lag prometheus.Collector,
	saga *checkout.Service, orders *desk.Desk, keep delivery.Keep) (http.Handler, error) {
	r, err := web.NewRouter(web.Setup{
		App: "order", Spec: spec, AppToken: cfg.AppToken, Verifier: people, Keys: keys,
		Collectors: []prometheus.Collector{lag}, Log: log,
	})
	if err != nil {
		return nil, err
	}
	httpapi.Register(r, saga, orders, keys, cfg.Currency)
	delivery.Register(r, log, keep, subscriber.Table(orders))
	return r, nil
}

func migrate(ctx context.Context) error {
	cfg, err := service.Load[MigrationConfig]()
	if err != nil {
		return err
	}
	return pg.Migrate(ctx, cfg.DatabaseURL, postgres.Migrations())
}

// loadTariffs refuses tariffs of another currency than the shop's: a start that
// fails beats wrong totals.
func loadTariffs(file, currency string) (*pricing.Tariffs, error) {
	tariffs, err := pricing.Default()
	if file != "" {
		var content []byte
		if content, err = os.ReadFile(file); err == nil {
			tariffs, err = pricing.Parse(content)
		}
	}
	if err != nil {
		return nil, err
	}
	if tariffs.Currency != currency {
		return nil, fmt.Errorf("tariffs are in %s, the shop in %s: set TARIFFS_FILE", tariffs.Currency, currency)
	}
	return tariffs, nil
}
