package search

import (
	"bytes"
	"context"
	_ "embed" // the index's settings
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/caravan-shop/caravan/services/product/internal/product"
)

//go:embed index.json
var settings string

//go:embed synonyms.txt
var synonyms string

// definition is the index's settings and mappings with the synonyms put in.
func definition() string {
	var rules []string
	for line := range strings.Lines(synonyms) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			rules = append(rules, line)
		}
	}
	list, err := json.Marshal(rules)
	if err != nil {
		return settings
	}
	return strings.Replace(settings, `["SYNONYMS"]`, string(list), 1)
}

// Exists tells whether the alias names an index.
func (ix *Index) Exists(ctx context.Context) (bool, error) {
	err := ix.call(ctx, esapi.IndicesExistsAliasRequest{Name: []string{ix.alias}}, nil)
	if statusOf(err) == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// Create makes an empty index of a new name that nobody searches yet.
func (ix *Index) Create(ctx context.Context) (name string, err error) {
	name = fmt.Sprintf("%s_%s", ix.alias, ix.now().UTC().Format("20060102t150405.000000"))
	err = ix.call(ctx, esapi.IndicesCreateRequest{Index: name, Body: strings.NewReader(definition())}, nil)
	return name, err
}

// Swap points the alias at an index, in one step, and deletes the ones before.
func (ix *Index) Swap(ctx context.Context, name string) error {
	before, err := ix.behindAlias(ctx)
	if err != nil {
		return err
	}
	actions := []any{object{"add": object{"index": name, "alias": ix.alias, "is_write_index": true}}}
	for _, old := range before {
		if old != name {
			actions = append(actions, object{"remove_index": object{"index": old}})
		}
	}
	raw, err := json.Marshal(object{"actions": actions})
	if err != nil {
		return fmt.Errorf("alias: %w", err)
	}
	return ix.call(ctx, esapi.IndicesUpdateAliasesRequest{Body: bytes.NewReader(raw)}, nil)
}

func (ix *Index) behindAlias(ctx context.Context) ([]string, error) {
	var found map[string]json.RawMessage
	err := ix.call(ctx, esapi.IndicesGetAliasRequest{Name: []string{ix.alias}}, &found)
	if statusOf(err) == http.StatusNotFound {
		return nil, nil
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	return names, err
}

// Drop deletes an index that did not come into use.
func (ix *Index) Drop(ctx context.Context, name string) error {
	return ix.call(ctx, esapi.IndicesDeleteRequest{Index: []string{name}}, nil)
}

// Refresh makes what was written visible to searches now.
func (ix *Index) Refresh(ctx context.Context) error {
	return ix.call(ctx, esapi.IndicesRefreshRequest{Index: []string{ix.alias}}, nil)
}

// Write puts products into an index, "" meaning the one behind the alias. A
// document that is newer stays. An error means that some may not be written.
func (ix *Index) Write(ctx context.Context, name string, ps []product.Product) error {
	if len(ps) == 0 {
		return nil
	}
	if name == "" {
		name = ix.alias
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	for _, p := range ps {
		action := object{"index": object{"_id": p.ID.String(), "version": p.Revision, "version_type": "external"}}
		if err := enc.Encode(action); err != nil {
			return fmt.Errorf("bulk action: %w", err)
		}
		if err := enc.Encode(documentOf(p)); err != nil {
			return fmt.Errorf("document: %w", err)
		}
	}
	// An index must exist: without the alias a write would make one of its name.
	requireAlias := name == ix.alias
	var done struct {
		Errors bool `json:"errors"`
		Items  []map[string]struct {
			Status int             `json:"status"`
			Error  json.RawMessage `json:"error"`
		} `json:"items"`
	}
	if err := ix.call(ctx, esapi.BulkRequest{Index: name, Body: &body, RequireAlias: &requireAlias}, &done); err != nil {
		return err
	}
	for _, item := range done.Items {
		for _, r := range item {
			if r.Status >= 300 && r.Status != http.StatusConflict {
				return fmt.Errorf("bulk write: status %d: %.300s", r.Status, r.Error)
			}
		}
	}
	return nil
}

// DropAll deletes every index of this name, for tests and resets.
func (ix *Index) DropAll(ctx context.Context) error {
	names, err := ix.behindAlias(ctx)
	for _, name := range names {
		err = errors.Join(err, ix.Drop(ctx, name))
	}
	return err
}
