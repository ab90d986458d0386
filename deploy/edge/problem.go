package main

import (
	"cmp"
	"encoding/json"
	"net/http"
)

const problemType = "application/problem+json"

// problem is an RFC 9457 document with the members that all of the shop's have.
type problem struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail"`
	Code    string `json:"code"`
	TraceID string `json:"trace_id"`
}

// encode returns the document of a refusal.
func (r refusal) encode(traceID string) []byte {
	doc, err := json.Marshal(problem{
		Type: "about:blank", Title: http.StatusText(r.status), Status: r.status, Detail: r.detail, Code: r.code, TraceID: traceID,
	})
	if err != nil {
		panic(err) // six plain fields
	}
	return doc
}

// headers sets those of a refusal's answer.
func (r refusal) headers(h http.Header) {
	h.Set("Content-Type", problemType)
	if r.after != "" || r.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", cmp.Or(r.after, "1"))
	}
	if r.allow != "" {
		h.Set("Allow", r.allow)
	}
	secure(h)
}

// refuse answers a request that goes no further.
func refuse(w http.ResponseWriter, r *http.Request, why *refusal) {
	why.headers(w.Header())
	w.WriteHeader(why.status)
	_, _ = w.Write(why.encode(traceOf(r.Header)))
}
