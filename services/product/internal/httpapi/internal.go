package httpapi

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

const maxLookup = 1200

var errLookup = fault.New(fault.Invalid, "too_many_ids", "At most 1,200 ids at once.")

// lookupItem is a product as neighbours read it.
type lookupItem struct {
	ID        uuid.UUID   `json:"id"`
	SKU       string      `json:"sku"`
	Name      string      `json:"name"`
	Price     money.Money `json:"price"`
	TaxClass  string      `json:"tax_class"`
	Status    string      `json:"status"`
	Available int64       `json:"available"`
	Version   int64       `json:"version"`
}

// LookupProducts answers POST /internal/products/lookup.
func (s *Server) LookupProducts(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[Lookup](r)
		if err == nil && len(in.ProductIds) > maxLookup {
			err = errLookup
		}
		if err != nil {
			return web.Response{}, err
		}
		items, err := s.Stock.Lookup(ctx, in.ProductIds)
		out := make([]lookupItem, len(items))
		for i, it := range items {
			out[i] = lookupItem{ID: it.ProductID, SKU: it.SKU, Name: it.Name, Price: it.Price, TaxClass: it.TaxClass,
				Status: it.Status, Available: it.Available(), Version: it.Version}
		}
		return web.OK(map[string]any{"products": out}), err
	})
}

// PlaceHold answers POST /internal/holds/place.
func (s *Server) PlaceHold(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[PlaceHold](r)
		if err != nil {
			return web.Response{}, err
		}
		lines := make([]stock.Line, len(in.Lines))
		for i, l := range in.Lines {
			lines[i] = stock.Line{ProductID: l.ProductId, Quantity: l.Quantity}
		}
		p, err := s.Stock.Place(ctx, in.OrderId, in.UserId, lines)
		return web.OK(placementView(p)), err
	})
}

// placedLine is a line of the answer; which members it has follows from the result.
type placedLine struct {
	ProductID uuid.UUID    `json:"product_id"`
	SKU       string       `json:"sku,omitempty"`
	Name      string       `json:"name,omitempty"`
	Quantity  int64        `json:"quantity,omitempty"`
	UnitPrice *money.Money `json:"unit_price,omitempty"`
	TaxClass  string       `json:"tax_class,omitempty"`
	Requested int64        `json:"requested,omitempty"`
	Available *int64       `json:"available,omitempty"`
	Reason    string       `json:"reason,omitempty"`
}

func placementView(p stock.Placement) map[string]any {
	lines := []placedLine{}
	for _, l := range p.Lines {
		lines = append(lines, placedLine{ProductID: l.ProductID, SKU: l.SKU, Name: l.Name, Quantity: l.Quantity, UnitPrice: &l.UnitPrice, TaxClass: l.TaxClass})
	}
	for _, l := range p.Short {
		lines = append(lines, placedLine{ProductID: l.ProductID, Requested: l.Quantity, Available: &l.Available})
	}
	for _, l := range p.Unavailable {
		lines = append(lines, placedLine{ProductID: l.ProductID, Reason: l.Reason})
	}
	v := map[string]any{"result": p.Result}
	if p.Result == stock.ResultUndone {
		return v
	}
	v["lines"] = lines
	if p.Result == stock.ResultHeld {
		v["expires_at"] = p.ExpiresAt
	}
	return v
}

// ReleaseHold answers POST /internal/holds/release.
func (s *Server) ReleaseHold(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[ReleaseHold](r)
		if err != nil {
			return web.Response{}, err
		}
		result, err := s.Stock.Release(ctx, in.OrderId)
		return web.OK(map[string]any{"result": result}), err
	})
}

// ExportUser answers POST /internal/export.
func (s *Server) ExportUser(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[UserExport](r)
		if err != nil {
			return web.Response{}, err
		}
		rs, err := s.Records.ReviewsOf(ctx, in.UserId)
		if err != nil {
			return web.Response{}, err
		}
		alerts, err := s.Records.AlertsOf(ctx, in.UserId)
		views := make([]StockAlert, len(alerts))
		for i, a := range alerts {
			views[i] = alertView(a)
		}
		return web.OK(map[string]any{"service": "product", "data": map[string]any{"reviews": reviewViews(rs), "stock_alerts": views}}), err
	})
}
