package web

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/caravan-shop/caravan/services/internal/fault"
)

// Refusals of a body, a page or a precondition.
var (
	errMedia     = fault.New(fault.Unsupported, "unsupported_media_type", "The body must be application/json.")
	errBody      = fault.New(fault.Malformed, "malformed_body", "The body is not the JSON that this route takes.")
	errField     = fault.New(fault.Malformed, "unknown_field", "The body has a field that this route does not know.")
	errParameter = fault.New(fault.Malformed, "malformed_parameter", "A parameter of the path or query can't be read.")
	errCursor    = fault.New(fault.Malformed, "bad_cursor", "The cursor is not one that this list gave.")
	errLimit     = fault.New(fault.Malformed, "bad_limit", "A page holds 1 to 100 items.",
		fault.Field{Field: "limit", Code: "out_of_range", Detail: "1 to 100"})

	// ErrStale refuses a write whose If-Match names an older version.
	ErrStale = fault.New(fault.Stale, "precondition_failed", "If-Match names a version that is not the present one.")
	// ErrIfMatchRequired refuses a write that must name the version it changes.
	ErrIfMatchRequired = fault.New(fault.Required, "if_match_required", "This route needs an If-Match header.")
)

// Decode reads a JSON body strictly: the right media type (415), one value of
// the right shape, no unknown field (400, named).
func Decode[T any](r *http.Request) (T, error) {
	var v T
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return v, errMedia
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return v, readFault(err)
	}
	if !utf8.Valid(body) || bytes.Contains(body, []byte(`\u0000`)) {
		return v, errBody.Naming(fault.Field{Field: "", Code: "not_text", Detail: "UTF-8 without NUL"})
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, decodeFault(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return v, errBody
	}
	return v, nil
}

func decodeFault(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return errBody.Naming(fault.Field{Field: wrongType.Field, Code: "wrong_type", Detail: "must be " + wrongType.Type.Kind().String()})
	}
	// encoding/json has no type for this error.
	if name, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		if unquoted, uerr := strconv.Unquote(name); uerr == nil {
			name = unquoted
		}
		return errField.Naming(fault.Field{Field: name, Code: "unknown_field", Detail: "not known here"})
	}
	return errBody.Because(err)
}

// ParamError answers a parameter that the generated code could not read.
func ParamError(w http.ResponseWriter, r *http.Request, err error) {
	f := errParameter.Because(err)
	if name := paramName(err); name != "" {
		f = f.Naming(fault.Field{Field: name, Code: "malformed", Detail: "can't be read"})
	}
	Fail(w, r, f)
}

// paramName finds the name in the error types that oapi-codegen generates into
// each package; their texts have the name in one form.
func paramName(err error) string {
	text := err.Error()
	for _, marker := range []string{"for parameter ", "Query argument ", "Header parameter "} {
		if _, rest, found := strings.Cut(text, marker); found {
			name, _, _ := strings.Cut(rest, " ")
			return strings.Trim(name, `:,"'`)
		}
	}
	return ""
}

// VersionTag is the ETag of a row's version.
func VersionTag(v int64) string { return `"` + strconv.FormatInt(v, 10) + `"` }

// IfMatch reads the version that a write names; false where it names none.
// "*" counts as none: it asks only that the thing exists.
func IfMatch(r *http.Request) (tag string, present bool) {
	tag = strings.TrimSpace(r.Header.Get("If-Match"))
	if tag == "" || tag == "*" {
		return "", false
	}
	return tag, true
}

// Page is a request for a part of a list.
type Page struct {
	Limit  int
	Cursor string
}

// PageOf bounds what a client asks for: 20 by default, 100 at most.
func PageOf(limit *int, cursor *string) (Page, error) {
	p := Page{Limit: 20}
	if limit != nil {
		if *limit < 1 || *limit > 100 {
			return Page{}, errLimit
		}
		p.Limit = *limit
	}
	if cursor != nil {
		p.Cursor = *cursor
	}
	return p, nil
}

// List is one page of things.
type List[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// EncodeCursor makes the opaque cursor of a keyset position.
func EncodeCursor(position any) string {
	raw, err := json.Marshal(position)
	if err != nil {
		panic(fmt.Sprintf("cursor of %T: %v", position, err)) // a position is ids and times
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// DecodeCursor reads a cursor that EncodeCursor made; an empty one leaves
// position as it is. Cursors come from clients: check what was read.
func DecodeCursor(cursor string, position any) error {
	if cursor == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return errCursor
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(position); err != nil {
		return errCursor
	}
	return nil
}

// ClientIP is the client's address as the edge saw it: the last one that the
// chain of sidecars did not add. Only the edge sets the first entry.
func ClientIP(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	if ip := net.ParseIP(strings.TrimSpace(first)); ip != nil {
		return ip.String()
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func badText(s string) bool { return !utf8.ValidString(s) || strings.ContainsRune(s, 0) }
