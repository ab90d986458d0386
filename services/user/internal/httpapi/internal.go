package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// The results of one-time tokens.
const (
	resultOK   = "ok"
	resultGone = "gone"
)

// mostContacts is how many people are looked up at once.
const mostContacts = 100

var errContacts = user.ErrValidation.
	Naming(fault.Field{Field: "user_ids", Code: "invalid", Detail: "1 to 100 ids"})

// LookupAddresses implements ServerInterface.
func (s *Server) LookupAddresses(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[AddressLookup](r)
		if err != nil {
			return web.Response{}, err
		}
		status, found, err := s.users.LookUpAddresses(ctx, in.UserId, in.AddressIds)
		if err != nil {
			return web.Response{}, err
		}
		answer := AddressLookupResult{Account: string(status), Addresses: make([]PostalAddress, 0, len(found))}
		for _, a := range found {
			answer.Addresses = append(answer.Addresses, postalBody(a))
		}
		return web.OK(answer), nil
	})
}

// LookupContacts implements ServerInterface.
func (s *Server) LookupContacts(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[UserRefs](r)
		if err != nil {
			return web.Response{}, err
		}
		if n := len(in.UserIds); n < 1 || n > mostContacts {
			return web.Response{}, errContacts
		}
		alive, err := s.users.Contacts(ctx, in.UserIds)
		if err != nil {
			return web.Response{}, err
		}
		answer := Contacts{Contacts: make([]Contact, 0, len(in.UserIds))}
		for _, id := range in.UserIds {
			c := Contact{UserId: id, Erased: true}
			if u, ok := alive[id]; ok {
				c = Contact{UserId: id, Email: &u.Email.Typed, FirstName: &u.FirstName, LastName: &u.LastName, Locale: &u.Locale}
			}
			answer.Contacts = append(answer.Contacts, c)
		}
		return web.OK(answer), nil
	})
}

// PasswordResetToken implements ServerInterface.
func (s *Server) PasswordResetToken(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[ResetRef](r)
		if err != nil {
			return web.Response{}, err
		}
		return tokenAnswer(s.users.ResetToken(ctx, in.ResetId))
	})
}

// EmailVerificationToken implements ServerInterface.
func (s *Server) EmailVerificationToken(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[VerificationRef](r)
		if err != nil {
			return web.Response{}, err
		}
		if in.VerificationId == nil {
			return tokenAnswer(s.users.VerificationToken(ctx, in.UserId))
		}
		proof, ok, err := s.users.VerificationProof(ctx, in.UserId, *in.VerificationId)
		if err != nil || !ok {
			return tokenAnswer("", time.Time{}, false, err)
		}
		return web.OK(OneTimeToken{Result: resultOK, Token: &proof.Token, ExpiresAt: &proof.ExpiresAt, Email: &proof.Email}), nil
	})
}

// FormerEmail implements ServerInterface.
func (s *Server) FormerEmail(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[EmailChangeRef](r)
		if err != nil {
			return web.Response{}, err
		}
		email, ok, err := s.users.FormerAddress(ctx, in.UserId, in.VerificationId)
		if err != nil {
			return web.Response{}, err
		}
		if !ok {
			return web.OK(FormerAddress{Result: resultGone}), nil
		}
		return web.OK(FormerAddress{Result: resultOK, Email: &email}), nil
	})
}

func tokenAnswer(token string, expires time.Time, ok bool, err error) (web.Response, error) {
	if err != nil {
		return web.Response{}, err
	}
	if !ok {
		return web.OK(OneTimeToken{Result: resultGone}), nil
	}
	return web.OK(OneTimeToken{Result: resultOK, Token: &token, ExpiresAt: &expires}), nil
}

// RevokedSessions implements ServerInterface. Its body says nothing, so it is
// not read.
func (s *Server) RevokedSessions(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		ids, err := s.users.RevokedSessions(ctx)
		if err != nil {
			return web.Response{}, err
		}
		return web.OK(revokedBody(ids)), nil
	})
}

// revokedBody keeps an empty list from becoming null.
func revokedBody(ids []uuid.UUID) RevokedSessions {
	return RevokedSessions{SessionIds: append([]uuid.UUID{}, ids...)}
}
