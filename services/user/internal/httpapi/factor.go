package httpapi

import (
	"context"
	"net/http"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// BeginTotp implements ServerInterface.
func (s *Server) BeginTotp(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[PasswordProof](r)
		if err != nil {
			return web.Response{}, err
		}
		e, err := s.users.BeginFactor(ctx, auth.Must(ctx).UserID, user.Evidence{Password: in.CurrentPassword, From: from(r)})
		if err != nil {
			return web.Response{}, err
		}
		body := Enrolment{Secret: e.Secret, OtpauthUri: e.URI, ExpiresAt: e.ExpiresAt}
		return web.Response{Status: http.StatusCreated, Body: body, Header: secret()}, nil
	})
}

// ConfirmTotp implements ServerInterface.
func (s *Server) ConfirmTotp(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[CodeConfirmation](r)
		if err != nil {
			return web.Response{}, err
		}
		me := auth.Must(ctx)
		codes, err := s.users.ConfirmFactor(ctx, me.UserID, me.SessionID, in.Code)
		if err != nil {
			return web.Response{}, err
		}
		return web.Response{Status: http.StatusOK, Body: RecoveryCodes{RecoveryCodes: codes}, Header: secret()}, nil
	})
}

// DisableTotp implements ServerInterface.
func (s *Server) DisableTotp(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[FactorProof](r)
		if err != nil {
			return web.Response{}, err
		}
		me := auth.Must(ctx)
		shown := user.Evidence{Password: in.CurrentPassword, Code: in.Code, From: from(r)}
		return web.NoContent(), s.users.DisableFactor(ctx, me.UserID, me.SessionID, shown)
	})
}

// RemoveTotpOfUser implements ServerInterface.
func (s *Server) RemoveTotpOfUser(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return web.NoContent(), s.users.RemoveFactor(ctx, auth.Must(ctx).UserID, id)
	})
}
