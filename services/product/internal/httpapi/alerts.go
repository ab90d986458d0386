package httpapi

import (
	"context"
	"net/http"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

func alertView(a product.Alert) StockAlert {
	return StockAlert{ProductId: a.ProductID, CreatedAt: a.CreatedAt}
}

// AddStockAlert answers POST /v1/products/{id}/stock-alerts.
func (s *Server) AddStockAlert(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		a, isNew, err := s.Alerts.Add(ctx, id, auth.Must(ctx).UserID)
		if !isNew {
			return web.OK(alertView(a)), err
		}
		return web.Created(productsPath+id.String()+"/stock-alerts", alertView(a)), err
	})
}

// RemoveStockAlert answers DELETE /v1/products/{id}/stock-alerts.
func (s *Server) RemoveStockAlert(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return web.NoContent(), s.Alerts.Remove(ctx, id, auth.Must(ctx).UserID)
	})
}
