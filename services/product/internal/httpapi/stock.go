package httpapi

import (
	"context"
	"net/http"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
)

// GetInventory answers GET /v1/products/{id}/inventory.
func (s *Server) GetInventory(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		if _, err := s.Catalogue.Get(ctx, id, isStaff(ctx)); err != nil {
			return web.Response{}, err
		}
		item, err := s.Stock.Counters(ctx, id)
		return web.OK(inventoryView(item.Counters, isStaff(ctx))), err
	})
}

// AdjustInventory answers POST /v1/products/{id}/inventory/adjustments.
func (s *Server) AdjustInventory(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		if _, err := s.Stock.Counters(ctx, id); err != nil {
			return web.Response{}, err
		}
		in, err := web.Decode[Adjustment](r)
		if err != nil {
			return web.Response{}, err
		}
		after, err := s.Stock.Adjust(ctx, id, in.Delta, in.Reason, auth.Must(ctx).UserID.String())
		return web.Created(productsPath+id.String()+"/inventory", inventoryView(after, true)), err
	})
}
