// Command notification sends the mails of the shop when events tell of
// something worth one. It has no database: Redis remembers which mails are
// done, User knows to whom they go.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/internal/sidecar"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/notification/internal/accounts"
	"github.com/caravan-shop/caravan/services/notification/internal/claims"
	"github.com/caravan-shop/caravan/services/notification/internal/httpapi"
	"github.com/caravan-shop/caravan/services/notification/internal/mail"
	"github.com/caravan-shop/caravan/services/notification/internal/notification"
	"github.com/caravan-shop/caravan/services/notification/internal/orders"
	"github.com/caravan-shop/caravan/services/notification/internal/post"
	"github.com/caravan-shop/caravan/services/notification/internal/subscriber"
)

//go:embed openapi.yaml
var spec []byte

func main() { service.Main("notification", run) }

// run wires the service, top to bottom, and serves until ctx ends.
func run(ctx context.Context, log *slog.Logger, _ []string) error {
	cfg, err := service.Load[config]()
	if err != nil {
		return err
	}
	if err := cfg.check(); err != nil {
		return err
	}
	store, err := openRedis(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()

	neighbours := sidecar.New(cfg.Config)
	office, err := post.New(cfg.post(), time.Now)
	if err != nil {
		return err
	}
	renderer, err := mail.New(mail.Shop{Name: cfg.ShopName, URL: cfg.ShopURL})
	if err != nil {
		return err
	}
	mails := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caravan_mails_total", Help: "Mails by kind and outcome: sent, no-mail (nobody to write to), refused (for ever).",
	}, []string{"kind", "outcome"})
	notifier := notification.New(notification.Ports{
		Directory: accounts.New(neighbours, cfg.NeighbourTimeout),
		Orders:    orders.New(neighbours, cfg.NeighbourTimeout),
		Renderer:  renderer,
		Sender:    office,
		Claims:    claims.New(store, cfg.Lease, service.NewID),
		Count: func(k notification.Kind, o notification.Outcome) {
			mails.WithLabelValues(string(k), string(o)).Inc()
		},
	}, office.Domain(), notification.Times{Work: cfg.WorkTimeout, Settle: cfg.SettleTimeout}, log)

	verifier := auth.NewRemote(auth.FromSidecar(neighbours), cfg.RevokedPoll, log)
	router, err := web.NewRouter(web.Setup{
		App: "notification", Spec: spec, AppToken: cfg.AppToken, Verifier: verifier, Log: log,
		Collectors: []prometheus.Collector{mails},
	})
	if err != nil {
		return err
	}
	httpapi.Register(router, renderer, cfg.Currency)
	delivery.Register(router, log, delivery.KeepBeside("notification", neighbours, service.NewID, time.Now), subscriber.Table(notifier))

	return service.Serve(ctx, cfg.Config, log, router,
		service.Job{Name: "session keys", Run: verifier.Run},
		service.Job{Name: "mail connections", Run: office.Run},
	)
}

// openRedis connects on first use: while Redis is away, mails wait.
func openRedis(cfg config) (*redis.Client, error) {
	options, err := redis.ParseURL(cfg.RedisURL)
	if err != nil {
		// The error of ParseURL may quote the URL, which holds a password.
		return nil, fmt.Errorf("configuration: REDIS_URL is not a redis URL")
	}
	options.ContextTimeoutEnabled = true
	options.DialTimeout = cfg.SettleTimeout
	options.ReadTimeout = cfg.SettleTimeout
	options.WriteTimeout = cfg.SettleTimeout
	return redis.NewClient(options), nil
}
