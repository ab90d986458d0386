package stripeapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
)

// apiVersion is what events say that no request caused.
const apiVersion = "2026-05-27.dahlia"

// request is one API call: its parameters and what else matters of it.
type request struct {
	params  url.Values
	id      string // from the path
	reqID   string
	key     string // idempotency key
	version string
	baseURL string
	// fault is what a test card wants done to the answer.
	fault string
}

// parse reads the parameters, from the body for POST, else from the query.
func (s *Server) parse(r *http.Request) (*request, *ledger.Error) {
	if kind := r.Header.Get("Content-Type"); r.Method == http.MethodPost && kind != "" && !strings.HasPrefix(kind, "application/x-www-form-urlencoded") {
		return nil, ledger.Invalid("", "", "Invalid request: parameters are sent as application/x-www-form-urlencoded, not %s.", kind)
	}
	if err := r.ParseForm(); err != nil {
		return nil, ledger.Invalid("", "", "Invalid request: the parameters could not be read.")
	}
	req := &request{
		params: r.Form, id: r.PathValue("id"), key: strings.TrimSpace(r.Header.Get("Idempotency-Key")),
		version: r.Header.Get("Stripe-Version"), reqID: "req_" + s.random(14), baseURL: s.opts.BaseURL,
	}
	if req.version == "" {
		req.version = apiVersion
	}
	if len(req.key) > 255 {
		return nil, ledger.Invalid("", "", "The idempotency key is longer than 255 characters.")
	}
	return req, nil
}

// str returns a parameter, empty if it is absent.
func (q *request) str(name string) string {
	v := q.params[name]
	if len(v) == 0 {
		return ""
	}
	return v[len(v)-1]
}

// integer returns a whole number, absent as def.
func (q *request) integer(name string, def int64) (int64, *ledger.Error) {
	raw := q.str(name)
	if raw == "" {
		return def, nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		return 0, ledger.Invalid("parameter_invalid_integer", name, "Invalid integer: %s", raw)
	}
	return n, nil
}

// oneOf returns a parameter that must be among the choices, absent as the first.
func (q *request) oneOf(name string, choices ...string) (string, *ledger.Error) {
	v := q.str(name)
	if v == "" {
		return choices[0], nil
	}
	if !slices.Contains(choices, v) {
		return "", ledger.Invalid("", name, "Invalid %s: must be one of %s", name, strings.Join(choices, ", "))
	}
	return v, nil
}

// object returns the entries of name[key].
func (q *request) object(name string) map[string]string {
	out := map[string]string{}
	for k := range q.params {
		if inner, ok := strings.CutPrefix(k, name+"["); ok && strings.HasSuffix(inner, "]") {
			out[strings.TrimSuffix(inner, "]")] = q.str(k)
		}
	}
	return out
}

// metadata returns the entries of metadata within Stripe's limits.
func (q *request) metadata() (map[string]string, *ledger.Error) {
	m := q.object("metadata")
	if len(m) > 50 {
		return nil, ledger.Invalid("", "metadata", "You can specify up to 50 keys of metadata.")
	}
	for k, v := range m {
		if len(k) > 40 || len(v) > 500 {
			return nil, ledger.Invalid("", "metadata", "Metadata keys have up to 40 characters, values up to 500: %s", k)
		}
	}
	return m, nil
}

// expands reports whether expand[] names the path.
func (q *request) expands(path string) bool {
	for k, values := range q.params {
		if k == "expand" || strings.HasPrefix(k, "expand[") {
			for _, v := range values {
				if v == path || strings.HasPrefix(v, path+".") {
					return true
				}
			}
		}
	}
	return false
}

// canonical is the same text for the same parameters, whatever their order.
func (q *request) canonical() string { return q.params.Encode() }
