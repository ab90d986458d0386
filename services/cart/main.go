// Command cart is the shopping cart service. `cart migrate` makes the index
// that it reads by; `cart` alone serves.
package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/cart/internal/cache"
	"github.com/caravan-shop/caravan/services/cart/internal/cart"
	"github.com/caravan-shop/caravan/services/cart/internal/catalog"
	"github.com/caravan-shop/caravan/services/cart/internal/daprstate"
	"github.com/caravan-shop/caravan/services/cart/internal/httpapi"
	"github.com/caravan-shop/caravan/services/cart/internal/subscriber"
	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/internal/sidecar"
	"github.com/caravan-shop/caravan/services/internal/web"
)

//go:embed openapi.yaml
var spec []byte

func main() { service.Main("cart", run) }

func run(ctx context.Context, log *slog.Logger, args []string) error {
	if len(args) == 1 && args[0] == "migrate" {
		return migrate(ctx)
	}
	if len(args) > 0 {
		return fmt.Errorf("usage: %s [migrate]", os.Args[0])
	}
	return serve(ctx, log)
}

func migrate(ctx context.Context) error {
	cfg, err := service.Load[migration]()
	if err != nil {
		return err
	}
	client, err := daprstate.Connect(cfg.MongoURL)
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	return daprstate.Indexes(ctx, client.Database(daprstate.Database))
}

func serve(ctx context.Context, log *slog.Logger) error {
	cfg, err := service.Load[Config]()
	if err != nil {
		return err
	}
	states, hangUp, err := daprstate.Dial(net.JoinHostPort(cfg.DaprHost, strconv.Itoa(cfg.DaprGRPCPort)), cfg.DaprToken)
	if err != nil {
		return err
	}
	defer hangUp()
	mongo, err := daprstate.Connect(cfg.MongoURL)
	if err != nil {
		return err
	}
	defer func() { _ = mongo.Disconnect(context.WithoutCancel(ctx)) }()
	redisOptions, err := cache.Options(cfg.RedisURL)
	if err != nil {
		return err
	}
	redis.SetLogger(cache.Quiet{Log: log})
	rdb := redis.NewClient(redisOptions)
	defer func() { _ = rdb.Close() }()

	dapr := sidecar.New(cfg.Config)
	documents := daprstate.NewCollection(mongo.Database(daprstate.Database), cfg.AppID, time.Now)
	store := daprstate.New(states, documents)
	prices := daprstate.NewWorklist(store, documents)
	carts := cart.New(cart.Deps{
		Store: store, Cache: cache.New(rdb, service.NewID, time.Now, log), Catalog: catalog.New(dapr, time.Now),
		TTL: cfg.CartTTL, Currency: cfg.Currency, Now: time.Now, NewID: service.NewID, Random: rand.Reader, Log: log,
	})
	tokens := auth.NewRemote(auth.FromSidecar(dapr), cfg.RevokedPoll, log)

	router, err := web.NewRouter(web.Setup{App: "cart", Spec: spec, AppToken: cfg.AppToken, Verifier: tokens, Log: log})
	if err != nil {
		return err
	}
	httpapi.Register(router, carts, documents, time.Now)
	delivery.Register(router, log, delivery.KeepBeside("cart", dapr, service.NewID, time.Now), subscriber.Handlers(carts, prices, time.Now))

	return service.Serve(ctx, cfg.Config, log, router,
		service.Job{Name: "tokens", Run: tokens.Run},
		service.Job{Name: "reprice", Run: func(ctx context.Context) error {
			return service.Every(ctx, cfg.Reprice, log, "reprice", func(ctx context.Context) error {
				return prices.Reprice(ctx, carts)
			})
		}},
	)
}
