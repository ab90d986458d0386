// Package service is the life of a process: configuration from the
// environment, signals, logging, traces, an HTTP server on loopback and
// background jobs, all of which it waits for before it returns.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// Config is what every service reads; embed it in the service's own.
type Config struct {
	Host         string        `env:"APP_HOST" envDefault:"127.0.0.1"`
	Port         int           `env:"APP_PORT,required"`
	DaprHost     string        `env:"DAPR_HOST" envDefault:"127.0.0.1"`
	DaprHTTPPort int           `env:"DAPR_HTTP_PORT,required"`
	DaprGRPCPort int           `env:"DAPR_GRPC_PORT,required"`
	AppToken     string        `env:"APP_API_TOKEN,required,notEmpty"`
	DaprToken    string        `env:"DAPR_API_TOKEN,required,notEmpty"`
	Shutdown     time.Duration `env:"SHUTDOWN_GRACE" envDefault:"10s"`
	RevokedPoll  time.Duration `env:"REVOKED_POLL" envDefault:"20s"`
	Currency     string        `env:"SHOP_CURRENCY" envDefault:"GBP"`
}

// Load reads a configuration from the environment. Its error names the
// variables that are missing or malformed; of values it repeats numbers and times
// alone, as any text is well-formed.
func Load[T any]() (T, error) {
	cfg, err := env.ParseAs[T]()
	if err != nil {
		return cfg, fmt.Errorf("configuration: %w", err)
	}
	return cfg, nil
}

// Main runs a program until it ends or is told to by SIGINT or SIGTERM. Its
// exit code is 1 on an error.
func Main(name string, run func(ctx context.Context, log *slog.Logger, args []string) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log := newLogger(name, os.Getenv("LOG_LEVEL"))
	flush, err := startTracing(ctx, name)
	if err == nil {
		err = run(ctx, log, os.Args[1:])
	}
	if flush != nil {
		flush()
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Error("stopped", "error", err)
		stop()
		os.Exit(1)
	}
}

func newLogger(name, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	h := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: l})
	return slog.New(h).With("app", name)
}

// NewID gives a UUIDv7 from the system's clock and randomness.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// Job is work that runs beside the server until its context ends.
type Job struct {
	Name string
	// Run returns nil once ctx has ended. An error stops the whole process,
	// which its supervisor starts again.
	Run func(ctx context.Context) error
}

// Serve listens, runs the jobs, and returns when ctx has ended and everything
// has come to rest: first the server drains, then the jobs stop.
func Serve(ctx context.Context, cfg Config, log *slog.Logger, handler http.Handler, jobs ...Job) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	jobsCtx, stopJobs := context.WithCancel(context.WithoutCancel(ctx))
	defer stopJobs()
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	for _, job := range jobs {
		g.Go(func() error {
			if err := job.Run(jobsCtx); err != nil && jobsCtx.Err() == nil {
				return fmt.Errorf("job %s: %w", job.Name, err)
			}
			return nil
		})
	}
	g.Go(func() error {
		<-gctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Shutdown)
		defer cancel()
		if err := srv.Shutdown(grace); err != nil {
			_ = srv.Close()
		}
		stopJobs()
		return nil
	})
	log.Info("serving", "port", cfg.Port)
	return g.Wait()
}

// Every calls fn about each d until ctx ends, then returns nil. An error is
// logged and the next turn comes as usual.
func Every(ctx context.Context, d time.Duration, log *slog.Logger, name string, fn func(ctx context.Context) error) error {
	for {
		// A little jitter keeps replicas from polling in step.
		t := time.NewTimer(d + rand.N(d/10+1))
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
		if err := fn(ctx); err != nil && ctx.Err() == nil {
			log.Warn("periodic work failed", "job", name, "error", err)
		}
	}
}
