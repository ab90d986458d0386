package httpapi

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
)

// ListAddresses implements ServerInterface.
func (s *Server) ListAddresses(w http.ResponseWriter, r *http.Request, params ListAddressesParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		page, after, err := pageOf(params.Limit, params.Cursor)
		if err != nil {
			return web.Response{}, err
		}
		found, err := s.users.Addresses.ListAddresses(ctx, auth.Must(ctx).UserID, after, page.Limit+1)
		if err != nil {
			return web.Response{}, err
		}
		items := make([]Address, 0, len(found))
		for _, a := range found {
			items = append(items, addressBody(a))
		}
		return web.OK(listOf(items, page.Limit, func(a Address) uuid.UUID { return a.Id })), nil
	})
}

// AddAddress implements ServerInterface.
func (s *Server) AddAddress(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[AddressInput](r)
		if err != nil {
			return web.Response{}, err
		}
		a, err := s.users.AddAddress(ctx, auth.Must(ctx).UserID, placeOf(in))
		if err != nil {
			return web.Response{}, err
		}
		return web.Created("/v1/users/me/addresses/"+a.ID.String(), addressBody(a)).WithETag(web.VersionTag(a.Version)), nil
	})
}

// GetAddress implements ServerInterface.
func (s *Server) GetAddress(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return addressAnswer(s.users.Addresses.FindAddress(ctx, auth.Must(ctx).UserID, id))
	})
}

// ReplaceAddress implements ServerInterface.
func (s *Server) ReplaceAddress(w http.ResponseWriter, r *http.Request, id Id, _ ReplaceAddressParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		me := auth.Must(ctx).UserID
		a, err := s.users.Addresses.FindAddress(ctx, me, id)
		if err == nil {
			err = precondition(r, a.Version)
		}
		if err != nil {
			return web.Response{}, err
		}
		in, err := web.Decode[AddressInput](r)
		if err != nil {
			return web.Response{}, err
		}
		return addressAnswer(s.users.ReplaceAddress(ctx, me, id, placeOf(in), matcher(r)))
	})
}

// DeleteAddress implements ServerInterface.
func (s *Server) DeleteAddress(w http.ResponseWriter, r *http.Request, id Id, _ DeleteAddressParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return web.NoContent(), s.users.DeleteAddress(ctx, auth.Must(ctx).UserID, id, matcher(r))
	})
}
