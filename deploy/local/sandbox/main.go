// Command sandbox is a payment provider for a developer's machine: it speaks the
// part of Stripe's API that the shop uses, so that the official client works with it
// unchanged, keeps its ledger on disk and sends signed webhooks. No money moves.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/caarlos0/env/v11"
	"golang.org/x/sync/errgroup"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/stripeapi"
	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/webhook"
)

// config is all that can be set from outside.
type config struct {
	Host          string `env:"SANDBOX_HOST" envDefault:"127.0.0.1"` // loopback unless a container stands around
	Name          string `env:"SANDBOX_NAME"`                        // the container's, for callers in its network
	Port          int    `env:"SANDBOX_PORT,required"`
	Dir           string `env:"SANDBOX_DIR,required"`
	APIKey        string `env:"SANDBOX_API_KEY,required,notEmpty"`
	WebhookSecret string `env:"SANDBOX_WEBHOOK_SECRET,required,notEmpty"`
	WebhookURL    string `env:"SANDBOX_WEBHOOK_URL,required,notEmpty"`
	// WebhookDelay and WebhookCopies let a test of the receiver make deliveries late
	// and repeated.
	WebhookDelay  time.Duration `env:"SANDBOX_WEBHOOK_DELAY"`
	WebhookCopies int           `env:"SANDBOX_WEBHOOK_COPIES" envDefault:"1"`
}

// drainTime is how long open requests may take to end at shutdown.
const drainTime = 5 * time.Second

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, log); err != nil {
		log.Error("sandbox stopped", "error", err)
		os.Exit(1)
	}
}

// run reads the configuration and serves until ctx ends.
func run(ctx context.Context, log *slog.Logger) error {
	cfg, err := env.ParseAs[config]()
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return serve(ctx, cfg, listener, time.Now, log)
}

// serve opens the ledger and runs the API, the webhook sender and the clock of
// refunds until ctx ends; the ledger is closed last.
func serve(ctx context.Context, cfg config, listener net.Listener, now func() time.Time, log *slog.Logger) (err error) {
	books, err := ledger.Open(cfg.Dir, now, randomText)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	base := "http://" + listener.Addr().String()
	if cfg.Name != "" {
		base = "http://" + net.JoinHostPort(cfg.Name, strconv.Itoa(cfg.Port))
	}
	api := stripeapi.New(books, stripeapi.Options{APIKey: cfg.APIKey, BaseURL: base, Name: cfg.Name}, randomText, log)
	hooks := webhook.New(books, webhook.Options{URL: cfg.WebhookURL, Secret: cfg.WebhookSecret, Delay: cfg.WebhookDelay, Copies: cfg.WebhookCopies}, now, log)
	server := &http.Server{Handler: api.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return hooks.Run(ctx) })
	group.Go(func() error { return api.Settle(ctx) })
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err := server.Shutdown(drain); err != nil {
			return server.Close() // a request that was told to hang
		}
		return nil
	})
	log.Info("sandbox ready", "address", base, "webhooks", cfg.WebhookURL)
	return group.Wait()
}

// randomText returns n letters and digits, unguessable.
func randomText(n int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := make([]byte, 0, n)
	var buf [64]byte
	for len(out) < n {
		_, _ = rand.Read(buf[:]) // never fails
		for _, b := range buf {
			// 248 is the largest multiple of 62 in a byte: no letter is likelier.
			if b < 248 && len(out) < n {
				out = append(out, alphabet[b%62])
			}
		}
	}
	return string(out)
}
