// Package sidecar is a service's way out: calls to other services, events to
// topics and secrets, all through the service's own daprd. It retries nothing:
// Dapr's resiliency policies and the outbox do.
package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/service"
)

// ErrAway tells that a neighbour, or the sidecar itself, does not answer.
var ErrAway = fault.New(fault.Unavailable, "neighbour_unavailable", "A service that this request needs does not answer at the moment.")

const (
	callTimeout = 10 * time.Second // where the caller's context has no deadline
	answerLimit = 16 << 20
	secretStore = "secrets"
	pubsubName  = "pubsub"
)

// Client talks to the sidecar. Safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New makes a client; it does not connect.
func New(cfg service.Config) *Client {
	dialer := &net.Dialer{Timeout: 2 * time.Second, KeepAlive: 30 * time.Second}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConns: 256, MaxIdleConnsPerHost: 256, IdleConnTimeout: 90 * time.Second}
	return &Client{
		base:  "http://" + net.JoinHostPort(cfg.DaprHost, strconv.Itoa(cfg.DaprHTTPPort)),
		token: cfg.DaprToken,
		http:  &http.Client{Transport: otelhttp.NewTransport(transport), Timeout: 30 * time.Second},
	}
}

// Invoke posts in as JSON to a path of another app and decodes the answer into
// out (nil: it is not read). It fails with ErrAway while the neighbour can't
// answer; any other refusal is an error of the program, as neighbours refuse
// business by a result in a 200.
func (c *Client) Invoke(ctx context.Context, app, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("call %s%s: %w", app, path, err)
	}
	return c.call(ctx, http.MethodPost, app, path, body, out)
}

// Get reads a path of another app, with Invoke's errors.
func (c *Client) Get(ctx context.Context, app, path string, out any) error {
	return c.call(ctx, http.MethodGet, app, path, nil, out)
}

func (c *Client) call(ctx context.Context, method, app, path string, body []byte, out any) error {
	status, answer, err := c.do(ctx, method, "/v1.0/invoke/"+app+"/method"+path, body)
	switch {
	case err != nil:
		return ErrAway.Because(fmt.Errorf("call %s%s: %w", app, path, err))
	case status == http.StatusTooManyRequests || status >= 500:
		return ErrAway.Because(fmt.Errorf("call %s%s: status %d", app, path, status))
	case status < 200 || status >= 300:
		return fmt.Errorf("call %s%s: refused with status %d", app, path, status)
	case status == http.StatusOK && len(answer) == 0:
		// No route of ours answers so. Some releases of Dapr do, for a neighbour that died before it answered.
		return ErrAway.Because(fmt.Errorf("call %s%s: empty answer", app, path))
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("call %s%s: answer: %w", app, path, err)
	}
	return nil
}

// do sends one request to the sidecar. Errors never hold a body.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("dapr-api-token", c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
	if err == nil && len(answer) > answerLimit {
		err = errors.New("answer is too large")
	}
	return resp.StatusCode, answer, err
}

// Secret reads one secret of the component `secrets`, within this app's scope.
func (c *Client) Secret(ctx context.Context, name string) (string, error) {
	status, answer, err := c.do(ctx, http.MethodGet, "/v1.0/secrets/"+secretStore+"/"+url.PathEscape(name), nil)
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", name, err)
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("secret %s: status %d", name, status)
	}
	var values map[string]string
	if err := json.Unmarshal(answer, &values); err != nil {
		return "", fmt.Errorf("secret %s: answer can't be read", name)
	}
	value, found := values[name]
	if !found {
		return "", fmt.Errorf("secret %s: not in the answer", name)
	}
	return value, nil
}

// WaitReady waits until the sidecar can be used for outgoing calls. The app may
// not be listening yet, but it must not wait for this before it does.
func (c *Client) WaitReady(ctx context.Context) error {
	for {
		probe, cancel := context.WithTimeout(ctx, time.Second)
		status, _, err := c.do(probe, http.MethodGet, "/v1.0/healthz/outbound", nil)
		cancel()
		if err == nil && status == http.StatusNoContent {
			return nil
		}
		t := time.NewTimer(50 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("sidecar not ready: %w", ctx.Err())
		case <-t.C:
		}
	}
}
