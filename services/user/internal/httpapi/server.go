// Package httpapi is the HTTP face of User: one short method an operation of
// openapi.yaml. Each parses, calls one use case and answers; rules are in
// package user.
package httpapi

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/user/internal/keyring"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 --config=oapi-codegen.yaml ../../openapi.yaml

// Keys gives the signing keys to publish; a fault of kind Unavailable without any.
type Keys interface {
	Public(ctx context.Context) ([]keyring.Key, error)
}

// Server implements ServerInterface.
type Server struct {
	users *user.Service
	keys  Keys
}

// New makes the router of the service: the platform's middlewares in order, then
// the routes of the OpenAPI document.
func New(setup web.Setup, users *user.Service, keys Keys) (http.Handler, error) {
	r, err := web.NewRouter(setup)
	if err != nil {
		return nil, err
	}
	return routes(r, &Server{users: users, keys: keys}), nil
}

func routes(r *mux.Router, s *Server) http.Handler {
	return HandlerWithOptions(s, GorillaServerOptions{BaseRouter: r, ErrorHandlerFunc: web.ParamError})
}

// from tells where a request comes from, for sessions and for limits.
func from(r *http.Request) user.Client {
	return user.Client{Address: web.ClientIP(r), Device: r.UserAgent()}
}

// matcher asks If-Match of a version; without the header any version will do.
func matcher(r *http.Request) func(version int64) bool {
	tags, present := web.IfMatch(r)
	return func(version int64) bool { return !present || web.Matches(tags, web.VersionTag(version)) }
}

// precondition refuses a stale If-Match before the body is looked at; the use
// case asks again under the lock.
func precondition(r *http.Request, version int64) error {
	if !matcher(r)(version) {
		return web.ErrStale
	}
	return nil
}
