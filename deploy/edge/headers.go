package main

import (
	"net"
	"net/http"
	"strings"
)

// maxHeaders bounds names and values together, see maxURI.
const maxHeaders = 8 << 10

// headersTooLarge counts what the sidecar will have to hold.
func headersTooLarge(h http.Header) bool {
	total := 0
	for name, values := range h {
		for _, v := range values {
			total += len(name) + len(v) + len(": \r\n")
		}
	}
	return total > maxHeaders
}

// wantsUpgrade reports whether the client asks to speak another protocol on.
func wantsUpgrade(h http.Header) bool {
	if h.Get("Upgrade") != "" {
		return true
	}
	for _, value := range h.Values("Connection") {
		for token := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "upgrade") {
				return true
			}
		}
	}
	return false
}

// cleanRequest removes what a client may not say, then says it itself: which app
// is called and by whom (dapr-*), where the call came from (the forwarding
// headers), and the sidecar's token. httputil.ReverseProxy has removed the
// hop-by-hop headers before.
func cleanRequest(h http.Header, remoteAddr, token string) {
	for name := range h {
		if reservedHeader(name) {
			delete(h, name)
		}
	}
	dropBasic(h)
	if host, _, err := net.SplitHostPort(remoteAddr); err == nil {
		h.Set("X-Forwarded-For", host)
	}
	h.Set("dapr-api-token", token)
}

// reservedHeader takes a name in any spelling: some servers read an underscore as
// a hyphen. A sidecar renames grpc-* to dapr-grpc-* on the way, so it goes too.
func reservedHeader(name string) bool {
	n := strings.ReplaceAll(strings.ToLower(name), "_", "-")
	for _, prefix := range []string{"dapr-", "grpc-", "x-forwarded-"} {
		if strings.HasPrefix(n, prefix) {
			return true
		}
	}
	switch n {
	case "forwarded", "x-real-ip", "true-client-ip", "x-original-url", "x-rewrite-url", "x-http-method-override",
		"te", "expect", "http2-settings", "proxy-connection":
		return true
	}
	return false
}

// dropBasic removes Basic credentials: a sidecar reads an app id out of them.
func dropBasic(h http.Header) {
	const key = "Authorization"
	kept := h[key][:0]
	for _, v := range h[key] {
		scheme, _, _ := strings.Cut(strings.TrimSpace(v), " ")
		if !strings.EqualFold(scheme, "Basic") {
			kept = append(kept, v)
		}
	}
	if len(kept) == 0 {
		delete(h, key)
		return
	}
	h[key] = kept
}

// cleanResponse removes what the sidecars added for each other.
func cleanResponse(h http.Header) {
	for name := range h {
		if reservedHeader(name) {
			delete(h, name)
		}
	}
}

// secure sets the headers that every answer has, unless the service chose its own.
func secure(h http.Header) {
	for name, value := range map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
		"Cache-Control":                "no-store",
	} {
		if h.Get(name) == "" {
			h.Set(name, value)
		}
	}
}
