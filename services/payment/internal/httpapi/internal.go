package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// Results of /internal/payments/prepare.
const (
	resultPrepared      = "prepared"
	resultMethodUnknown = "payment_method_unknown"
)

// PreparePayment answers POST /internal/payments/prepare.
func (s *Server) PreparePayment(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		body, err := web.Decode[PrepareRequest](r)
		if err != nil {
			return web.Response{}, err
		}
		choice, err := choiceOf(body.Payment)
		if err == nil {
			err = s.Checkout.Prepare(ctx, body.OrderId, body.UserId, choice)
		}
		if errors.Is(err, payment.ErrMethodUnknown) {
			return web.OK(PrepareAnswer{Result: resultMethodUnknown}), nil
		}
		return web.OK(PrepareAnswer{Result: resultPrepared}), err
	})
}

// ClosePayment answers POST /internal/payments/close.
func (s *Server) ClosePayment(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		body, err := web.Decode[CloseRequest](r)
		if err != nil {
			return web.Response{}, err
		}
		answer, transaction, err := s.Checkout.Close(ctx, body.OrderId)
		return web.OK(CloseAnswer{Result: string(answer), TransactionId: optional(transaction)}), err
	})
}

// exported bounds one answer; nobody has as many attempts.
const exported = 10_000

// ExportUser answers POST /internal/export.
func (s *Server) ExportUser(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		body, err := web.Decode[ExportRequest](r)
		if err != nil {
			return web.Response{}, err
		}
		data, err := s.export(ctx, body.UserId)
		return web.OK(ExportAnswer{Service: "payment", Data: data}), err
	})
}

func (s *Server) export(ctx context.Context, user uuid.UUID) (ExportData, error) {
	saved, err := s.Wallet.Saved(ctx, user)
	if err != nil {
		return ExportData{}, err
	}
	rows, err := s.Log.Transactions(ctx, payment.TransactionFilter{UserID: user, Limit: exported})
	if err != nil {
		return ExportData{}, err
	}
	data := ExportData{SavedPaymentMethods: savedBodies(saved), Transactions: []Transaction{}}
	show := transactionBody(auth.Principal{UserID: user})
	for _, t := range rows {
		data.Transactions = append(data.Transactions, show(t))
	}
	return data, nil
}

// ReceiveStripeWebhook answers POST /v1/webhooks/stripe.
func (s *Server) ReceiveStripeWebhook(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		notice, err := s.Reader.Read(web.RawBody(r), r.Header.Get("Stripe-Signature"))
		if err != nil {
			return web.Response{}, err
		}
		return web.OK(struct{}{}), s.Notices.Hear(ctx, notice)
	})
}
