package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/web"
)

// ListUsers implements ServerInterface.
func (s *Server) ListUsers(w http.ResponseWriter, r *http.Request, params ListUsersParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		page, before, err := pageOf(params.Limit, params.Cursor)
		if err != nil {
			return web.Response{}, err
		}
		found, err := s.users.Accounts.List(ctx, strings.TrimSpace(deref(params.Query)), before, page.Limit+1)
		if err != nil {
			return web.Response{}, err
		}
		items := make([]User, 0, len(found))
		for _, u := range found {
			items = append(items, userBody(u))
		}
		return web.OK(listOf(items, page.Limit, func(u User) uuid.UUID { return u.Id })), nil
	})
}

// GetUser implements ServerInterface.
func (s *Server) GetUser(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return userAnswer(s.users.Accounts.Find(ctx, id))
	})
}

// SetRoles implements ServerInterface.
func (s *Server) SetRoles(w http.ResponseWriter, r *http.Request, id Id, _ SetRolesParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		u, err := s.users.Accounts.Find(ctx, id)
		if err == nil {
			err = precondition(r, u.Version)
		}
		if err != nil {
			return web.Response{}, err
		}
		in, err := web.Decode[Roles](r)
		if err != nil {
			return web.Response{}, err
		}
		return userAnswer(s.users.SetRoles(ctx, id, in.Roles, matcher(r)))
	})
}

// DisableUser implements ServerInterface.
func (s *Server) DisableUser(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return userAnswer(s.users.Disable(ctx, id))
	})
}

// EnableUser implements ServerInterface.
func (s *Server) EnableUser(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return userAnswer(s.users.Enable(ctx, id))
	})
}

// EndSessionsOfUser implements ServerInterface.
func (s *Server) EndSessionsOfUser(w http.ResponseWriter, r *http.Request, id uuid.UUID) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return web.NoContent(), s.users.EndSessionsOf(ctx, id)
	})
}
