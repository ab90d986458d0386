// Package httpapi is the HTTP edge of the cart service: it reads requests,
// calls one use case each and writes what it answers. It decides nothing about
// carts.
package httpapi

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 --config=oapi-codegen.yaml ../../openapi.yaml

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/web"
)

const guestHeader = "X-Cart-Token"

// Server answers the operations of openapi.yaml.
type Server struct {
	carts *cart.Carts
	find  cart.Finder
	now   func() time.Time
}

// Register puts every route of openapi.yaml on the service's router, which
// brings the middlewares.
func Register(r *mux.Router, carts *cart.Carts, find cart.Finder, now func() time.Time) {
	HandlerWithOptions(&Server{carts, find, now}, GorillaServerOptions{BaseRouter: r, ErrorHandlerFunc: web.ParamError})
}

// ownerOf tells whose cart a request means: the signed-in user's, else the
// guest's behind the token.
func ownerOf(r *http.Request) (cart.Owner, error) {
	if who, ok := auth.From(r.Context()); ok {
		return cart.User(who.UserID), nil
	}
	if token := r.Header.Get(guestHeader); token != "" {
		return cart.Guest(token), nil
	}
	return cart.Owner{}, errNobody
}

// askOf reads the conditions of a write and makes the checks that come before
// its body. A replayed outcome is final.
func (s *Server) askOf(r *http.Request) (cart.Ask, cart.Outcome, error) {
	owner, err := ownerOf(r)
	if err != nil {
		return cart.Ask{}, cart.Outcome{}, err
	}
	ask := cart.Ask{Owner: owner}
	ask.IfMatch, _ = web.IfMatch(r)
	if key := r.Header.Get("Idempotency-Key"); key != "" && r.Method == http.MethodPost {
		if !idempotency.Valid(key) {
			return cart.Ask{}, cart.Outcome{}, idempotency.ErrBadKey
		}
		call := cart.NewCall(r.URL.Path, key, web.RawBody(r))
		ask.Call = &call
	}
	return s.carts.Admit(r.Context(), ask)
}

// write runs a change of a cart between its checks and its answer.
func (s *Server) write(w http.ResponseWriter, r *http.Request, answer func(cart.Outcome) web.Response,
	fn func(ctx context.Context, ask cart.Ask) (cart.Outcome, error),
) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		ask, out, err := s.askOf(r)
		if err == nil && !out.Replayed {
			out, err = fn(ctx, ask)
		}
		if err != nil {
			return web.Response{}, err
		}
		return answer(out), nil
	})
}

// GetCart answers the cart with present names, prices and stock.
func (s *Server) GetCart(w http.ResponseWriter, r *http.Request, _ GetCartParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		owner, err := ownerOf(r)
		if err != nil {
			return web.Response{}, err
		}
		v, err := s.carts.Show(ctx, owner)
		if err != nil {
			return web.Response{}, err
		}
		// The tag is for If-Match. It says nothing of prices and stock, so it
		// must not answer an If-None-Match.
		return web.Response{
			Status: http.StatusOK, Body: shown(v),
			Header: http.Header{"Etag": {web.VersionTag(v.Version)}, "Cache-Control": {"private, no-cache"}},
		}, nil
	})
}

// ClearCart takes everything out.
func (s *Server) ClearCart(w http.ResponseWriter, r *http.Request, _ ClearCartParams) {
	s.write(w, r, emptied, s.carts.Clear)
}

// AddItem adds to what is there.
func (s *Server) AddItem(w http.ResponseWriter, r *http.Request, _ AddItemParams) {
	s.write(w, r, stored, func(ctx context.Context, ask cart.Ask) (cart.Outcome, error) {
		in, err := web.Decode[NewItem](r)
		if err != nil {
			return cart.Outcome{}, err
		}
		return s.carts.Add(ctx, ask, in.ProductId, in.Quantity)
	})
}

// PutItem makes the quantity what is asked.
func (s *Server) PutItem(w http.ResponseWriter, r *http.Request, product ProductId, _ PutItemParams) {
	s.write(w, r, stored, func(ctx context.Context, ask cart.Ask) (cart.Outcome, error) {
		in, err := web.Decode[Quantity](r)
		if err != nil {
			return cart.Outcome{}, err
		}
		return s.carts.Put(ctx, ask, product, in.Quantity)
	})
}

// RemoveItem takes a product out.
func (s *Server) RemoveItem(w http.ResponseWriter, r *http.Request, product ProductId, _ RemoveItemParams) {
	s.write(w, r, emptied, func(ctx context.Context, ask cart.Ask) (cart.Outcome, error) {
		return s.carts.Remove(ctx, ask, product)
	})
}

// MergeCart brings a guest cart into the user's.
func (s *Server) MergeCart(w http.ResponseWriter, r *http.Request, _ MergeCartParams) {
	s.write(w, r, stored, func(ctx context.Context, ask cart.Ask) (cart.Outcome, error) {
		in, err := web.Decode[CartToken](r)
		if err != nil {
			return cart.Outcome{}, err
		}
		if in.CartToken == "" {
			return cart.Outcome{}, errTokenEmpty
		}
		return s.carts.Merge(ctx, ask, in.CartToken)
	})
}

// OpenGuestCart makes a guest cart and tells its token once.
func (s *Server) OpenGuestCart(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		token, err := s.carts.Open(ctx)
		if err != nil {
			return web.Response{}, err
		}
		resp := web.Created("/v1/cart", CartToken{CartToken: token})
		resp.Header = http.Header{"Cache-Control": {"no-store"}}
		return resp, nil
	})
}

// ListExpiringCarts lists carts that are about to be forgotten.
func (s *Server) ListExpiringCarts(w http.ResponseWriter, r *http.Request, params ListExpiringCartsParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		within, page, mark, err := expiringQuery(params)
		if err != nil {
			return web.Response{}, err
		}
		now := s.now()
		found, err := s.find.Expiring(ctx, now, now.Add(within), mark, page.Limit+1)
		if err != nil {
			return web.Response{}, cart.ErrStore.Because(err)
		}
		return web.OK(expiringPage(found, page.Limit)), nil
	})
}

func userRef(r *http.Request) (uuid.UUID, error) {
	in, err := web.Decode[UserRef](r)
	return in.UserId, err
}
