package web

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/caravan-shop/caravan/services/internal/idempotency"
)

// Response is the answer of a handler. A nil Body sends none.
type Response struct {
	Status   int
	Body     any
	ETag     string
	Location string
	Header   http.Header
}

// OK answers 200.
func OK(body any) Response { return Response{Status: http.StatusOK, Body: body} }

// Created answers 201 with the path of the new thing.
func Created(location string, body any) Response {
	return Response{Status: http.StatusCreated, Body: body, Location: location}
}

// Accepted answers 202 without a body.
func Accepted() Response { return Response{Status: http.StatusAccepted} }

// NoContent answers 204.
func NoContent() Response { return Response{Status: http.StatusNoContent} }

// WithETag names the version of what is answered.
func (r Response) WithETag(tag string) Response {
	r.ETag = tag
	return r
}

// Render makes the answer that an idempotency key keeps: the bytes that Handle
// would send.
func (r Response) Render() (idempotency.Answer, error) {
	a := idempotency.Answer{Status: r.Status, Headers: map[string]string{}}
	for name := range r.Header {
		a.Headers[name] = r.Header.Get(name)
	}
	if r.ETag != "" {
		a.Headers["Etag"] = r.ETag
	}
	if r.Location != "" {
		a.Headers["Location"] = r.Location
	}
	if r.Body == nil {
		return a, nil
	}
	body, err := json.Marshal(r.Body)
	if err != nil {
		return idempotency.Answer{}, err
	}
	a.Headers["Content-Type"] = "application/json"
	a.Body = append(body, '\n')
	return a, nil
}

// Handle runs one operation and writes what it answers: the response, or the
// problem document of its error. A GET whose If-None-Match names the answer's
// ETag gets 304.
func Handle(w http.ResponseWriter, r *http.Request, fn func(ctx context.Context) (Response, error)) {
	resp, err := fn(r.Context())
	if err != nil {
		Fail(w, r, err)
		return
	}
	if resp.ETag != "" && r.Method == http.MethodGet && notChanged(r, resp.ETag) {
		w.Header().Set("Etag", resp.ETag)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	a, err := resp.Render()
	if err != nil {
		Fail(w, r, err)
		return
	}
	give(w, a, false)
}

// Give writes an answer that was rendered before.
func Give(w http.ResponseWriter, a idempotency.Answer, replayed bool) { give(w, a, replayed) }

// statusWriter remembers the status; 0 while nothing has been written.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) statusText() string {
	if w.status == 0 {
		return strconv.Itoa(http.StatusOK)
	}
	return strconv.Itoa(w.status)
}
