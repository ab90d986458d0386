package openapi

import (
	"strings"
	"testing"
)

func load(t *testing.T) *Documents {
	t.Helper()
	d, err := Load("../../services", []string{"user", "product", "cart", "order", "payment", "notification"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Every schema of every answer compiles, so that none is passed over for a mistake in the document.
func TestEveryAnswerHasASchemaThatCompiles(t *testing.T) {
	d := load(t)
	seen := 0
	for app, doc := range d.apps {
		for template, item := range doc.paths {
			for method, operation := range item {
				for status, response := range object(object(operation)["responses"]) {
					at := pointer("paths", template, method, "responses", status)
					if ref, is := object(response)["$ref"].(string); is {
						at = strings.TrimPrefix(ref, "#")
						response = doc.at(at)
					}
					for media := range object(object(response)["content"]) {
						if !strings.HasSuffix(media, "/json") && !strings.HasSuffix(media, "+json") {
							continue
						}
						seen++
						if _, err := d.schema(resource(app) + "#" + at + pointer("content", media, "schema")); err != nil {
							t.Errorf("%s %s %s %s: %v", app, method, template, status, err)
						}
					}
				}
			}
		}
	}
	if seen < 300 {
		t.Errorf("%d schemas were found, want hundreds", seen)
	}
}

func TestAnswersAreJudged(t *testing.T) {
	d := load(t)
	const id = "0190a0a0-0000-7000-8000-000000000001"
	for name, c := range map[string]struct {
		a    Answer
		want string // in the error; "" for none
	}{
		"as declared":            {Answer{"GET", "product", "/v1/products/" + id + "/inventory", 200, "application/json", []byte(`{"available":3}`)}, ""},
		"wrong type":             {Answer{"GET", "product", "/v1/products/" + id + "/inventory", 200, "application/json", []byte(`{"available":"3"}`)}, "body"},
		"missing member":         {Answer{"GET", "product", "/v1/products/" + id + "/inventory?x=1", 200, "application/json", []byte(`{}`)}, "body"},
		"other media type":       {Answer{"GET", "product", "/v1/products/" + id + "/inventory", 200, "text/html", []byte(`{}`)}, "media type"},
		"status unknown":         {Answer{"GET", "product", "/v1/products/" + id + "/inventory", 299, "application/json", nil}, "status"},
		"problem by default":     {Answer{"POST", "order", "/v1/quotes", 401, "application/problem+json", []byte(`{"type":"about:blank","title":"Unauthorized","status":401,"detail":"d","code":"token_missing","trace_id":"t"}`)}, ""},
		"no problem by default":  {Answer{"POST", "order", "/v1/quotes", 401, "application/problem+json", []byte(`{"oops":1}`)}, "body"},
		"success by default":     {Answer{"POST", "order", "/v1/quotes", 202, "application/problem+json", []byte(`{}`)}, "status"},
		"internal route":         {Answer{"POST", "order", "/internal/orders/states", 200, "application/json", []byte(`{}`)}, "no route"},
		"no such route":          {Answer{"GET", "product", "/v1/nothing", 404, "application/problem+json", []byte(`{}`)}, ""},
		"route that is secret":   {Answer{"GET", "product", "/v1/nothing", 200, "application/json", []byte(`{}`)}, "no route"},
		"fixed before parameter": {Answer{"GET", "user", "/v1/users/me", 200, "application/json", []byte(`[]`)}, "body"},
	} {
		err := d.Check(c.a)
		if (c.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
