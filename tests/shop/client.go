package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Client calls the services through the edge. Safe for concurrent use.
type Client struct {
	Edge string
	HTTP *http.Client
	// Observe, if set, sees every call once it is answered.
	Observe func(method, app, path string, status int, took time.Duration)
	// Inspect, if set, sees every answer whole.
	Inspect func(method, app, path string, r *Response)
}

// NewClient makes a client that keeps its connections.
func NewClient(edge string) *Client {
	t := &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 512, IdleConnTimeout: time.Minute}
	return &Client{Edge: strings.TrimRight(edge, "/"), HTTP: &http.Client{Transport: t, Timeout: 60 * time.Second}}
}

// Response is an answer with its body read.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Into decodes a JSON body.
func (r *Response) Into(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("answer %d: %w: %.200s", r.Status, err, r.Body)
	}
	return nil
}

// Code is the code of a problem document, "" for any other body.
func (r *Response) Code() string {
	var doc struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(r.Body, &doc)
	return doc.Code
}

// Header is one header of a request.
type Header struct{ Name, Value string }

// Bearer is the header of an access token.
func Bearer(token string) Header { return Header{"Authorization", "Bearer " + token} }

// IdempotencyKey is that header.
func IdempotencyKey(key string) Header { return Header{"Idempotency-Key", key} }

// Do sends body as JSON (nil: none) to a path of an app. An error means that
// no answer came; every status is an answer.
func (c *Client) Do(ctx context.Context, method, app, path string, body any, headers ...Header) (*Response, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(raw)
		headers = append([]Header{{"Content-Type", "application/json"}}, headers...)
	}
	return c.Raw(ctx, method, app, path, reader, headers...)
}

// Raw sends a body as it is.
func (c *Client) Raw(ctx context.Context, method, app, path string, body io.Reader, headers ...Header) (*Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Edge+"/v1.0/invoke/"+app+"/method"+path, body)
	if err != nil {
		return nil, err
	}
	for _, h := range headers {
		req.Header.Set(h.Name, h.Value)
	}
	start := time.Now()
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if c.Observe != nil {
		c.Observe(method, app, path, resp.StatusCode, time.Since(start))
	}
	answer := &Response{Status: resp.StatusCode, Header: resp.Header, Body: raw}
	if c.Inspect != nil {
		c.Inspect(method, app, path, answer)
	}
	return answer, nil
}

// Want is Do for one expected status; any other is an error that shows the answer.
func (c *Client) Want(ctx context.Context, status int, out any, method, app, path string, body any, headers ...Header) (*Response, error) {
	resp, err := c.Do(ctx, method, app, path, body, headers...)
	if err != nil {
		return nil, fmt.Errorf("%s %s%s: %w", method, app, path, err)
	}
	if resp.Status != status {
		return resp, fmt.Errorf("%s %s%s: got %d, want %d: %.400s", method, app, path, resp.Status, status, resp.Body)
	}
	if out == nil {
		return resp, nil
	}
	return resp, resp.Into(out)
}
