package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

const ndjson = "application/x-ndjson"

var errNDJSON = fault.New(fault.Unsupported, "unsupported_media_type", "The body must be "+ndjson+".")

// ImportProducts answers POST /v1/products/import.
func (s *Server) ImportProducts(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || (media != ndjson && media != "application/ndjson" && media != "application/jsonl") {
			return web.Response{}, errNDJSON
		}
		res, err := s.Importer.Run(ctx, r.Body)
		return web.OK(importView(res)), err
	})
}

func importView(res product.ImportResult) ImportResult {
	v := ImportResult{Created: res.Created, Updated: res.Updated, Unchanged: res.Unchanged, Failed: res.Failed}
	v.Errors = make([]struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
		Line   int64  `json:"line"`
	}, len(res.Errors))
	for i, e := range res.Errors {
		v.Errors[i].Code, v.Errors[i].Detail, v.Errors[i].Line = e.Code, e.Detail, e.Line
	}
	return v
}

// exportLine is a product as a line of the import.
type exportLine struct {
	SKU         string          `json:"sku"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Category    []string        `json:"category"`
	Brand       string          `json:"brand"`
	Price       money.Money     `json:"price"`
	TaxClass    string          `json:"tax_class"`
	Attributes  map[string]any  `json:"attributes"`
	Images      []product.Image `json:"images"`
	Status      string          `json:"status"`
	Quantity    int64           `json:"quantity"`
}

const exportBatch = 500

// ExportProducts answers GET /v1/products/export. An error after the first line
// breaks the connection off: a short file must not look whole.
func (s *Server) ExportProducts(w http.ResponseWriter, r *http.Request) {
	var last uuid.UUID
	enc := json.NewEncoder(w)
	for {
		lines, next, err := s.exportPage(r.Context(), last)
		if err != nil && last == uuid.Nil {
			web.Fail(w, r, err)
			return
		}
		if err != nil {
			slog.ErrorContext(r.Context(), "export broken off", "error", err)
			panic(http.ErrAbortHandler)
		}
		if last == uuid.Nil {
			w.Header().Set("Content-Type", ndjson)
		}
		for _, line := range lines {
			if enc.Encode(line) != nil {
				return // the client is gone
			}
		}
		if len(lines) < exportBatch {
			return
		}
		last = next
	}
}

func (s *Server) exportPage(ctx context.Context, after uuid.UUID) ([]exportLine, uuid.UUID, error) {
	ps, err := s.Records.After(ctx, after, exportBatch)
	if err != nil || len(ps) == 0 {
		return nil, after, err
	}
	ids := make([]uuid.UUID, len(ps))
	for i, p := range ps {
		ids[i] = p.ID
	}
	items, err := s.Stock.Lookup(ctx, ids)
	if err == nil && len(items) != len(ps) {
		err = errors.New("inventory missing")
	}
	if err != nil {
		return nil, after, err
	}
	lines := make([]exportLine, len(ps))
	for i, p := range ps {
		lines[i] = exportLine{SKU: p.SKU, Name: p.Name, Description: p.Description, Category: p.CategoryPath, Brand: p.Brand, Price: p.Price,
			TaxClass: p.TaxClass, Attributes: p.Attributes, Images: p.Images, Status: p.Status, Quantity: items[i].OnHand}
	}
	return lines, ids[len(ids)-1], nil
}
