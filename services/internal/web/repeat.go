package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
)

var errTooLarge = fault.New(fault.TooLarge, "body_too_large", "The body is larger than this route takes.")

// bounded reads the body of a route that has a bound, so that 413 comes before
// every other answer and the body can be hashed for an idempotency key.
func bounded(routes policies) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, known := routes.of(r)
			if !known || p.maxBody == 0 || r.Body == nil || r.Body == http.NoBody {
				next.ServeHTTP(w, r)
				return
			}
			if r.ContentLength > p.maxBody {
				Fail(w, r, errTooLarge)
				return
			}
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, p.maxBody))
			if err != nil {
				Fail(w, r, readFault(err))
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), bodyKey{}, body)))
		})
	}
}

type bodyKey struct{}

func readFault(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge
	}
	return errBody.Because(err)
}

// RawBody is the body as it came, for a route with a bound.
func RawBody(r *http.Request) []byte {
	body, _ := r.Context().Value(bodyKey{}).([]byte)
	return body
}

// RequireKey refuses a request without Idempotency-Key. It is for routes where
// ownership is checked first; others declare x-idempotency: required.
func RequireKey(r *http.Request) error {
	if r.Header.Get("Idempotency-Key") == "" {
		return idempotency.ErrRequired
	}
	return nil
}

// repeatable answers a repeated Idempotency-Key with the first answer.
func repeatable(routes policies, keys *idempotency.Keeper) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, _ := routes.of(r)
			key, ok, err := keyOf(r, p)
			switch {
			case err != nil:
				Fail(w, r, err)
			case !ok || keys == nil:
				next.ServeHTTP(w, r)
			case p.keys == keyLease:
				leased(w, r, next, keys, key)
			default:
				once(w, r, next, keys, key)
			}
		})
	}
}

// keyOf reads the key of a request; false where there is none to honour.
func keyOf(r *http.Request, p policy) (idempotency.Key, bool, error) {
	who, signedIn := auth.From(r.Context())
	if p.keys == keyNone || p.keys == "" || !signedIn {
		return idempotency.Key{}, false, nil
	}
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 || values[0] == "" {
		if p.keys == keyRequired {
			return idempotency.Key{}, false, idempotency.ErrRequired
		}
		return idempotency.Key{}, false, nil
	}
	if len(values) > 1 || !idempotency.Valid(values[0]) {
		return idempotency.Key{}, false, idempotency.ErrBadKey
	}
	template, _ := mux.CurrentRoute(r).GetPathTemplate()
	route := r.Method + " " + template
	return idempotency.NewKey(who.UserID, route, values[0], r.URL.Path, r.URL.RawQuery, RawBody(r)), true, nil
}

func leased(w http.ResponseWriter, r *http.Request, next http.Handler, keys *idempotency.Keeper, key idempotency.Key) {
	a, found, err := keys.Lookup(r.Context(), key)
	switch {
	case err != nil:
		Fail(w, r, err)
	case found:
		give(w, a, true)
	default:
		next.ServeHTTP(w, r.WithContext(idempotency.With(r.Context(), key)))
	}
}

// once runs the handler inside the key's transaction: what it writes joins it.
func once(w http.ResponseWriter, r *http.Request, next http.Handler, keys *idempotency.Keeper, key idempotency.Key) {
	a, replayed, err := keys.Once(r.Context(), key, func(ctx context.Context) (idempotency.Answer, error) {
		rec := &recorder{header: http.Header{}, status: http.StatusOK}
		next.ServeHTTP(rec, r.WithContext(ctx))
		return rec.answer(), nil
	})
	if err != nil {
		Fail(w, r, err)
		return
	}
	give(w, a, replayed)
}

func give(w http.ResponseWriter, a idempotency.Answer, replayed bool) {
	for name, value := range a.Headers {
		w.Header().Set(name, value)
	}
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// recorder holds an answer back until its transaction has committed.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	wrote  bool
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

func (r *recorder) answer() idempotency.Answer {
	headers := map[string]string{}
	for name := range r.header {
		headers[name] = r.header.Get(name)
	}
	return idempotency.Answer{Status: r.status, Headers: headers, Body: r.body.Bytes()}
}
