package web_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/web"
)

const edgeSpec = `
openapi: 3.1.0
info: {title: test, version: "1"}
paths:
  /v1/things/{id}:
    get: {x-access: public, responses: {"200": {description: ok}}}
    patch: {x-access: public, responses: {"200": {description: ok}}}
  /v1/fails/{how}: {get: {x-access: public, responses: {"200": {description: ok}}}}
`

// edge is a router without a store; log takes what it writes down.
func edge(t *testing.T, log io.Writer) http.Handler {
	t.Helper()
	r, err := web.NewRouter(web.Setup{App: "test", Spec: []byte(edgeSpec), AppToken: "app", Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	thing := func(w http.ResponseWriter, r *http.Request) {
		web.Handle(w, r, func(context.Context) (web.Response, error) {
			return web.OK(map[string]string{"id": mux.Vars(r)["id"]}).WithETag(web.VersionTag(7)), nil
		})
	}
	r.HandleFunc("/v1/things/{id}", thing).Methods(http.MethodGet)
	r.HandleFunc("/v1/things/{id}", thing).Methods(http.MethodPatch)
	r.HandleFunc("/v1/fails/{how}", fails).Methods(http.MethodGet)
	return r
}

var errSecret = errors.New("secret detail of ada@example.com")

func fails(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(context.Context) (web.Response, error) {
		switch mux.Vars(r)["how"] {
		case "panic":
			panic("boom")
		case "late":
			_, _ = io.WriteString(w, `{"half":`)
			panic("boom")
		case "gone":
			return web.Response{}, context.Canceled
		case "busy":
			return web.Response{}, fault.New(fault.TooMany, "busy", "Busy.").After(1500e6)
		case "cause":
			return web.Response{}, fault.New(fault.Conflict, "taken", "Taken.", fault.Field{Field: "f", Code: "c", Detail: "d"}).
				With("status", 1).With("by", "x").Because(errSecret)
		}
		return web.Response{}, errSecret
	})
}

func ask(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, nil)
	req.Header.Set("dapr-api-token", "app")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

func TestPathsAndMethods(t *testing.T) {
	h := edge(t, io.Discard)
	for _, c := range []struct{ name, method, path, want string }{
		{"encoded slash belongs to the id", "GET", "/v1/things/a%2Fb", `{"id":"a/b"}`},
		{"encoded space and percent", "GET", "/v1/things/a%20b%25", `{"id":"a b%"}`},
		{"letters beyond ASCII", "GET", "/v1/things/caf%C3%A9", `{"id":"café"}`},
		{"bytes that are no UTF-8", "GET", "/v1/things/%ff", "400 malformed_request"},
		{"NUL in an id", "GET", "/v1/things/a%00", "400 malformed_request"},
		{"query that can't be read whole", "GET", "/v1/things/a?limit=%zz", "400 malformed_request"},
		{"trailing slash", "GET", "/v1/things/a/", "404 route_unknown"},
		{"path that is not canonical", "GET", "/v1//things/a", "404 route_unknown"},
		{"dots", "GET", "/v1/things/../things/a", "404 route_unknown"},
		{"OPTIONS", "OPTIONS", "/v1/things/a", "405 method_not_allowed"},
		{"unknown topic is tried again", "POST", "/events/order.unheard", "503 topic_unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := ask(h, c.method, c.path)
			got := code(rec)
			if rec.Code == http.StatusOK {
				got = strings.TrimSpace(rec.Body.String())
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if got, want := ask(h, "DELETE", "/v1/things/a").Header().Get("Allow"), "GET, PATCH"; got != want {
		t.Errorf("Allow: got %q, want %q", got, want)
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	srv := httptest.NewServer(edge(t, io.Discard))
	defer srv.Close()
	req, err := http.NewRequest(http.MethodHead, srv.URL+"/v1/things/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("dapr-api-token", "app")
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Etag") != `"7"` || len(body) != 0 {
		t.Errorf("got %d, ETag %s, %q (%v); want 200, \"7\" and no body", resp.StatusCode, resp.Header.Get("Etag"), body, err)
	}
}

func TestStrangersLearnNothingOfRoutes(t *testing.T) {
	h := edge(t, io.Discard)
	for _, c := range [][2]string{{"GET", "/v1/nothing"}, {"DELETE", "/v1/things/a"}, {"GET", "/metrics"}, {"POST", "/events/x"}} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(c[0], c[1], nil))
		if got, want := code(rec), "401 sidecar_token_invalid"; got != want {
			t.Errorf("%s %s: got %s, want %s", c[0], c[1], got, want)
		}
	}
}

func TestIfNoneMatch(t *testing.T) {
	h := edge(t, io.Discard)
	for tags, want := range map[string]int{
		`"7"`: 304, `W/"7"`: 304, `"1", "7"`: 304, `"1",W/"7"`: 304, `*`: 304, `"8"`: 200, `7`: 200, ``: 200, `"77"`: 200,
	} {
		rec := ask(h, "GET", "/v1/things/a", "If-None-Match", tags)
		if rec.Code != want || rec.Header().Get("Etag") != `"7"` {
			t.Errorf("If-None-Match %s: got %d with ETag %s, want %d with \"7\"", tags, rec.Code, rec.Header().Get("Etag"), want)
		}
	}
	if rec := ask(h, "GET", "/v1/things/a", "If-None-Match", `"1"`, "If-None-Match", `"7"`); rec.Code != 304 {
		t.Errorf("two headers: got %d, want 304", rec.Code)
	}
}

func TestIfMatch(t *testing.T) {
	for _, c := range []struct {
		headers        []string
		present, match bool
	}{
		{nil, false, false},
		{[]string{"*"}, false, false},
		{[]string{`"7"`}, true, true},
		{[]string{`"1", "7"`}, true, true},
		{[]string{`"1"`, `"7"`}, true, true},
		{[]string{`W/"7"`}, true, false},
		{[]string{`7`}, true, false},
		{[]string{`"1"`}, true, false},
	} {
		r := httptest.NewRequest("PUT", "/", nil)
		r.Header["If-Match"] = c.headers
		tags, present := web.IfMatch(r)
		if match := present && web.Matches(tags, web.VersionTag(7)); present != c.present || match != c.match {
			t.Errorf("If-Match %q: got present %v and match %v, want %v and %v", c.headers, present, match, c.present, c.match)
		}
	}
}

func TestFailureTellsAndLogsWhatItMay(t *testing.T) {
	var log bytes.Buffer
	h := edge(t, &log)
	for how, want := range map[string]string{
		"panic": "500 internal_error", "unknown": "500 internal_error", "busy": "429 busy", "cause": "409 taken", "gone": "503 request_cancelled",
	} {
		rec := ask(h, "GET", "/v1/fails/"+how)
		if got := code(rec); got != want || rec.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %s as %s, want %s", how, got, rec.Header().Get("Content-Type"), want)
		}
		if strings.Contains(rec.Body.String(), "ada@") {
			t.Errorf("%s: the cause reached the client: %s", how, rec.Body)
		}
		for _, member := range []string{`"type":"urn:caravan:problem:`, `"title":"`, `"status":`, `"detail":"`, `"code":"`, `"trace_id":"`} {
			if !strings.Contains(rec.Body.String(), member) {
				t.Errorf("%s: no member %s in %s", how, member, rec.Body)
			}
		}
	}
	if got, want := ask(h, "GET", "/v1/fails/busy").Header().Get("Retry-After"), "2"; got != want {
		t.Errorf("Retry-After of 1.5 s: got %s, want %s", got, want)
	}
	if body := ask(h, "GET", "/v1/fails/cause").Body.String(); !strings.Contains(body, `"status":409`) || !strings.Contains(body, `"errors":[{"field":"f","code":"c","detail":"d"}]`) {
		t.Errorf("members of the document: got %s", body)
	}
	if strings.Contains(log.String(), "request_cancelled") {
		t.Error("a request that was given up went into the log")
	}
}

func TestPanicAfterTheFirstByteBreaksTheAnswerOff(t *testing.T) {
	srv := httptest.NewServer(edge(t, io.Discard))
	defer srv.Close()
	req, err := http.NewRequest(http.MethodGet, srv.URL+"/v1/fails/late", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("dapr-api-token", "app")
	resp, err := srv.Client().Do(req)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer came as a whole one")
	}
}

func TestDecodeIsStrict(t *testing.T) {
	type line struct {
		ProductID uuid.UUID `json:"product_id"`
		Quantity  int       `json:"quantity"`
	}
	type body struct {
		Name  *string        `json:"name"`
		Lines []line         `json:"lines"`
		Any   map[string]any `json:"any"`
		Tags  map[string]line
	}
	id := uuid.New().String()
	for _, c := range []struct{ name, media, body, want string }{
		{"good", "application/json; charset=utf-8", `{"name":"a","lines":[{"product_id":"` + id + `","quantity":1}],"any":{"X":[{"y":1}]}}`, ""},
		{"escaped backslash is no NUL", "application/json", `{"name":"\\u0000"}`, ""},
		{"other letter case", "application/json", `{"Name":"a"}`, "unknown_field Name"},
		{"unknown in a list", "application/json", `{"lines":[{"Quantity":1}]}`, "unknown_field lines.0.Quantity"},
		{"unknown in a map", "application/json", `{"Tags":{"t":{"x":1}}}`, "unknown_field Tags.t.x"},
		{"given twice", "application/json", `{"name":"a","name":"b"}`, "malformed_body name"},
		{"given twice below", "application/json", `{"any":{"a":1,"a":2}}`, "malformed_body any.a"},
		{"NUL in a value", "application/json", `{"any":{"a":["\u0000"]}}`, "malformed_body any.a.0"},
		{"NUL in a name", "application/json", `{"any":{"a\u0000":1}}`, "malformed_body any"},
		{"not UTF-8", "application/json", "{\"name\":\"\xff\"}", "malformed_body "},
		{"number that overflows", "application/json", `{"lines":[{"quantity":99999999999999999999}]}`, "malformed_body lines.quantity"},
		{"fraction", "application/json", `{"lines":[{"quantity":1.5}]}`, "malformed_body lines.quantity"},
		{"huge exponent", "application/json", `{"lines":[{"quantity":1e400}]}`, "malformed_body lines.quantity"},
		{"id that is none", "application/json", `{"lines":[{"product_id":"x"}]}`, "malformed_body"},
		{"null", "application/json", ` null `, "malformed_body"},
		{"list", "application/json", `[]`, "malformed_body "},
		{"empty", "application/json", ``, "malformed_body"},
		{"trailing", "application/json", `{} x`, "malformed_body"},
		{"deeper than deep", "application/json", strings.Repeat("[", 200000), "malformed_body"},
		{"deep", "application/json", `{"any":{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}}`, "malformed_body"},
		{"no media type", "", `{}`, "unsupported_media_type"},
		{"other media type", "text/json", `{}`, "unsupported_media_type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.media)
			_, err := web.Decode[body](r)
			got := fault.CodeOf(err)
			var f *fault.Error
			if errors.As(err, &f) && len(f.Fields) > 0 {
				got += " " + f.Fields[0].Field
			}
			if got != c.want {
				t.Errorf("got %q (%v), want %q", got, err, c.want)
			}
		})
	}
}

func TestCursorsOfStrangersAreRefused(t *testing.T) {
	type position struct {
		Name string    `json:"n"`
		ID   uuid.UUID `json:"i"`
	}
	was := position{"a", uuid.New()}
	var got position
	if err := web.DecodeCursor(web.EncodeCursor(was), &got); err != nil || got != was {
		t.Errorf("round trip: got %v (%v), want %v", got, err, was)
	}
	for _, raw := range []string{`{"n":"\u0000"}`, `{"x":1}`, `{"n":"a"} 1`, `{"n":1}`, `[]`, "{\"n\":\"\xff\"}", `{"i":"x"}`} {
		cursor := base64.RawURLEncoding.EncodeToString([]byte(raw))
		if err := web.DecodeCursor(cursor, &position{}); fault.CodeOf(err) != "bad_cursor" {
			t.Errorf("cursor of %s: got %v, want bad_cursor", raw, err)
		}
	}
	if err := web.DecodeCursor("§", &position{}); fault.CodeOf(err) != "bad_cursor" {
		t.Errorf("got %v, want bad_cursor", err)
	}
}

func BenchmarkDecode(b *testing.B) {
	type item struct {
		ProductID uuid.UUID `json:"product_id"`
		Quantity  int       `json:"quantity"`
	}
	raw, err := json.Marshal(item{uuid.New(), 3})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r := &http.Request{Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(raw))}
		if _, err := web.Decode[item](r); err != nil {
			b.Fatal(err)
		}
	}
}
