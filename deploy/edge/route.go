package main

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"
)

// maxURI bounds the request target. With the headers' bound it stays below the
// sidecar's --read-buffer-size of 16 KiB, which covers both.
const maxURI = 8 << 10

// route is a request that may pass.
type route struct {
	app  string // empty for the sidecar's health
	call string // method, service and path, as in the configuration
	// streams: the body is unbounded and must reach the sidecar in chunks.
	streams bool
}

// refusal is why a request may not pass.
type refusal struct {
	status       int
	code, detail string
	allow        string // the Allow header of a 405
	after        string // the Retry-After header; empty: a second with a 503, else none
}

// match decides on the raw request target, before anything has decoded it.
//
// A sidecar decodes the path once to find the app and the method, cleans it, and
// the callee's sidecar pastes the result into a URL, which is decoded again. So a
// path passes only if none of these steps can change its meaning.
func match(method, target string) (route, *refusal) {
	if len(target) > maxURI {
		return route{}, &refusal{status: http.StatusRequestURITooLong, code: "uri_too_long", detail: "The request target is longer than 8 KiB."}
	}
	raw, _, _ := strings.Cut(target, "?")
	if !canonical(raw) {
		return route{}, &refusal{status: http.StatusNotFound, code: "path_not_canonical", detail: "The path is not in canonical form."}
	}
	if raw == "/v1.0/healthz" || raw == "/v1.0/healthz/outbound" {
		if method != http.MethodGet {
			return route{}, &refusal{status: http.StatusMethodNotAllowed, code: "method_not_allowed", detail: "Health is asked with GET.", allow: "GET"}
		}
		return route{}, nil
	}
	app, rest, ok := split(raw)
	if !ok {
		return route{}, &refusal{status: http.StatusNotFound, code: "route_unknown", detail: "There is no such route; see /v1.0/invoke/<service>/method/v1/…"}
	}
	if !allowedMethod(method) {
		return route{}, &refusal{status: http.StatusMethodNotAllowed, code: "method_not_allowed", detail: "This method is not used here.", allow: "GET, HEAD, POST, PUT, PATCH, DELETE"}
	}
	return route{app: app, call: method + " " + app + "/" + rest, streams: app == "product" && rest == "v1/products/import" && method == http.MethodPost}, nil
}

// split takes /v1.0/invoke/<app>/method/<rest> apart, for our apps and public
// routes only. The app is compared as it stands: no namespace, no encoding, no
// other letter case, no URL.
func split(raw string) (app, rest string, ok bool) {
	call, ok := strings.CutPrefix(raw, "/v1.0/invoke/")
	if !ok {
		return "", "", false
	}
	app, call, _ = strings.Cut(call, "/")
	switch app {
	case "user", "product", "cart", "order", "payment", "notification":
	default:
		return "", "", false
	}
	rest, ok = strings.CutPrefix(call, "method/")
	if !ok {
		return "", "", false
	}
	first, after, _ := strings.Cut(rest, "/")
	return app, rest, (first == "v1" || first == ".well-known") && after != ""
}

func allowedMethod(m string) bool {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}

// canonical reports whether a raw path is the one spelling of itself: absolute,
// clean, valid UTF-8, only such characters as a path may hold, and nothing
// percent-encoded that needs no encoding or that means something once decoded.
func canonical(raw string) bool {
	if raw == "" || raw[0] != '/' || path.Clean(raw) != raw {
		return false
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] == '%' {
			if i+2 >= len(raw) || !harmlessEscape(raw[i+1:i+3]) {
				return false
			}
			i += 2
			continue
		}
		if !pathByte(raw[i]) {
			return false
		}
	}
	decoded, err := url.PathUnescape(raw)
	return err == nil && utf8.ValidString(decoded) && path.Clean(decoded) == decoded
}

// pathByte is pchar of RFC 3986 and the slash, without the semicolon: some
// servers cut a segment there.
func pathByte(c byte) bool {
	return unreserved(c) || c == '~' || strings.IndexByte("/!$&'()*+,=:@", c) >= 0
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}

// harmlessEscape takes the two digits after a percent sign. Refused are control
// characters; what separates (slash, backslash, semicolon, ?, #); the percent sign
// itself, which the second decoding would act on; and what is written plainly
// (letters, digits, dots), which only disguises a path.
func harmlessEscape(digits string) bool {
	hi, lo := hexValue(digits[0]), hexValue(digits[1])
	if hi < 0 || lo < 0 {
		return false
	}
	c := byte(hi<<4 | lo)
	return c >= ' ' && c != 0x7f && !unreserved(c) && strings.IndexByte(`/\;?#%`, c) < 0
}

func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
