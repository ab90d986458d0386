// Command mailbox catches the shop's mail on a developer's machine: it takes
// whatever is sent to it by SMTP, keeps the newest mails as .eml files, and shows
// them as JSON and on a plain page. It delivers nothing and is not for production.
package main

import (
	"context"
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
)

// config is all that can be set from outside.
type config struct {
	// Host is loopback unless a container stands around: mails carry one-time tokens.
	Host     string `env:"MAILBOX_HOST" envDefault:"127.0.0.1"`
	SMTPPort int    `env:"MAILBOX_SMTP_PORT,required"`
	HTTPPort int    `env:"MAILBOX_HTTP_PORT,required"`
	Dir      string `env:"MAILBOX_DIR,required"`
	// Keep bounds the store: the oldest mail makes room for the next one.
	Keep int `env:"MAILBOX_KEEP" envDefault:"20000"`
	// MaxBytes bounds one mail.
	MaxBytes int64 `env:"MAILBOX_MAX_BYTES" envDefault:"10485760"`
}

// drainTime is how long open sessions and requests may take to end at shutdown.
const drainTime = 5 * time.Second

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, log); err != nil {
		log.Error("mailbox stopped", "error", err)
		os.Exit(1)
	}
}

// run reads the configuration, opens the store and serves until ctx ends.
func run(ctx context.Context, log *slog.Logger) error {
	cfg, err := env.ParseAs[config]()
	if err != nil {
		return err
	}
	box, err := openStore(cfg.Dir, cfg.Keep, time.Now)
	if err != nil {
		return err
	}
	smtpListener, err := listen(ctx, cfg.Host, cfg.SMTPPort)
	if err != nil {
		return err
	}
	httpListener, err := listen(ctx, cfg.Host, cfg.HTTPPort)
	if err != nil {
		return errors.Join(err, smtpListener.Close())
	}
	log.Info("mailbox ready", "smtp", smtpListener.Addr().String(), "http", httpListener.Addr().String(), "mails", box.Len())
	return serve(ctx, box, cfg.MaxBytes, smtpListener, httpListener, log)
}

func listen(ctx context.Context, host string, port int) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", port, err)
	}
	return l, nil
}

// serve runs both servers until ctx ends or one of them fails, then drains both.
func serve(ctx context.Context, box *store, maxBytes int64, smtpL, httpL net.Listener, log *slog.Logger) error {
	mailServer := newSMTPServer(box, maxBytes, log)
	webServer := &http.Server{
		Handler:           newHandler(box, log),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return mailServer.Serve(smtpL) })
	group.Go(func() error {
		if err := webServer.Serve(httpL); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		// A session that idles past the drain time is cut, which loses nothing: its
		// mail was either answered and stored, or will be sent again.
		if err := mailServer.Shutdown(drain); err != nil {
			_ = mailServer.Close()
		}
		return webServer.Shutdown(drain)
	})
	return group.Wait()
}
