// Package httpapi is the HTTP edge of the order service: one short method an
// operation of openapi.yaml, which parses, calls one use case and returns its
// error. It decides nothing about orders.
package httpapi

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 --config=oapi-codegen.yaml ../../openapi.yaml

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/desk"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// Checkout is the saga, as this edge uses it.
type Checkout interface {
	Quote(ctx context.Context, user, shipping uuid.UUID, billing *uuid.UUID) (checkout.Quote, error)
	Place(ctx context.Context, req checkout.Request, key idempotency.Key, render checkout.Render) (idempotency.Answer, error)
}

// Server answers the operations.
type Server struct {
	checkout Checkout
	desk     *desk.Desk
	keys     *idempotency.Keeper
	currency string
}

// Register puts every route of openapi.yaml on a router of package web.
func Register(r *mux.Router, c Checkout, d *desk.Desk, keys *idempotency.Keeper, currency string) {
	HandlerWithOptions(&Server{c, d, keys, currency}, GorillaServerOptions{BaseRouter: r, ErrorHandlerFunc: web.ParamError})
}

func caller(ctx context.Context) desk.Person {
	p := auth.Must(ctx)
	return desk.Person{ID: p.UserID, Staff: p.IsStaff()}
}

// CreateQuote prices the present cart.
func (s *Server) CreateQuote(w http.ResponseWriter, r *http.Request, _ CreateQuoteParams) {
	answer, replayed, err := s.quote(r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	web.Give(w, answer, replayed)
}

// quote has a key keep its answer once that is known: no transaction may wait
// for neighbours.
func (s *Server) quote(r *http.Request) (a idempotency.Answer, replayed bool, err error) {
	in, err := web.Decode[QuoteRequest](r)
	if err == nil {
		err = required(map[string]bool{"shipping_address_id": in.ShippingAddressId == uuid.Nil})
	}
	if err != nil {
		return a, false, err
	}
	ctx := r.Context()
	q, err := s.checkout.Quote(ctx, caller(ctx).ID, in.ShippingAddressId, in.BillingAddressId)
	if err != nil {
		return a, false, err
	}
	if a, err = web.OK(quoteView(q)).Render(); err != nil {
		return a, false, err
	}
	key, keyed := idempotency.KeyFrom(ctx)
	if !keyed {
		return a, false, nil
	}
	return s.keys.Once(ctx, key, func(context.Context) (idempotency.Answer, error) { return a, nil })
}

// PlaceOrder runs a checkout. Its answer is rendered where the order commits, so
// that a repeated key gives the same bytes.
func (s *Server) PlaceOrder(w http.ResponseWriter, r *http.Request, _ PlaceOrderParams) {
	key, present := idempotency.KeyFrom(r.Context())
	if !present {
		web.Fail(w, r, idempotency.ErrRequired)
		return
	}
	in, err := web.Decode[PlaceOrder](r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	req, err := s.placeRequest(in)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	req.UserID = caller(r.Context()).ID
	answer, err := s.checkout.Place(r.Context(), req, key, renderOrder)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	web.Give(w, answer, false)
}

func renderOrder(o order.Order) (idempotency.Answer, error) {
	return web.Created("/v1/orders/"+o.ID.String(), orderView(o)).WithETag(web.VersionTag(o.Version)).Render()
}

func answerOrder(o order.Order, err error) (web.Response, error) {
	if err != nil {
		return web.Response{}, err
	}
	return web.OK(orderView(o)).WithETag(web.VersionTag(o.Version)), nil
}

// ListOrders gives own orders, or everybody's to staff.
func (s *Server) ListOrders(w http.ResponseWriter, r *http.Request, params ListOrdersParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		f, err := filterOf(caller(ctx), params)
		if err != nil {
			return web.Response{}, err
		}
		limit := f.Limit
		f.Limit++ // one more tells whether there is a next page
		orders, err := s.desk.List(ctx, f)
		if err != nil {
			return web.Response{}, err
		}
		return web.OK(pageView(orders, limit)), nil
	})
}

// GetOrder gives one order.
func (s *Server) GetOrder(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return answerOrder(s.desk.For(ctx, caller(ctx), id))
	})
}

// GetOrderHistory gives the audit trail.
func (s *Server) GetOrderHistory(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		if _, err := s.desk.For(ctx, caller(ctx), id); err != nil {
			return web.Response{}, err
		}
		history, err := s.desk.History(ctx, id)
		if err != nil {
			return web.Response{}, err
		}
		return web.OK(History{Items: historyView(history, caller(ctx).Staff)}), nil
	})
}

// CancelOrder cancels until shipped.
func (s *Server) CancelOrder(w http.ResponseWriter, r *http.Request, id Id, _ CancelOrderParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		o, err := s.desk.For(ctx, caller(ctx), id)
		if err != nil {
			return web.Response{}, err
		}
		note, err := cancelNote(r)
		if err != nil {
			return web.Response{}, err
		}
		return answerOrder(s.desk.Cancel(ctx, caller(ctx), o, note))
	})
}

// ShipOrder notes that a carrier has the goods.
func (s *Server) ShipOrder(w http.ResponseWriter, r *http.Request, id Id, _ ShipOrderParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		if _, err := s.desk.For(ctx, caller(ctx), id); err != nil {
			return web.Response{}, err
		}
		ship, err := shipRequest(r)
		if err != nil {
			return web.Response{}, err
		}
		return answerOrder(s.desk.Ship(ctx, caller(ctx), id, ship))
	})
}

// DeliverOrder notes that the goods arrived.
func (s *Server) DeliverOrder(w http.ResponseWriter, r *http.Request, id Id, _ DeliverOrderParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return answerOrder(s.desk.Deliver(ctx, caller(ctx), id))
	})
}
