package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gorilla/mux"
)

// access is who may call a route, the x-access of its operation.
type access string

const (
	accessPublic   access = "public"   // anybody
	accessGuest    access = "guest"    // anybody; a token that is sent must be good
	accessUser     access = "user"     // any signed-in user
	accessStaff    access = "staff"    // staff or admin
	accessAdmin    access = "admin"    // admin
	accessInternal access = "internal" // another service, authorized by its sidecar's identity
)

// keyUse is how a POST treats an Idempotency-Key, its x-idempotency.
type keyUse string

const (
	keyHonoured keyUse = "honoured" // in one transaction with the effect
	keyRequired keyUse = "required" // the same, and refused without one
	keyLease    keyUse = "lease"    // looked up here, held by the handler
	keyNone     keyUse = "none"     // the answer holds a secret, or the effect repeats by itself
)

const (
	defaultBody    = int64(1 << 20)
	defaultTimeout = 15 * time.Second
)

type policy struct {
	access  access
	keys    keyUse
	maxBody int64         // bytes; 0: unbounded, the handler streams
	timeout time.Duration // 0: none
}

func (p policy) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, p.timeout)
}

// policies holds a policy a route, keyed by method and path template.
type policies map[string]policy

// of gives the policy of the matched route; false for one that is not declared.
func (ps policies) of(r *http.Request) (policy, bool) {
	template, err := mux.CurrentRoute(r).GetPathTemplate()
	if err != nil {
		return policy{}, false
	}
	if strings.HasPrefix(template, eventsPrefix) || template == healthPath || template == metricsPath {
		return policy{access: accessInternal, keys: keyNone, maxBody: defaultBody, timeout: defaultTimeout}, true
	}
	p, ok := ps[r.Method+" "+template]
	return p, ok
}

func readPolicies(spec []byte) (policies, error) {
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	if err != nil {
		return nil, fmt.Errorf("openapi document: %w", err)
	}
	ps := policies{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			p, err := readPolicy(method, op.Extensions)
			if err != nil {
				return nil, fmt.Errorf("openapi %s %s: %w", method, path, err)
			}
			ps[method+" "+path] = p
		}
	}
	return ps, nil
}

func readPolicy(method string, ext map[string]any) (policy, error) {
	p := policy{keys: keyNone, maxBody: defaultBody, timeout: defaultTimeout}
	name, _ := ext["x-access"].(string)
	p.access = access(name)
	switch p.access {
	case accessUser, accessStaff, accessAdmin:
		if method == http.MethodPost {
			p.keys = keyHonoured
		}
	case accessPublic, accessGuest, accessInternal:
	default:
		return policy{}, fmt.Errorf("x-access %q is not known", name)
	}
	if use, ok := ext["x-idempotency"].(string); ok {
		p.keys = keyUse(use)
		switch p.keys {
		case keyHonoured, keyRequired, keyLease, keyNone:
		default:
			return policy{}, fmt.Errorf("x-idempotency %q is not known", use)
		}
	}
	if n, ok := number(ext["x-max-body"]); ok {
		p.maxBody = n
	}
	return readTimeout(p, ext)
}

func readTimeout(p policy, ext map[string]any) (policy, error) {
	text, ok := ext["x-timeout"].(string)
	if !ok {
		return p, nil
	}
	if text == "none" {
		p.timeout = 0
		return p, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return policy{}, fmt.Errorf("x-timeout: %w", err)
	}
	p.timeout = d
	return p, nil
}

// number reads an integer that YAML or JSON may have made a float.
func number(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case uint64:
		return int64(n), true
	case float64:
		return int64(n), true
	}
	return 0, false
}
