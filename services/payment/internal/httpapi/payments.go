package httpapi

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// ListPaymentMethods answers GET /v1/payment-methods.
func (s *Server) ListPaymentMethods(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		kinds, err := s.Log.Kinds(ctx)
		page := PaymentMethodPage{Items: []PaymentMethod{}}
		for _, k := range kinds {
			page.Items = append(page.Items, PaymentMethod{Id: k.ID, Code: k.Code, Name: k.Name})
		}
		return web.OK(page), err
	})
}

// ListTransactions answers GET /v1/transactions.
func (s *Server) ListTransactions(w http.ResponseWriter, r *http.Request, p ListTransactionsParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		limit, at, err := pageOf(p.Limit, p.Cursor)
		if err != nil {
			return web.Response{}, err
		}
		reader := auth.Must(ctx)
		filter := payment.TransactionFilter{
			UserID: given(p.UserId), OrderID: given(p.OrderId), Status: given(p.Status), Before: at.Before, Limit: limit + 1,
		}
		if !reader.IsStaff() {
			filter.UserID = reader.UserID
		}
		rows, err := s.Log.Transactions(ctx, filter)
		return web.OK(paged(rows, limit, transactionID, transactionBody(reader))), err
	})
}

// GetTransaction answers GET /v1/transactions/{id}.
func (s *Server) GetTransaction(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		reader := auth.Must(ctx)
		t, err := s.Log.Transaction(ctx, id)
		if err == nil && t.UserID != reader.UserID && !reader.IsStaff() {
			err = payment.ErrTransactionUnknown
		}
		return web.OK(transactionBody(reader)(t)).WithETag(web.VersionTag(t.Version)), err
	})
}

// CreatePaymentAttempt answers POST /v1/orders/{order_id}/payment-attempts.
func (s *Server) CreatePaymentAttempt(w http.ResponseWriter, r *http.Request, order uuid.UUID, _ CreatePaymentAttemptParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		buyer := auth.Must(ctx)
		if err := s.Checkout.Owns(ctx, order, buyer.UserID); err != nil {
			return web.Response{}, err
		}
		if err := web.RequireKey(r); err != nil {
			return web.Response{}, err
		}
		body, err := decode[PaymentAttempt](r)
		if err != nil {
			return web.Response{}, err
		}
		choice, err := choiceOf(body.Payment)
		if err != nil {
			return web.Response{}, err
		}
		t, err := s.Checkout.Attempt(ctx, order, buyer.UserID, choice)
		return web.Created("/v1/transactions/"+t.ID.String(), transactionBody(buyer)(t)).WithETag(web.VersionTag(t.Version)), err
	})
}
