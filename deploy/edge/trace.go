package main

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
)

// traceparent is the W3C trace context header, version 00.
var traceparent = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// traceOf returns the trace id in h, empty if there is no valid one.
func traceOf(h http.Header) string {
	value := h.Get("Traceparent")
	if !traceparent.MatchString(value) {
		return ""
	}
	id := strings.Split(value, "-")[1]
	if strings.Trim(id, "0") == "" {
		return "" // what a sidecar says that traces nothing
	}
	return id
}

// ensureTrace makes a call part of a trace: the client's, or one that starts here.
// Every log line and problem of the call then has one id in common, even where
// nothing is exported; sampled says whether the services are to record spans.
func ensureTrace(h http.Header, sampled bool) {
	if traceOf(h) != "" {
		return
	}
	id := make([]byte, 24)
	_, _ = rand.Read(id) // never fails
	flags := "-00"
	if sampled {
		flags = "-01"
	}
	h.Set("Traceparent", "00-"+hex.EncodeToString(id[:16])+"-"+hex.EncodeToString(id[16:])+flags)
	h.Del("Tracestate")
}
