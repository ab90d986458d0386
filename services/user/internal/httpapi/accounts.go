package httpapi

import (
	"context"
	"net/http"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// RegisterUser implements ServerInterface.
func (s *Server) RegisterUser(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[Registration](r)
		if err != nil {
			return web.Response{}, err
		}
		u, err := s.users.Register(ctx, user.Registration{
			Email: in.Email, Password: in.Password, FirstName: in.FirstName, LastName: in.LastName, Locale: deref(in.Locale),
		})
		if err != nil {
			return web.Response{}, err
		}
		return web.Created("/v1/users/me", userBody(u)).WithETag(web.VersionTag(u.Version)), nil
	})
}

// GetMe implements ServerInterface.
func (s *Server) GetMe(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return userAnswer(s.users.Accounts.Find(ctx, auth.Must(ctx).UserID))
	})
}

// UpdateMe implements ServerInterface.
func (s *Server) UpdateMe(w http.ResponseWriter, r *http.Request, _ UpdateMeParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		me := auth.Must(ctx).UserID
		u, err := s.users.Accounts.Find(ctx, me)
		if err == nil {
			err = precondition(r, u.Version)
		}
		if err != nil {
			return web.Response{}, err
		}
		in, err := web.Decode[ProfileChange](r)
		if err != nil {
			return web.Response{}, err
		}
		return userAnswer(s.users.ChangeProfile(ctx, me, user.Profile(in), matcher(r)))
	})
}

// EraseMe implements ServerInterface.
func (s *Server) EraseMe(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return web.NoContent(), s.users.Erase(ctx, auth.Must(ctx).UserID)
	})
}

// ExportMe implements ServerInterface.
func (s *Server) ExportMe(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		e, err := s.users.Export(ctx, auth.Must(ctx).UserID)
		if err != nil {
			return web.Response{}, err
		}
		return web.OK(exportBody(e)), nil
	})
}

// ConfirmEmail implements ServerInterface.
func (s *Server) ConfirmEmail(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[TokenConfirmation](r)
		if err != nil {
			return web.Response{}, err
		}
		return web.NoContent(), s.users.ConfirmEmail(ctx, in.Token)
	})
}

// ResendVerification implements ServerInterface.
func (s *Server) ResendVerification(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return web.Accepted(), s.users.ResendVerification(ctx, auth.Must(ctx).UserID)
	})
}

// ChangeEmail implements ServerInterface.
func (s *Server) ChangeEmail(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[EmailChange](r)
		if err != nil {
			return web.Response{}, err
		}
		shown := user.Evidence{Password: in.CurrentPassword, Code: deref(in.Code), From: from(r)}
		return web.Accepted(), s.users.ChangeEmail(ctx, auth.Must(ctx).UserID, in.Email, shown)
	})
}

// ChangePassword implements ServerInterface.
func (s *Server) ChangePassword(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[PasswordChange](r)
		if err != nil {
			return web.Response{}, err
		}
		me := auth.Must(ctx)
		shown := user.Evidence{Password: in.CurrentPassword, Code: deref(in.Code), From: from(r)}
		return web.NoContent(), s.users.ChangePassword(ctx, me.UserID, me.SessionID, in.NewPassword, shown)
	})
}

// RequestPasswordReset implements ServerInterface.
func (s *Server) RequestPasswordReset(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[PasswordResetRequest](r)
		if err != nil {
			return web.Response{}, err
		}
		return web.Accepted(), s.users.AskReset(ctx, in.Email, from(r))
	})
}

// ConfirmPasswordReset implements ServerInterface.
func (s *Server) ConfirmPasswordReset(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[PasswordResetConfirmation](r)
		if err != nil {
			return web.Response{}, err
		}
		return web.NoContent(), s.users.ConfirmReset(ctx, in.Token, in.NewPassword)
	})
}
