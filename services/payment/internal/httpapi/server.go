// Package httpapi is the HTTP edge of the payment service: it reads requests,
// calls one use case each and writes what it answers. It decides nothing about
// money.
package httpapi

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 --config=oapi-codegen.yaml ../../openapi.yaml

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// Deps is what the operations call.
type Deps struct {
	Tx       payment.Transactor
	Log      payment.Log
	Wallet   payment.Wallet
	Checkout *payment.Checkout
	Refunds  *payment.Refunds
	Saving   *payment.Saving
	Notices  *payment.Listening
	Reader   NoticeReader
	Keys     *idempotency.Keeper
}

// NoticeReader checks a notification of the provider on its raw body; it fails
// with payment.ErrSignature.
type NoticeReader interface {
	Read(body []byte, signature string) (payment.Notice, error)
}

// Server answers the operations of openapi.yaml.
type Server struct{ Deps }

// Register puts every route of openapi.yaml on the service's router, which
// brings the middlewares.
func Register(r *mux.Router, d Deps) {
	HandlerWithOptions(&Server{d}, GorillaServerOptions{BaseRouter: r, ErrorHandlerFunc: web.ParamError})
}

// decode reads a body that may not hold a card number. That is looked for
// before the body is read as JSON, so that no error can quote it.
func decode[T any](r *http.Request) (T, error) {
	if payment.HoldsCardNumber(web.RawBody(r)) {
		var none T
		return none, payment.ErrCardNumber
	}
	return web.Decode[T](r)
}

// choiceOf reads a means of payment; it must name exactly one.
func choiceOf(p Payment) (payment.Choice, error) {
	switch {
	case p.SavedPaymentMethodId != nil && p.Method == nil && p.Token == nil:
		return payment.Choice{SavedID: *p.SavedPaymentMethodId}, nil
	case p.SavedPaymentMethodId == nil && p.Method != nil && p.Token != nil:
		return payment.Choice{Kind: *p.Method, Token: *p.Token}, nil
	}
	return payment.Choice{}, payment.ErrMethodUnknown
}

// position is where a list goes on.
type position struct {
	Before uuid.UUID `json:"b"`
}

// pageOf reads limit and cursor of a list that goes by id, newest first. One
// row more is read, to tell whether there is a next page.
func pageOf(limit *int, cursor *string) (int, position, error) {
	p, err := web.PageOf(limit, cursor)
	if err != nil {
		return 0, position{}, err
	}
	var at position
	err = web.DecodeCursor(p.Cursor, &at)
	return p.Limit, at, err
}

// paged cuts the row too many and names the next page.
func paged[R, T any](rows []R, limit int, id func(R) uuid.UUID, body func(R) T) web.List[T] {
	list := web.List[T]{Items: []T{}}
	for i, row := range rows {
		if i == limit {
			next := web.EncodeCursor(position{Before: id(rows[i-1])})
			list.NextCursor = &next
			break
		}
		list.Items = append(list.Items, body(row))
	}
	return list
}
