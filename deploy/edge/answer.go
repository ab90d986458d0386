package main

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// peekBytes is how much of an error answer is read to tell whose it is; a
// sidecar's own are far shorter.
const peekBytes = 64 << 10

// modifyResponse cleans an answer's headers and replaces an error that a sidecar
// wrote by a problem. A service's own answers pass untouched.
func (e *edge) modifyResponse(res *http.Response) error {
	traceID := traceOf(res.Request.Header)
	cleanResponse(res.Header)
	if why := e.translate(res); why != nil {
		if why.status >= http.StatusInternalServerError {
			e.log.Warn("neighbour failed", "app", callOf(res.Request.Context()).route.app, "status", res.StatusCode, "code", why.code, "trace_id", traceID)
		}
		replace(res, why, traceID)
	}
	secure(res.Header)
	return nil
}

// replace puts a problem in the place of the answer.
func replace(res *http.Response, why *refusal, traceID string) {
	doc := why.encode(traceID)
	_ = res.Body.Close()
	res.StatusCode, res.Status = why.status, http.StatusText(why.status)
	res.Body = io.NopCloser(bytes.NewReader(doc))
	res.ContentLength = int64(len(doc))
	why.headers(res.Header)
	res.Header.Set("Content-Length", strconv.Itoa(len(doc)))
	res.Header.Del("Content-Encoding")
}

// translate returns the problem that an answer stands for, or nil if the answer
// is the service's own. Services answer errors in problem+json alone, so an error
// of another type comes from a sidecar or from a server's default handler.
func (e *edge) translate(res *http.Response) *refusal {
	if res.StatusCode < http.StatusBadRequest {
		return nil
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		if res.Request.Method == http.MethodHead {
			return sidecarError(res.StatusCode, []byte(`{"errorCode":"ERR_UNSEEN"}`))
		}
		head, err := peek(res)
		if err != nil {
			return nil // it will fail again, and visibly, when it is copied
		}
		return sidecarError(res.StatusCode, head)
	case "text/plain", "":
		return plainError(res.StatusCode)
	}
	return nil
}

// peek reads the start of a body and puts it back.
func peek(res *http.Response) ([]byte, error) {
	head, err := io.ReadAll(io.LimitReader(res.Body, peekBytes))
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), res.Body), res.Body}
	return head, err
}

// sidecarError recognizes {"errorCode":"ERR_…","message":"…"}. Its message names
// addresses, so it is not passed on.
func sidecarError(status int, body []byte) *refusal {
	var doc struct {
		ErrorCode string `json:"errorCode"`
		Message   string `json:"message"`
	}
	if json.Unmarshal(body, &doc) != nil || !strings.HasPrefix(doc.ErrorCode, "ERR_") {
		return nil
	}
	switch {
	case status == http.StatusForbidden:
		return &refusal{status: status, code: "access_denied", detail: "This route is not open to clients."}
	case strings.Contains(doc.Message, "stream too large"):
		return &refusal{status: http.StatusRequestEntityTooLarge, code: "body_too_large", detail: "The body is larger than this shop accepts."}
	}
	return &refusal{status: http.StatusServiceUnavailable, code: "neighbour_unavailable", detail: "The service is not reachable at the moment."}
}

// plainError covers answers without a document: a sidecar that refuses our token
// or stops, and a router's default answers.
func plainError(status int) *refusal {
	switch status {
	case http.StatusNotFound:
		return &refusal{status: status, code: "route_unknown", detail: "There is no such route."}
	case http.StatusMethodNotAllowed:
		return &refusal{status: status, code: "method_not_allowed", detail: "This route does not take this method."}
	case http.StatusUnauthorized, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &refusal{status: http.StatusServiceUnavailable, code: "sidecar_unavailable", detail: "The shop cannot be reached at the moment."}
	case http.StatusRequestHeaderFieldsTooLarge:
		return &refusal{status: status, code: "headers_too_large", detail: "The headers are too large."}
	}
	if status >= http.StatusInternalServerError {
		return &refusal{status: status, code: "internal", detail: "Something went wrong."}
	}
	return nil
}
