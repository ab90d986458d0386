// Package web is the HTTP edge of a service: it reads from the service's
// OpenAPI document who may call which route, makes the checks in the order that
// clients are promised, and turns faults into problem documents. It holds no
// rule of any one service.
package web

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/crashpoint"
	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
)

// Setup is what a router needs of its service.
type Setup struct {
	App      string
	Spec     []byte // the service's openapi.yaml
	AppToken string // what the sidecar sends as dapr-api-token
	Verifier auth.Verifier
	// Keys keeps answers for Idempotency-Key; nil where a service keeps them itself.
	Keys       *idempotency.Keeper
	Collectors []prometheus.Collector
	Log        *slog.Logger
}

// Refusals that a router makes by itself.
var (
	errNoRoute  = fault.New(fault.NotFound, "route_unknown", "There is no such route.")
	errMethod   = fault.New(fault.Malformed, "method_not_allowed", "This route does not answer that method.")
	errSidecar  = fault.New(fault.Unauthenticated, "sidecar_token_invalid", "Only this app's own sidecar may call it.")
	errEncoding = fault.New(fault.Malformed, "malformed_request", "The path and the query must be percent-encoded UTF-8 without NUL.")
	errTopic    = fault.New(fault.Unavailable, "topic_unknown", "This version of the service does not know the topic.")
)

const (
	healthPath   = "/healthz"
	metricsPath  = "/metrics"
	eventsPrefix = "/events/"
)

// NewRouter makes a router on which the generated routes are registered. Every
// request passes, in this order: trace, metrics, recover, app token, size of
// the body (413), token (401), role (403), replay of an idempotency key. A
// route that the OpenAPI document does not know is refused, /events/ apart.
func NewRouter(s Setup) (*mux.Router, error) {
	routes, err := readPolicies(s.Spec)
	if err != nil {
		return nil, err
	}
	reg := prometheus.NewRegistry()
	m := newMetrics(reg)
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range s.Collectors {
		reg.MustRegister(c)
	}
	// Paths match as they are written: an encoded slash is part of an id, and
	// what is not canonical is no route rather than a redirection.
	r := mux.NewRouter().UseEncodedPath().SkipClean(true)
	ahead := []mux.MiddlewareFunc{withLog(s.Log), otelhttp.NewMiddleware(s.App), m.observe, recovering, appToken(s.AppToken)}
	r.NotFoundHandler = chain(ahead, http.HandlerFunc(noRoute))
	r.MethodNotAllowedHandler = otherMethod(r, chain(ahead, failing(errMethod)))
	r.Use(ahead...)
	r.Use(encoded, bounded(routes), authenticated(routes, s.Verifier), repeatable(routes, s.Keys))
	r.HandleFunc(healthPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }).Methods(http.MethodGet)
	r.Handle(metricsPath, promhttp.HandlerFor(reg, promhttp.HandlerOpts{})).Methods(http.MethodGet)
	return r, nil
}

// chain puts middlewares before a handler that mux gives none.
func chain(ms []mux.MiddlewareFunc, h http.Handler) http.Handler {
	for _, m := range slices.Backward(ms) {
		h = m(h)
	}
	return h
}

func failing(err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Fail(w, r, err) })
}

// noRoute answers 404, but never to the delivery of an event: Dapr would drop
// it, though another version of the service may know its topic.
func noRoute(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, eventsPrefix) {
		Fail(w, r, errTopic)
		return
	}
	Fail(w, r, errNoRoute)
}

// otherMethod answers HEAD as GET, whose body net/http leaves out; any other
// method goes to refuse with the methods that the path has in Allow.
func otherMethod(routes *mux.Router, refuse http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			as := r.Clone(r.Context())
			as.Method = method
			if !answers(routes, as) {
				continue
			}
			if r.Method == http.MethodHead && method == http.MethodGet {
				routes.ServeHTTP(w, as)
				return
			}
			allowed = append(allowed, method)
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		refuse.ServeHTTP(w, r)
	})
}

func answers(routes *mux.Router, r *http.Request) bool {
	var m mux.RouteMatch
	return routes.Match(r, &m) && m.MatchErr == nil && m.Route != nil
}

type logKey struct{}

func withLog(log *slog.Logger) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), logKey{}, log)))
		})
	}
}

func logOf(ctx context.Context) *slog.Logger {
	if log, ok := ctx.Value(logKey{}).(*slog.Logger); ok {
		return log
	}
	return slog.New(slog.DiscardHandler)
}

// recovering answers 500 for a panic; one that comes after the first byte of an
// answer breaks the connection off instead, so that half an answer never
// passes for a whole one.
func recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &statusWriter{ResponseWriter: w}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			logOf(r.Context()).Error("panic in handler", "panic", p, "stack", string(debug.Stack()))
			if rec.status != 0 {
				panic(http.ErrAbortHandler)
			}
			Fail(w, r, errPanic)
		}()
		next.ServeHTTP(rec, r)
		// What the request did is committed, and its answer still in a buffer.
		crashpoint.Hit("answer", r.URL.Path)
	})
}

// appToken admits the service's own sidecar alone; health probes carry no token.
func appToken(want string) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got := r.Header.Get("dapr-api-token")
			if r.URL.Path != healthPath && (want == "" || subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1) {
				Fail(w, r, errSidecar)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// encoded refuses what PostgreSQL could not store as text, and a query that
// would be read in part.
func encoded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		bad := err != nil || badText(r.URL.Path)
		for k, vs := range query {
			bad = bad || badText(k) || badText(strings.Join(vs, ""))
		}
		vars := mux.Vars(r)
		for name, value := range vars {
			// The path matched as it was encoded; ids are handed on as they are meant.
			if vars[name], err = url.PathUnescape(value); err != nil {
				bad = true
			}
		}
		if bad {
			Fail(w, r, errEncoding)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authenticated finds out who calls and whether the route's access allows it.
func authenticated(routes policies, v auth.Verifier) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, known := routes.of(r)
			if !known {
				Fail(w, r, errNoRoute)
				return
			}
			ctx, cancel := p.deadline(r.Context())
			defer cancel()
			if p.access != accessInternal {
				who, err := identify(ctx, v, r, p.access)
				if err != nil {
					Fail(w, r, err)
					return
				}
				ctx = who
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

func identify(ctx context.Context, v auth.Verifier, r *http.Request, need access) (context.Context, error) {
	header := r.Header.Get("Authorization")
	if need == accessPublic || (header == "" && need == accessGuest) {
		return ctx, nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, auth.ErrMissing
	}
	p, err := v.Verify(ctx, strings.TrimSpace(token))
	if err != nil {
		return nil, err
	}
	if (need == accessStaff && !p.IsStaff()) || (need == accessAdmin && !p.IsAdmin()) {
		return nil, auth.ErrForbidden
	}
	return auth.With(ctx, p), nil
}

// metrics counts requests by route, never by path: ids would make it unbounded.
type metrics struct{ duration *prometheus.HistogramVec }

func newMetrics(reg *prometheus.Registry) metrics {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "caravan_http_request_seconds", Help: "Time to answer a request, by route and status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"method", "route", "status"})
	reg.MustRegister(h)
	return metrics{h}
}

func (m metrics) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, rec := time.Now(), &statusWriter{ResponseWriter: w}
		next.ServeHTTP(rec, r)
		route := "none"
		if matched := mux.CurrentRoute(r); matched != nil {
			route, _ = matched.GetPathTemplate()
		}
		m.duration.WithLabelValues(methodLabel(r.Method), route, rec.statusText()).Observe(time.Since(start).Seconds())
	})
}

// methodLabel bounds what a client can make of the metric.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return method
	}
	return "other"
}
