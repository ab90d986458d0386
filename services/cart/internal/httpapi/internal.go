package httpapi

import (
	"context"
	"net/http"

	"github.com/caravan-shop/caravan/services/internal/web"
)

// ReadCart answers what an order would take.
func (s *Server) ReadCart(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		user, err := userRef(r)
		if err != nil {
			return web.Response{}, err
		}
		content, ok, err := s.carts.Read(ctx, user)
		if err != nil {
			return web.Response{}, err
		}
		if !ok {
			return web.OK(CartContent{Result: Empty}), nil
		}
		return web.OK(contentOf(content)), nil
	})
}

// TakeCart hands the content over to an order.
func (s *Server) TakeCart(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[TakeCart](r)
		if err != nil {
			return web.Response{}, err
		}
		result, err := s.carts.Take(ctx, in.UserId, in.OrderId, in.Version)
		if err != nil {
			return web.Response{}, err
		}
		return web.OK(TakeResult{Result: TakeResultResult(result)}), nil
	})
}

// RestoreCart puts back what an undone order took.
func (s *Server) RestoreCart(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[RestoreCart](r)
		if err != nil {
			return web.Response{}, err
		}
		result, err := s.carts.Restore(ctx, in.UserId, in.OrderId)
		if err != nil {
			return web.Response{}, err
		}
		return web.OK(RestoreResult{Result: RestoreResultResult(result)}), nil
	})
}

// ExportUser answers what is kept about a user.
func (s *Server) ExportUser(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		user, err := userRef(r)
		if err != nil {
			return web.Response{}, err
		}
		c, ok, err := s.carts.Export(ctx, user)
		if err != nil {
			return web.Response{}, err
		}
		export := Export{Service: ExportServiceCart}
		if ok {
			body := cartBody(c)
			export.Data.Cart = &body
		}
		return web.OK(export), nil
	})
}
