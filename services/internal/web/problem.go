package web

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/pg"
)

var (
	errPanic    = errors.New("panic")
	errStore    = fault.New(fault.Unavailable, "store_unavailable", "The service's store does not answer at the moment.")
	errGone     = fault.New(fault.Unavailable, "request_cancelled", "The request was given up before its answer.")
	errDeadline = fault.New(fault.Unavailable, "deadline_exceeded", "The request took longer than it may.")
)

// problemBase begins the type of every problem; its code follows.
const problemBase = "urn:caravan:problem:"

const defaultRetryAfter = 2 * time.Second

// Status maps a kind of fault to its HTTP status; 500 for what is none.
func Status(k fault.Kind) int {
	switch k {
	case fault.Malformed:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Stale:
		return http.StatusPreconditionFailed
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unsupported:
		return http.StatusUnsupportedMediaType
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Required:
		return http.StatusPreconditionRequired
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Fail writes the problem document (RFC 9457) of an error. What is no fault
// becomes a 500 with a fixed text and is logged here, once.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	f := asFault(r.Context(), err)
	status := http.StatusInternalServerError
	if f == nil {
		logOf(r.Context()).Error("request failed", "error", err, "method", r.Method, "trace_id", traceID(r.Context()))
		f = &fault.Error{Code: "internal_error", Detail: "Something went wrong on our side."}
	} else if status = Status(f.Kind); status == http.StatusServiceUnavailable && f.Code != errGone.Code {
		// Nobody waits for the answer of a request that was given up.
		logOf(r.Context()).Warn("request refused", "error", err, "method", r.Method, "trace_id", traceID(r.Context()))
	}
	if f.Code == errMethod.Code {
		status = http.StatusMethodNotAllowed // no kind of fault: it concerns HTTP alone
	}
	writeProblem(w, r, status, f)
}

func asFault(ctx context.Context, err error) *fault.Error {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errDeadline.Because(err)
	case errors.Is(err, context.Canceled) || errors.Is(ctx.Err(), context.Canceled):
		return errGone.Because(err)
	case pg.Transient(err):
		return errStore.Because(err)
	}
	return nil
}

func writeProblem(w http.ResponseWriter, r *http.Request, status int, f *fault.Error) {
	doc := map[string]any{}
	maps.Copy(doc, f.Extra)
	doc["type"], doc["title"], doc["status"] = problemBase+f.Code, http.StatusText(status), status
	doc["detail"], doc["code"], doc["trace_id"] = f.Detail, f.Code, traceID(r.Context())
	if len(f.Fields) > 0 {
		doc["errors"] = f.Fields
	}
	h := w.Header()
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		wait := f.RetryAfter
		if wait <= 0 {
			wait = defaultRetryAfter
		}
		h.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="caravan"`)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(doc)
}

func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}
