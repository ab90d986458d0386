package search

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// Mend compares every product with its document's version and writes those that
// differ. It tells how many did. Documents without a product are not looked for:
// products are never deleted.
func (p *Projector) Mend(ctx context.Context) (int, error) {
	var last uuid.UUID
	mended := 0
	for {
		ps, err := p.catalogue.After(ctx, last, rebuildBatch)
		if err != nil || len(ps) == 0 {
			return mended, err
		}
		last = ps[len(ps)-1].ID
		versions, err := p.index.versions(ctx, ps)
		if err != nil {
			return mended, err
		}
		var behind []product.Product
		for _, one := range ps {
			if versions[one.ID.String()] < one.Revision {
				behind = append(behind, one)
			}
		}
		if err := p.index.Write(ctx, "", behind); err != nil {
			return mended, err
		}
		mended += len(behind)
	}
}

// versions reads the versions of documents; 0 is none.
func (ix *Index) versions(ctx context.Context, ps []product.Product) (map[string]int64, error) {
	ids := make([]string, len(ps))
	for i, p := range ps {
		ids[i] = p.ID.String()
	}
	raw, err := json.Marshal(object{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("multi get: %w", err)
	}
	var found struct {
		Docs []struct {
			ID      string `json:"_id"`
			Version int64  `json:"_version"`
			Found   bool   `json:"found"`
		} `json:"docs"`
	}
	req := esapi.MgetRequest{Index: ix.alias, Body: bytes.NewReader(raw), Source: []string{"false"}}
	if err := ix.call(ctx, req, &found); err != nil {
		return nil, err
	}
	versions := make(map[string]int64, len(found.Docs))
	for _, d := range found.Docs {
		if d.Found {
			versions[d.ID] = d.Version
		}
	}
	return versions, nil
}
