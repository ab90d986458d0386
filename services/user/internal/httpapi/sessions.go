package httpapi

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// SignIn implements ServerInterface.
func (s *Server) SignIn(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[Credentials](r)
		if err != nil {
			return web.Response{}, err
		}
		g, err := s.users.SignIn(ctx, in.Email, user.Evidence{Password: in.Password, Code: deref(in.Otp), From: from(r)})
		if err != nil {
			return web.Response{}, err
		}
		return web.Response{Status: http.StatusCreated, Body: grantBody(g), Header: secret()}, nil
	})
}

// secret keeps an answer with tokens out of every cache.
func secret() http.Header { return http.Header{"Cache-Control": {"no-store"}} }

// RefreshSession implements ServerInterface.
func (s *Server) RefreshSession(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[RefreshRequest](r)
		if err != nil {
			return web.Response{}, err
		}
		g, err := s.users.Refresh(ctx, in.RefreshToken, from(r))
		if err != nil {
			return web.Response{}, err
		}
		return web.Response{Status: http.StatusOK, Body: grantBody(g), Header: secret()}, nil
	})
}

// ListSessions implements ServerInterface.
func (s *Server) ListSessions(w http.ResponseWriter, r *http.Request, params ListSessionsParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		page, at, err := pageOf(params.Limit, params.Cursor)
		if err != nil {
			return web.Response{}, err
		}
		me := auth.Must(ctx)
		found, err := s.users.ListSessions(ctx, me.UserID, at, page.Limit+1)
		if err != nil {
			return web.Response{}, err
		}
		items := make([]Session, 0, len(found))
		for _, v := range found {
			items = append(items, sessionBody(v, me.SessionID))
		}
		return web.OK(listOf(items, page.Limit, func(v Session) uuid.UUID { return v.Id })), nil
	})
}

// EndCurrentSession implements ServerInterface.
func (s *Server) EndCurrentSession(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		me := auth.Must(ctx)
		return web.NoContent(), s.users.EndSession(ctx, me.UserID, me.SessionID)
	})
}

// EndSession implements ServerInterface.
func (s *Server) EndSession(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return web.NoContent(), s.users.EndSession(ctx, auth.Must(ctx).UserID, id)
	})
}

// EndAllSessions implements ServerInterface.
func (s *Server) EndAllSessions(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return web.NoContent(), s.users.EndAllSessions(ctx, auth.Must(ctx).UserID)
	})
}

// GetKeys implements ServerInterface.
func (s *Server) GetKeys(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		keys, err := s.keys.Public(ctx)
		if err != nil {
			return web.Response{}, err
		}
		set := KeySet{Keys: []Key{}}
		for _, k := range keys {
			set.Keys = append(set.Keys, Key{
				Kty: "OKP", Crv: "Ed25519", X: base64.RawURLEncoding.EncodeToString(k.Public), Kid: k.ID, Alg: "EdDSA", Use: "sig",
			})
		}
		answer := web.OK(set)
		answer.Header = http.Header{"Cache-Control": {"public, max-age=300"}}
		return answer, nil
	})
}
