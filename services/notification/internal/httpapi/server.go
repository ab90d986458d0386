// Package httpapi shows staff what the mails look like.
package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 --config=oapi-codegen.yaml ../../openapi.yaml

var (
	errUnknown = fault.New(fault.NotFound, "template_unknown", "There is no such mail.")
	errFormat  = fault.New(fault.Malformed, "malformed_parameter", "The query parameter format is html or text.",
		fault.Field{Field: "format", Code: "unknown_value", Detail: "html or text"})
)

// previewPolicy lets a preview show its own styles and do nothing else.
const previewPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

// Server implements ServerInterface.
type Server struct {
	renderer notification.Renderer
	currency string
}

// Register adds the operations of openapi.yaml to a router that checks access.
func Register(r *mux.Router, renderer notification.Renderer, currency string) {
	HandlerWithOptions(&Server{renderer: renderer, currency: currency}, GorillaServerOptions{
		BaseRouter: r, ErrorHandlerFunc: web.ParamError,
	})
}

// ListTemplates implements ServerInterface.
func (s *Server) ListTemplates(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(context.Context) (web.Response, error) {
		list := web.List[Template]{Items: []Template{}}
		for _, t := range notification.Triggers() {
			words, err := s.renderer.Render(notification.Example(t.Kind, s.currency))
			if err != nil {
				return web.Response{}, err
			}
			list.Items = append(list.Items, Template{
				Kind: string(t.Kind), Topic: t.Topic, Description: t.Description,
				ExampleSubject: words.Subject, Preview: "/v1/templates/" + string(t.Kind) + "/preview",
			})
		}
		return web.OK(list), nil
	})
}

// PreviewTemplate implements ServerInterface. Its answer is a document, not
// JSON, so it writes that by itself.
func (s *Server) PreviewTemplate(w http.ResponseWriter, r *http.Request, kind string, params PreviewTemplateParams) {
	format := Html
	if params.Format != nil {
		format = *params.Format
	}
	words, err := s.preview(notification.Kind(kind), format)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	body, mediaType := words.HTML, "text/html; charset=utf-8"
	if format == Text {
		body, mediaType = words.Text, "text/plain; charset=utf-8"
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Security-Policy", previewPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Mail-Subject", headerText(words.Subject))
	_, _ = w.Write([]byte(body))
}

func (s *Server) preview(kind notification.Kind, format PreviewTemplateParamsFormat) (notification.Rendered, error) {
	if !notification.Known(kind) {
		return notification.Rendered{}, errUnknown
	}
	if format != Html && format != Text {
		return notification.Rendered{}, errFormat
	}
	return s.renderer.Render(notification.Example(kind, s.currency))
}

// headerText percent-encodes what a header can't hold.
func headerText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r > '~' || r == '%' {
			b.WriteString(url.PathEscape(string(r)))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
