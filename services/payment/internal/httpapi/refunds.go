package httpapi

import (
	"context"
	"net/http"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// ListRefunds answers GET /v1/refunds.
func (s *Server) ListRefunds(w http.ResponseWriter, r *http.Request, p ListRefundsParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		limit, at, err := pageOf(p.Limit, p.Cursor)
		if err != nil {
			return web.Response{}, err
		}
		rows, err := s.Log.Refunds(ctx, payment.RefundFilter{
			OrderID: given(p.OrderId), Status: given(p.Status), Before: at.Before, Limit: limit + 1,
		})
		return web.OK(paged(rows, limit, refundID, refundBody)), err
	})
}

// GetRefund answers GET /v1/refunds/{id}.
func (s *Server) GetRefund(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		row, err := s.Log.Refund(ctx, id)
		return web.OK(refundBody(row)).WithETag(web.VersionTag(row.Version)), err
	})
}

// CreateRefund answers POST /v1/refunds.
func (s *Server) CreateRefund(w http.ResponseWriter, r *http.Request, _ CreateRefundParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		body, err := decode[RefundRequest](r)
		if err != nil {
			return web.Response{}, err
		}
		req := payment.RefundRequest{OrderID: body.OrderId, Reason: body.Reason, By: auth.Must(ctx).UserID}
		if body.Amount != nil {
			req.Amount, req.Currency = &body.Amount.Amount, body.Amount.Currency
		}
		row, err := s.Refunds.Ask(ctx, req)
		return web.Created("/v1/refunds/"+row.ID.String(), refundBody(row)).WithETag(web.VersionTag(row.Version)), err
	})
}
