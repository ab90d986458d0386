// Package httpapi is the HTTP face of Product: one short method an operation of
// openapi.yaml. Each parses, calls one use case and answers; rules are in the
// packages product and stock.
package httpapi

import (
	"context"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/product/internal/product"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 --config=oapi-codegen.yaml ../../openapi.yaml

// Records reads what leaves the service whole. Errors are the store's.
type Records interface {
	// After gives the products above an id, by id.
	After(ctx context.Context, id uuid.UUID, limit int) ([]product.Product, error)
	ReviewsOf(ctx context.Context, userID uuid.UUID) ([]product.Review, error)
	AlertsOf(ctx context.Context, userID uuid.UUID) ([]product.Alert, error)
}

// Server implements ServerInterface.
type Server struct {
	Categories *product.Categories
	Catalogue  *product.Catalogue
	Importer   *product.Importer
	Reviews    *product.Reviews
	Alerts     *product.Alerts
	Stock      *stock.Service
	Searcher   product.Searcher
	Records    Records
}

var _ ServerInterface = (*Server)(nil)

// New makes the router of the service: the platform's middlewares in order, then
// the routes of the OpenAPI document.
func New(setup web.Setup, s *Server) (*mux.Router, error) {
	r, err := web.NewRouter(setup)
	if err != nil {
		return nil, err
	}
	HandlerWithOptions(s, GorillaServerOptions{BaseRouter: r, ErrorHandlerFunc: web.ParamError})
	return r, nil
}

// isStaff tells whether the caller may see what shoppers may not.
func isStaff(ctx context.Context) bool {
	p, signedIn := auth.From(ctx)
	return signedIn && p.IsStaff()
}

func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func valueOf[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// idCursor is the keyset position of lists that go by id.
type idCursor struct {
	Before uuid.UUID `json:"before"`
}

// pageOf reads limit and cursor of a list that goes by id.
func pageOf(limit *int, cursor *string) (web.Page, uuid.UUID, error) {
	page, err := web.PageOf(limit, cursor)
	if err != nil {
		return page, uuid.Nil, err
	}
	var at idCursor
	err = web.DecodeCursor(page.Cursor, &at)
	return page, at.Before, err
}

// cut takes the one item too many, which tells that there is a next page.
func cut[T any](items []T, limit int, id func(T) uuid.UUID) ([]T, *string) {
	if len(items) <= limit {
		return items, nil
	}
	items = items[:limit]
	next := web.EncodeCursor(idCursor{Before: id(items[limit-1])})
	return items, &next
}
