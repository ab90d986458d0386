// Package search keeps the Elasticsearch copy of the catalogue and asks it. The
// index is named by the alias products_index; documents carry the product's
// revision as an external version, so that an old write never overwrites a newer
// document. It must never decide anything about products or stock.
package search

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/caravan-shop/caravan/services/product/internal/breaker"
)

const (
	dialTime = 300 * time.Millisecond
	askTime  = 2 * time.Second
)

// Index asks and writes the index. Safe for concurrent use.
type Index struct {
	es    *elasticsearch.Client
	alias string
	guard *breaker.Breaker
	now   func() time.Time
}

// Open makes the index's client; it does not connect yet.
func Open(url, alias string, now func() time.Time) (*Index, error) {
	es, err := elasticsearch.NewClient(elasticsearch.Config{
		Addresses: []string{url}, DisableRetry: true,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTime, KeepAlive: 30 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("elasticsearch client: %w", err)
	}
	return &Index{es: es, alias: alias, guard: breaker.New(2, 2*time.Second, now), now: now}, nil
}

// statusError is an answer of Elasticsearch that is not a success.
type statusError struct {
	status int
	body   string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("elasticsearch: status %d: %s", e.status, e.body)
}

func statusOf(err error) int {
	var se *statusError
	if errors.As(err, &se) {
		return se.status
	}
	return 0
}

// call does one request and decodes a success into out.
func (ix *Index) call(ctx context.Context, req esapi.Request, out any) error {
	res, err := req.Do(ctx, ix.es)
	if err != nil {
		return fmt.Errorf("elasticsearch: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.IsError() {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
		return &statusError{status: res.StatusCode, body: string(body)}
	}
	if out == nil {
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("elasticsearch answer: %w", err)
	}
	return nil
}

// ask searches behind the breaker: while the index is away, at once.
func (ix *Index) ask(ctx context.Context, body map[string]any, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("search body: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return ix.guard.Do(func() error {
		return ix.call(ctx, esapi.SearchRequest{Index: []string{ix.alias}, Body: bytes.NewReader(raw)}, out)
	}, func(err error) bool {
		return statusOf(err) != http.StatusBadRequest && !errors.Is(err, context.Canceled)
	})
}
