package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

const productsPath = "/v1/products/"

func answerProduct(p product.Product) web.Response {
	return web.OK(productView(p)).WithETag(productTag(p))
}

// ListProducts answers GET /v1/products.
func (s *Server) ListProducts(w http.ResponseWriter, r *http.Request, params ListProductsParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		page, before, err := pageOf(params.Limit, params.Cursor)
		if err != nil {
			return web.Response{}, err
		}
		f := product.Filter{CategoryID: params.CategoryId, Status: string(valueOf(params.Status)), Before: before, Limit: page.Limit + 1}
		if err := knownStatus(f.Status); err != nil {
			return web.Response{}, err
		}
		found, err := s.Catalogue.List(ctx, f, isStaff(ctx))
		found, next := cut(found, page.Limit, func(p product.Product) uuid.UUID { return p.ID })
		views := make([]Product, len(found))
		for i, p := range found {
			views[i] = productView(p)
		}
		return web.OK(ProductPage{Items: views, NextCursor: next}), err
	})
}

var errStatus = fault.New(fault.Malformed, "malformed_parameter", "A parameter of the path or query can't be read.",
	fault.Field{Field: "status", Code: "not_allowed", Detail: "one of draft, active, archived"})

func knownStatus(status string) error {
	switch status {
	case "", product.Draft, product.Active, product.Archived:
		return nil
	}
	return errStatus
}

// productInput is a product or a change of one as a client writes it: nil is
// what is not named.
type productInput struct {
	SKU         *string          `json:"sku"`
	Name        *string          `json:"name"`
	Description *string          `json:"description"`
	CategoryID  *uuid.UUID       `json:"category_id"`
	Brand       *string          `json:"brand"`
	Price       *product.Price   `json:"price"`
	TaxClass    *string          `json:"tax_class"`
	Attributes  *map[string]any  `json:"attributes"`
	Images      *[]product.Image `json:"images"`
	Status      *string          `json:"status"`
}

func (in productInput) change() product.Change {
	return product.Change{SKU: in.SKU, Name: in.Name, Description: in.Description, CategoryID: in.CategoryID, Brand: in.Brand,
		Price: (*money.Money)(in.Price), TaxClass: in.TaxClass, Attributes: in.Attributes, Images: in.Images, Status: in.Status}
}

func (in productInput) complete() error {
	var missing []fault.Field
	for name, given := range map[string]bool{"sku": in.SKU != nil, "name": in.Name != nil, "category_id": in.CategoryID != nil, "price": in.Price != nil} {
		if !given {
			missing = append(missing, fault.Field{Field: name, Code: "required", Detail: "must be given"})
		}
	}
	if missing != nil {
		return product.ErrInvalid.Naming(missing...)
	}
	return nil
}

// CreateProduct answers POST /v1/products.
func (s *Server) CreateProduct(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[productInput](r)
		if err == nil {
			err = in.complete()
		}
		if err != nil {
			return web.Response{}, err
		}
		var p product.Product
		in.change().On(&p)
		p, err = s.Catalogue.Create(ctx, p)
		return web.Created(productsPath+p.ID.String(), productView(p)).WithETag(productTag(p)), err
	})
}

// GetProduct answers GET /v1/products/{id}.
func (s *Server) GetProduct(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		p, err := s.Catalogue.Get(ctx, id, isStaff(ctx))
		return answerProduct(p), err
	})
}

// GetProductBySku answers GET /v1/products/by-sku/{sku}.
func (s *Server) GetProductBySku(w http.ResponseWriter, r *http.Request, sku string) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		if exact, err := url.PathUnescape(sku); err == nil {
			sku = exact
		}
		p, err := s.Catalogue.BySKU(ctx, sku, isStaff(ctx))
		return answerProduct(p), err
	})
}

// UpdateProduct answers PATCH /v1/products/{id}.
func (s *Server) UpdateProduct(w http.ResponseWriter, r *http.Request, id Id, _ UpdateProductParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		if err := s.mayChange(r, id, true); err != nil {
			return web.Response{}, err
		}
		in, err := web.Decode[productInput](r)
		if err != nil {
			return web.Response{}, err
		}
		p, err := s.Catalogue.Update(ctx, id, in.change(), matching(r))
		return answerProduct(p), err
	})
}

// mayChange checks that the product is there and that If-Match names its version.
func (s *Server) mayChange(r *http.Request, id uuid.UUID, required bool) error {
	p, err := s.Catalogue.Present(r.Context(), id)
	if err != nil {
		return err
	}
	if required && r.Header.Get("If-Match") == "" {
		return web.ErrIfMatchRequired
	}
	return precondition(r, p.Version)
}

// ArchiveProduct answers DELETE /v1/products/{id}.
func (s *Server) ArchiveProduct(w http.ResponseWriter, r *http.Request, id Id, _ ArchiveProductParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return web.NoContent(), s.Catalogue.Archive(ctx, id, matching(r))
	})
}
