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
	"reflect"
	"slices"
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
// the right shape, no field that is unknown, in another letter case or given
// twice (400, named).
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
	if !json.Valid(body) || bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
		return v, errBody
	}
	if err := checkStrict(body, reflect.TypeFor[T]()); err != nil {
		return v, err
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, decodeFault(err)
	}
	return v, nil
}

func decodeFault(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return errBody.Naming(fault.Field{Field: wrongType.Field, Code: "wrong_type", Detail: "must be " + wrongType.Type.Kind().String()})
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
// "*" counts as none: it asks only that the thing exists. Compare by Matches:
// a client may name several.
func IfMatch(r *http.Request) (tags string, present bool) {
	tags = strings.TrimSpace(strings.Join(r.Header.Values("If-Match"), ","))
	if tags == "" || tags == "*" {
		return "", false
	}
	return tags, true
}

// Matches tells whether an If-Match names the tag (RFC 9110, 13.1.1): one of a
// list is enough, and a weak tag never matches.
func Matches(tags, tag string) bool { return slices.Contains(splitTags(tags), tag) }

// notChanged tells whether If-None-Match names the tag: "*" names any, and weak
// tags compare like strong ones.
func notChanged(r *http.Request, tag string) bool {
	return slices.ContainsFunc(splitTags(strings.Join(r.Header.Values("If-None-Match"), ",")), func(one string) bool {
		return one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/")
	})
}

// splitTags splits a list of entity tags. Ours hold no comma, so a tag that
// does is none of ours, however it falls apart.
func splitTags(list string) []string {
	tags := strings.Split(list, ",")
	for i := range tags {
		tags[i] = strings.TrimSpace(tags[i])
	}
	return tags
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
	if !json.Valid(raw) || checkStrict(raw, reflect.TypeOf(position)) != nil || json.Unmarshal(raw, position) != nil {
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
