// Package http stands in for one file of Dapr, pkg/middleware/http/pipeline.go, when build.sh builds daprd. As released, the
// file keeps the handler of the latest request in a field that all requests share, and daprd calls an app through it: of two
// requests that begin together, the one may run the handler of the other, whose error then goes to the other as well. What is
// left of the one is a 200 with an empty body. An event that broke off passes for delivered so, and a call for answered.
package http

import (
	"net/http"
	"slices"

	"github.com/dapr/dapr/pkg/config"
	"github.com/dapr/dapr/pkg/middleware"
	"github.com/dapr/dapr/pkg/middleware/store"
)

// pipeline puts the middlewares that a configuration names around handlers. It keeps none of the handlers.
type pipeline struct {
	loaded *store.Store[middleware.HTTP]
	spec   *config.PipelineSpec
}

func newPipeline(_ string, loaded *store.Store[middleware.HTTP], spec *config.PipelineSpec) *pipeline {
	return &pipeline{loaded: loaded, spec: spec}
}

func (p *pipeline) http() middleware.HTTP {
	if p.spec == nil || len(p.spec.Handlers) == 0 {
		return func(inner http.Handler) http.Handler { return inner }
	}
	return func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.around(inner).ServeHTTP(w, r)
		})
	}
}

// around looks the middlewares up anew, as they may come and go; one that is not loaded is left out.
func (p *pipeline) around(inner http.Handler) http.Handler {
	for _, h := range slices.Backward(p.spec.Handlers) {
		if layer, found := p.loaded.Get(store.Metadata{Name: h.Name, Type: h.Type, Version: h.Version}); found {
			inner = layer(inner)
		}
	}
	return inner
}

// buildChain is called when a middleware comes or goes; around sees that by itself.
func (*pipeline) buildChain() {}
