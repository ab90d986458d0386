package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// edge checks each request and hands what may pass to the sidecar.
type edge struct {
	cfg   config
	proxy *httputil.ReverseProxy
	gates map[string]*gate // of the calls that crowds make
	stop  <-chan struct{}  // closed when nobody is to wait any more
	log   *slog.Logger
}

// call is what the steps of one request tell each other, through its context.
type call struct {
	route route
	// clientFailed is set when the client's body could not be read to its end:
	// then the sidecar is not to blame.
	clientFailed atomic.Pointer[error]
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// newEdge makes an edge whose waiting ends with ctx.
func newEdge(ctx context.Context, cfg config, log *slog.Logger) *edge {
	e := &edge{cfg: cfg, log: log, stop: ctx.Done(), gates: map[string]*gate{}}
	for _, call := range cfg.crowds() {
		e.gates[call] = &gate{free: cfg.CrowdCalls}
	}
	e.proxy = &httputil.ReverseProxy{
		Rewrite:        e.rewrite,
		ModifyResponse: e.modifyResponse,
		ErrorHandler:   e.failed,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BufferPool:     &bufferPool{},
		Transport: &http.Transport{
			DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
			// One host is behind us: the usual two idle connections a host would mean
			// a new connection for nearly every call under load.
			MaxIdleConns:        1024,
			MaxIdleConnsPerHost: 1024,
			IdleConnTimeout:     cfg.IdleTimeout,
			DisableCompression:  true, // bodies pass as they are
		},
	}
	return e
}

// bufferPool reuses the buffers that answers are copied through; else each answer,
// most of them below 1 KiB, would cost a fresh 32 KiB.
type bufferPool struct{ free sync.Pool }

// Get implements httputil.BufferPool.
func (p *bufferPool) Get() []byte {
	if b, ok := p.free.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 32<<10)
}

// Put implements httputil.BufferPool.
func (p *bufferPool) Put(b []byte) { p.free.Put(&b) }

// ServeHTTP refuses, or bounds the call in size and time and passes it on.
func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ensureTrace(r.Header, e.cfg.TraceExport != "")
	to, why := check(r)
	if why == nil {
		why = e.boundBody(w, r, to)
	}
	if g := e.gates[to.call]; why == nil && g != nil {
		var leave func()
		if leave, why = e.takeTurn(w, r, g); why == nil {
			defer leave()
		}
	}
	if why != nil {
		// The body may be unread and of any size: no further request on this connection.
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
		}
		refuse(w, r, why)
		return
	}
	c := &call{route: to}
	ctx := context.WithValue(r.Context(), callKey{}, c)
	control := http.NewResponseController(w)
	// A connection that cannot set deadlines does not occur; the calls below then
	// merely do nothing.
	if to.streams {
		_ = control.SetWriteDeadline(time.Time{})
		r.Body = &importBody{ReadCloser: r.Body, call: c, control: control, stall: e.cfg.StallTimeout}
	} else {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.cfg.Timeout)
		defer cancel()
		end := time.Now().Add(e.cfg.Timeout + 5*time.Second) // after ctx, so that there is an answer
		_ = control.SetReadDeadline(end)
		_ = control.SetWriteDeadline(end)
		if r.Body != http.NoBody {
			r.Body = &clientBody{ReadCloser: r.Body, call: c}
		}
	}
	e.proxy.ServeHTTP(w, r.WithContext(ctx))
}

// check decides by the request line and the headers.
func check(r *http.Request) (route, *refusal) {
	if headersTooLarge(r.Header) {
		return route{}, &refusal{status: http.StatusRequestHeaderFieldsTooLarge, code: "headers_too_large", detail: "The headers are larger than 8 KiB."}
	}
	to, why := match(r.Method, r.RequestURI)
	if why != nil {
		return route{}, why
	}
	if wantsUpgrade(r.Header) {
		return route{}, &refusal{status: http.StatusBadRequest, code: "upgrade_refused", detail: "Connections cannot be upgraded here."}
	}
	return to, nil
}

// takeTurn waits at a gate. The body is read before: only then is it noticed that
// the client has gone, and nobody can hold a turn by sending slowly.
func (e *edge) takeTurn(w http.ResponseWriter, r *http.Request, g *gate) (leave func(), why *refusal) {
	if why := e.wholeBody(w, r, min(crowdBody, e.cfg.BodyLimit), e.cfg.HeaderTimeout); why != nil {
		return nil, why
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // it would end the watch for the client's leaving
	ctx, cancel := context.WithTimeout(r.Context(), e.cfg.CrowdWait)
	defer cancel()
	leave, ok := g.enter(ctx, e.stop)
	if !ok {
		// Each at a time of its own: a crowd that comes again all at once buries whoever came just before it.
		after := strconv.Itoa(1 + rand.IntN(longestAfter))
		return nil, &refusal{status: http.StatusTooManyRequests, code: "edge_busy", detail: "Too many are calling at this moment: try again.", after: after}
	}
	return leave, nil
}

// boundBody refuses a body over the limit. One of unknown length is read first:
// then the refusal comes before any effect, and the sidecar, which knows the length,
// can repeat the call when a neighbour is restarting.
func (e *edge) boundBody(w http.ResponseWriter, r *http.Request, to route) *refusal {
	if to.streams {
		return nil
	}
	if r.ContentLength > e.cfg.BodyLimit {
		return bodyTooLarge()
	}
	if r.ContentLength >= 0 {
		return nil
	}
	return e.wholeBody(w, r, e.cfg.BodyLimit, e.cfg.Timeout)
}

// wholeBody reads the body, of so many bytes at most and within a time.
func (e *edge) wholeBody(w http.ResponseWriter, r *http.Request, limit int64, within time.Duration) *refusal {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return bodyTooLarge()
	case err != nil:
		return bodyCut(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength, r.TransferEncoding = int64(len(body)), nil
	return nil
}

func bodyTooLarge() *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, code: "body_too_large", detail: "The body is larger than this shop accepts."}
}

// bodyCut is the answer to a client whose body did not arrive whole.
func bodyCut(err error) *refusal {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &refusal{status: http.StatusRequestTimeout, code: "body_timeout", detail: "The body did not arrive in time."}
	}
	return &refusal{status: http.StatusBadRequest, code: "body_incomplete", detail: "The body did not arrive whole."}
}

// rewrite makes the request to the sidecar out of the client's.
func (e *edge) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	out.URL.Scheme, out.URL.Host, out.Host = e.cfg.Sidecar.Scheme, e.cfg.Sidecar.Host, ""
	out.URL.RawQuery = pr.In.URL.RawQuery // as it was: ReverseProxy has dropped what it could not parse
	out.Trailer = nil
	cleanRequest(out.Header, pr.In.RemoteAddr, e.cfg.APIToken)
	if callOf(pr.In.Context()).route.streams && out.Body != nil { // an import of nothing has no body to stream
		// Told a length, the sidecar would keep the whole body for a possible retry.
		out.ContentLength = -1
		out.Header.Del("Content-Length")
	}
}

// failed answers when no answer came from the sidecar.
func (e *edge) failed(w http.ResponseWriter, r *http.Request, err error) {
	c := callOf(r.Context())
	if cut := c.clientFailed.Load(); cut != nil {
		w.Header().Set("Connection", "close")
		refuse(w, r, bodyCut(*cut))
		return
	}
	if errors.Is(r.Context().Err(), context.Canceled) {
		return // the client went away
	}
	e.log.Warn("call failed", "app", c.route.app, "error", err)
	if errors.Is(err, context.DeadlineExceeded) {
		refuse(w, r, &refusal{status: http.StatusServiceUnavailable, code: "neighbour_timeout", detail: "The service took too long to answer."})
		return
	}
	refuse(w, r, &refusal{status: http.StatusServiceUnavailable, code: "sidecar_unavailable", detail: "The shop cannot be reached at the moment."})
}

// clientBody notes that the client's side failed.
type clientBody struct {
	io.ReadCloser
	call *call
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, http.ErrBodyReadAfterClose) {
		b.call.clientFailed.CompareAndSwap(nil, &err)
	}
	return n, err
}

// importBody lets an upload take as long as it likes while something arrives.
type importBody struct {
	io.ReadCloser
	call    *call
	control *http.ResponseController
	stall   time.Duration
}

func (b *importBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.stall))
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		// The service may think longer about it than a client may pause.
		_ = b.control.SetReadDeadline(time.Time{})
	case err != nil && !errors.Is(err, http.ErrBodyReadAfterClose):
		b.call.clientFailed.CompareAndSwap(nil, &err)
	}
	return n, err
}
