// Command user is the identity service of the shop: accounts, sessions, tokens,
// addresses and roles.
//
//	user              serves
//	user migrate      brings the schema of its database up to date
//	user rotate-keys  makes the next signing key; nobody is signed out
package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/internal/sidecar"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/user/internal/access"
	"github.com/caravan-shop/caravan/services/user/internal/addressing"
	"github.com/caravan-shop/caravan/services/user/internal/breached"
	"github.com/caravan-shop/caravan/services/user/internal/hashing"
	"github.com/caravan-shop/caravan/services/user/internal/httpapi"
	"github.com/caravan-shop/caravan/services/user/internal/keyring"
	"github.com/caravan-shop/caravan/services/user/internal/neighbour"
	"github.com/caravan-shop/caravan/services/user/internal/outage"
	"github.com/caravan-shop/caravan/services/user/internal/postgres"
	"github.com/caravan-shop/caravan/services/user/internal/sessioncache"
	"github.com/caravan-shop/caravan/services/user/internal/throttle"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

//go:embed openapi.yaml
var spec []byte

func main() { service.Main("user", run) }

func run(ctx context.Context, log *slog.Logger, args []string) error {
	if len(args) == 1 && args[0] == "migrate" {
		return migrate(ctx)
	}
	if len(args) > 1 || (len(args) == 1 && args[0] != "rotate-keys") {
		return fmt.Errorf("usage: user [migrate|rotate-keys]")
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
	if len(args) == 1 {
		return app.ring.Rotate(ctx)
	}
	return app.serve(ctx)
}

func migrate(ctx context.Context) error {
	cfg, err := service.Load[migration]()
	if err != nil {
		return err
	}
	migrations, err := postgres.Migrations()
	if err != nil {
		return err
	}
	return pg.Migrate(ctx, cfg.URL, migrations)
}

// application is the wired service.
type application struct {
	cfg     Config
	log     *slog.Logger
	sidecar *sidecar.Client
	db      *pg.DB
	rdb     *redis.Client
	store   *postgres.Store
	ring    *keyring.Ring
	box     *outbox.Box
	cache   *sessioncache.Cache
	users   *user.Service
}

// wire makes every part, from the outside in.
func wire(ctx context.Context, cfg Config, log *slog.Logger) (*application, error) {
	a := &application{cfg: cfg, log: log, sidecar: sidecar.New(cfg.Config)}
	if err := a.sidecar.WaitReady(ctx); err != nil {
		return nil, err
	}
	kek, err := a.secret(ctx, "user-signing-key-kek")
	if err != nil {
		return nil, err
	}
	tokenKey, err := a.secret(ctx, "user-token-hmac")
	if err != nil {
		return nil, err
	}
	seal, err := keyring.NewSeal(kek)
	if err != nil {
		return nil, err
	}
	if a.rdb, err = openRedis(cfg.RedisURL); err != nil {
		return nil, err
	}
	if a.db, err = pg.Open(ctx, cfg.DatabaseURL, pg.Options{}); err != nil {
		return nil, err
	}
	guard := outage.New("redis", time.Now, log)
	a.cache = sessioncache.New(a.rdb, guard, time.Now)
	a.box = outbox.New(a.db, service.NewID, time.Now)
	a.store = postgres.New(a.db, a.box, func(ids []uuid.UUID) { a.cache.Drop(context.WithoutCancel(ctx), ids) })
	a.ring = keyring.New(a.store, seal, keyring.Options{
		Lead: cfg.KeyLead, MaxAge: cfg.KeyMaxAge, Grace: cfg.keyGrace(), Now: time.Now, Random: rand.Reader,
	})
	return a, a.wireUsers(guard, tokenKey, seal)
}

func (a *application) wireUsers(guard *outage.Guard, tokenKey []byte, seal *keyring.Seal) error {
	hasher, err := hashing.New(hashing.Default(), a.cfg.HashWorkers, a.cfg.HashWaiting)
	if err != nil {
		return err
	}
	passwords, err := breached.Load()
	if err != nil {
		return err
	}
	formats, err := addressing.Load()
	if err != nil {
		return err
	}
	a.users = user.New(user.Parts{
		Tx: a.store, Accounts: a.store, Administration: a.store, Sessions: a.store, Resets: a.store, Verifications: a.store,
		Addresses: a.store, Factors: a.store, Sealer: seal, Records: a.store, Hasher: hasher, Breached: passwords.Has, Formats: formats,
		Limiter: throttle.New(a.rdb, guard, tokenKey, time.Now), Issuer: a.ring, Neighbours: neighbour.New(a.sidecar),
		Copies: a.cache, Secret: tokenKey, Policy: a.cfg.policy(), Now: time.Now, NewID: service.NewID, Random: rand.Reader,
	})
	return nil
}

// secret reads 32 bytes from the secret store.
func (a *application) secret(ctx context.Context, name string) ([]byte, error) {
	text, err := a.sidecar.Secret(ctx, name)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("secret %s must be 32 bytes in base64", name)
	}
	return key, nil
}

// openRedis gives up soon: nothing here may wait for Redis.
func openRedis(url string) (*redis.Client, error) {
	opt, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL can't be read")
	}
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	opt.MaxRetries, opt.DialerRetries, opt.ContextTimeoutEnabled = 1, 1, true
	return redis.NewClient(opt), nil
}

func (a *application) close() {
	a.db.Close()
	_ = a.rdb.Close()
}

func (a *application) serve(ctx context.Context) error {
	keeper := idempotency.New(a.db, time.Now)
	relay := a.box.Relay(a.sidecar, a.log)
	handler, err := httpapi.New(web.Setup{
		App: "user", Spec: spec, AppToken: a.cfg.AppToken, Keys: keeper, Log: a.log,
		Verifier:   access.New(a.ring, a.store, a.cache, time.Now),
		Collectors: []prometheus.Collector{relay.Collector()},
	}, a.users, a.ring)
	if err != nil {
		return err
	}
	return service.Serve(ctx, a.cfg.Config, a.log, handler,
		service.Job{Name: "outbox relay", Run: relay.Run},
		service.Job{Name: "password resets", Run: a.answerResets},
		service.Job{Name: "demo accounts", Run: a.ensureDemo},
		service.Job{Name: "signing keys", Run: a.every(keysEvery, "signing keys", a.ring.Load)},
		service.Job{Name: "sweep", Run: a.every(sweepEvery, "sweep", a.sweep(keeper))},
	)
}

const (
	keysEvery  = 10 * time.Second
	sweepEvery = 10 * time.Minute
	demoRetry  = time.Second
	// sweptAfter is how long ended sessions and tokens stay to be looked at.
	sweptAfter = 7 * 24 * time.Hour
)

func (a *application) every(d time.Duration, name string, fn func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error { return service.Every(ctx, d, a.log, name, fn) }
}

func (a *application) answerResets(ctx context.Context) error {
	return a.users.AnswerResets(ctx, func(err error) { a.log.Warn("password resets wait", "error", err) })
}

func (a *application) sweep(keeper *idempotency.Keeper) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := a.store.Sweep(ctx, time.Now().Add(-sweptAfter)); err != nil {
			return err
		}
		if err := keeper.Sweep(ctx); err != nil {
			return err
		}
		return a.ring.DropExpired(ctx)
	}
}

// ensureDemo tries until the database is there; accounts that can't be made at
// all are an error of the configuration.
func (a *application) ensureDemo(ctx context.Context) error {
	for {
		err := a.users.EnsureDemo(ctx, a.cfg.DemoAccounts)
		if err == nil {
			return nil
		}
		if kind, _ := fault.KindOf(err); kind == fault.Invalid {
			return fmt.Errorf("DEMO_ACCOUNTS: %w", err)
		}
		a.log.Warn("demo accounts wait", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(demoRetry):
		}
	}
}
