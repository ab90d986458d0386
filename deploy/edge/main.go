// Command edge is the shop's only public door: a small reverse proxy in front of
// the `edge` sidecar. It lets through calls of the six services' public routes in
// canonical form and nothing else that a sidecar can do. It holds no state and
// knows nothing of the shop beyond the names of its services.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caarlos0/env/v11"
)

// config is all that can be set from outside.
type config struct {
	Host     string  `env:"EDGE_HOST" envDefault:"127.0.0.1"`
	Port     int     `env:"EDGE_PORT" envDefault:"3500"`
	Sidecar  url.URL `env:"EDGE_SIDECAR,required"`
	APIToken string  `env:"EDGE_API_TOKEN,required,notEmpty"`
	// BodyLimit bounds a request's body in bytes; the product import is not bounded.
	BodyLimit int64 `env:"BODY_LIMIT" envDefault:"2097152"`
	// HeaderTimeout, Timeout and IdleTimeout bound reading the headers, a whole
	// call and an idle connection.
	HeaderTimeout time.Duration `env:"EDGE_HEADER_TIMEOUT" envDefault:"10s"`
	Timeout       time.Duration `env:"EDGE_TIMEOUT" envDefault:"60s"`
	IdleTimeout   time.Duration `env:"EDGE_IDLE_TIMEOUT" envDefault:"90s"`
	// Crowds are the calls that a crowd may make in one moment, as method, service
	// and path, by commas; "none" for none. Of each, CrowdCalls are let through at a
	// time; further ones wait for CrowdWait at most, before Timeout begins.
	Crowds     string        `env:"EDGE_CROWDS" envDefault:"POST order/v1/orders"`
	CrowdCalls int           `env:"EDGE_CROWD_CALLS" envDefault:"16"`
	CrowdWait  time.Duration `env:"EDGE_CROWD_WAIT" envDefault:"45s"`
	// StallTimeout ends an import whose client sends nothing for so long.
	StallTimeout time.Duration `env:"EDGE_STALL_TIMEOUT" envDefault:"60s"`
	// Grace is how long open calls may take to end at shutdown.
	Grace time.Duration `env:"EDGE_SHUTDOWN_GRACE" envDefault:"15s"`
	// TraceExport is where the services send spans. The edge sends none; it only
	// has to know whether the traces that it starts are recorded.
	TraceExport string `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
}

// crowds are the calls that wait when many come at once.
func (c config) crowds() []string {
	if c.Crowds == "none" {
		return nil
	}
	var calls []string
	for call := range strings.SplitSeq(c.Crowds, ",") {
		calls = append(calls, strings.TrimSpace(call))
	}
	return calls
}

func (c config) checkCrowds() error {
	if c.CrowdCalls < 1 {
		return fmt.Errorf("EDGE_CROWD_CALLS is %d, and must be positive", c.CrowdCalls)
	}
	for _, call := range c.crowds() {
		method, path, _ := strings.Cut(call, " ")
		app, rest, _ := strings.Cut(path, "/")
		if to, why := match(method, "/v1.0/invoke/"+app+"/method/"+rest); why != nil || to.streams {
			return fmt.Errorf("EDGE_CROWDS: %q is no call like POST order/v1/orders", call)
		}
	}
	return nil
}

// serverHeaderBytes is where net/http itself cuts off, with a plain 431; our own
// limit lies below it and answers in problem+json.
const serverHeaderBytes = 64 << 10

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, log); err != nil {
		log.Error("edge stopped", "error", err)
		os.Exit(1)
	}
}

// run reads the configuration and serves until ctx ends.
func run(ctx context.Context, log *slog.Logger) error {
	cfg, err := env.ParseAs[config]()
	if err != nil {
		return err
	}
	if cfg.Sidecar.Scheme != "http" || cfg.Sidecar.Host == "" || cfg.Sidecar.Path != "" {
		return fmt.Errorf("EDGE_SIDECAR must look like http://127.0.0.1:PORT")
	}
	if err := cfg.checkCrowds(); err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.Info("edge ready", "address", listener.Addr().String(), "sidecar", cfg.Sidecar.Host)
	return serve(ctx, cfg, listener, log)
}

// serve answers on the listener until ctx ends, then lets open calls finish.
func serve(ctx context.Context, cfg config, listener net.Listener, log *slog.Logger) error {
	server := &http.Server{
		Handler:           newEdge(ctx, cfg, log),
		ReadHeaderTimeout: cfg.HeaderTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    serverHeaderBytes,
		// OPTIONS * is refused like anything else that is no route.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	drained := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Grace)
		defer cancel()
		err := server.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close() // an import may outlast any grace
		}
		drained <- err
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-drained
}
