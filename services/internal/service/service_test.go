package service

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func TestServeDrainsBeforeJobsStop(t *testing.T) {
	cfg := Config{Host: "127.0.0.1", Port: freePort(t), Shutdown: 5 * time.Second}
	began, answer := make(chan struct{}), make(chan struct{})
	var jobRan, jobEnded atomic.Bool
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-answer
		if jobEnded.Load() {
			t.Error("a job stopped while a request was under way")
		}
		_, _ = io.WriteString(w, "done")
	})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, cfg, slog.New(slog.DiscardHandler), handler, Job{"j", func(ctx context.Context) error {
			jobRan.Store(true)
			<-ctx.Done()
			jobEnded.Store(true)
			return ctx.Err()
		}})
	}()
	got := make(chan string, 1)
	go func() { got <- fetch(cfg.Port) }()
	<-began
	stop()
	time.Sleep(50 * time.Millisecond)
	close(answer)
	if body := <-got; body != "done" {
		t.Errorf("request under way: got %q, want done", body)
	}
	if err := <-served; err != nil || !jobRan.Load() || !jobEnded.Load() {
		t.Errorf("got %v, job ran %v and ended %v; want nil, true, true", err, jobRan.Load(), jobEnded.Load())
	}
}

// fetch asks until the server listens.
func fetch(port int) string {
	for range 100 {
		resp, err := http.Get("http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return string(body)
	}
	return "no answer"
}

func TestServeEndsWithWhatFails(t *testing.T) {
	boom := errors.New("boom")
	cfg := Config{Host: "127.0.0.1", Port: freePort(t), Shutdown: time.Second}
	err := Serve(t.Context(), cfg, slog.New(slog.DiscardHandler), http.NotFoundHandler(),
		Job{"bad", func(context.Context) error { return boom }},
		Job{"good", func(ctx context.Context) error { <-ctx.Done(); return nil }})
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), "bad") {
		t.Errorf("job that fails: got %v, want %v of job bad", err, boom)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if err := Serve(t.Context(), cfg, slog.New(slog.DiscardHandler), http.NotFoundHandler()); err == nil {
		t.Error("a taken port is an error")
	}
}

func TestEveryGoesOnAfterAnError(t *testing.T) {
	var log bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	turns := 0
	err := Every(ctx, time.Millisecond, slog.New(slog.NewTextHandler(&log, nil)), "sweep", func(context.Context) error {
		if turns++; turns == 3 {
			stop()
		}
		return errors.New("away")
	})
	if err != nil || turns != 3 || strings.Count(log.String(), "job=sweep") != 2 {
		t.Errorf("got %v after %d turns, log %s; want nil after 3 with 2 errors logged", err, turns, log.String())
	}
}

func TestTracesHaveIdsWithoutACollector(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	if _, err := startTracing(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	ctx, span := otel.Tracer("test").Start(t.Context(), "root")
	defer span.End()
	if sc := trace.SpanContextFromContext(ctx); !sc.HasTraceID() || sc.IsSampled() {
		t.Errorf("got trace id %v, sampled %v; want one that is not sampled", sc.TraceID(), sc.IsSampled())
	}
}

func TestLoadNamesWhatIsMissing(t *testing.T) {
	t.Setenv("APP_PORT", "x")
	t.Setenv("APP_API_TOKEN", "")
	_, err := Load[Config]()
	if err == nil || !strings.Contains(err.Error(), "DAPR_HTTP_PORT") || !strings.Contains(err.Error(), "APP_API_TOKEN") {
		t.Errorf("got %v, want the variables named", err)
	}
}
