package httpapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// ListSavedPaymentMethods answers GET /v1/saved-payment-methods.
func (s *Server) ListSavedPaymentMethods(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		saved, err := s.Wallet.Saved(ctx, auth.Must(ctx).UserID)
		return web.OK(SavedPaymentMethodPage{Items: savedBodies(saved)}), err
	})
}

// GetSavedPaymentMethod answers GET /v1/saved-payment-methods/{id}.
func (s *Server) GetSavedPaymentMethod(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		saved, err := s.Wallet.Saved(ctx, auth.Must(ctx).UserID)
		if err != nil {
			return web.Response{}, err
		}
		i := slices.IndexFunc(saved, func(m payment.SavedMethod) bool { return m.ID == id })
		if i < 0 {
			return web.Response{}, payment.ErrSavedMethodUnknown
		}
		return web.OK(savedBody(saved[i])).WithETag(web.VersionTag(saved[i].Version)), nil
	})
}

// SetDefaultPaymentMethod answers PUT /v1/saved-payment-methods/{id}/default.
func (s *Server) SetDefaultPaymentMethod(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		m, err := s.Wallet.SetDefault(ctx, auth.Must(ctx).UserID, id)
		return web.OK(savedBody(m)).WithETag(web.VersionTag(m.Version)), err
	})
}

// DeleteSavedPaymentMethod answers DELETE /v1/saved-payment-methods/{id}.
func (s *Server) DeleteSavedPaymentMethod(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return web.NoContent(), s.Wallet.Remove(ctx, auth.Must(ctx).UserID, id)
	})
}

// saveLease outlives the route's time, so that a second request waits for the
// first one's fate.
const saveLease = 30 * time.Second

// SavePaymentMethod answers POST /v1/saved-payment-methods. The provider is
// asked between two transactions, so the key is held by a lease.
func (s *Server) SavePaymentMethod(w http.ResponseWriter, r *http.Request, _ SavePaymentMethodParams) {
	body, err := decode[SavePaymentMethod](r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	key, keyed := idempotency.KeyFrom(r.Context())
	if keyed {
		if err := s.Keys.Begin(r.Context(), key, saveLease); err != nil {
			web.Fail(w, r, err)
			return
		}
	}
	answer, err := s.save(r.Context(), body.Token, key, keyed)
	if err != nil {
		if keyed {
			// A key that can't be given back now is free once its lease has passed.
			_ = s.Keys.Forget(context.WithoutCancel(r.Context()), key)
		}
		web.Fail(w, r, err)
		return
	}
	web.Give(w, answer, false)
}

func (s *Server) save(ctx context.Context, token string, key idempotency.Key, keyed bool) (answer idempotency.Answer, err error) {
	user := auth.Must(ctx).UserID
	card, err := s.Saving.Inquire(ctx, user, token)
	if err != nil {
		return answer, err
	}
	err = s.Tx.InTx(ctx, func(ctx context.Context) error {
		m, isNew, err := s.Saving.Save(ctx, user, card)
		if err != nil {
			return err
		}
		resp := web.OK(savedBody(m)).WithETag(web.VersionTag(m.Version))
		if isNew {
			resp = web.Created("/v1/saved-payment-methods/"+m.ID.String(), savedBody(m)).WithETag(web.VersionTag(m.Version))
		}
		if answer, err = resp.Render(); err != nil || !keyed {
			return err
		}
		return s.Keys.Finish(ctx, key, answer)
	})
	return answer, err
}
