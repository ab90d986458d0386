package cart

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDocumentSchema holds document.schema.json, which outside readers and the diagrams go by, against the types that
// are stored.
func TestDocumentSchema(t *testing.T) {
	content, err := os.ReadFile("../../document.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Required   []string
		Properties map[string]any
	}
	var schema struct {
		object
		Defs struct{ Item object } `json:"$defs"`
	}
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		stored reflect.Type
		schema object
	}{
		{"cart", reflect.TypeFor[Cart](), schema.object},
		{"item", reflect.TypeFor[Item](), schema.Defs.Item},
	} {
		t.Run(test.name, func(t *testing.T) {
			var all, always []string
			for field := range test.stored.Fields() {
				name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
				all = append(all, name)
				if options == "" {
					always = append(always, name)
				}
			}
			var described []string
			for name := range test.schema.Properties {
				described = append(described, name)
			}
			slices.Sort(all)
			slices.Sort(described)
			if diff := cmp.Diff(all, described); diff != "" {
				t.Errorf("properties (-stored +schema):\n%s", diff)
			}
			if diff := cmp.Diff(always, test.schema.Required); diff != "" {
				t.Errorf("required (-stored +schema):\n%s", diff)
			}
		})
	}
}

func TestCallsAreOneTextAndWereObjects(t *testing.T) {
	at := time.Date(2026, time.March, 14, 9, 26, 53, 589e6, time.UTC)
	want := Calls{NewCall("/v1/cart/items", "a key", []byte("{}")), NewCall("/v1/cart/items", "$ another:", nil)}
	want[0].At, want[1].At = at, at.Add(time.Hour)
	stored, err := json.Marshal(Cart{Calls: want})
	if err != nil {
		t.Fatal(err)
	}
	old := `{"calls":[{"key":"` + want[0].Key + `","body":"` + want[0].Body + `","at":"2026-03-14T09:26:53.589Z"},` +
		`{"key":"` + want[1].Key + `","body":"` + want[1].Body + `","at":"2026-03-14T10:26:53.589Z"}]}`
	for name, document := range map[string]string{"one text": string(stored), "objects": old} {
		var c Cart
		if err := json.Unmarshal([]byte(document), &c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, c.Calls); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, document := range []string{`{}`, `{"calls":""}`, `{"calls":[]}`} {
		var c Cart
		if err := json.Unmarshal([]byte(document), &c); err != nil || len(c.Calls) != 0 {
			t.Errorf("%s: %v, %v", document, c.Calls, err)
		}
	}
	var c Cart
	if err := json.Unmarshal([]byte(`{"calls":"a:b"}`), &c); err == nil {
		t.Error("a call without its time was read")
	}
	if strings.Contains(string(stored), `"calls":[`) {
		t.Errorf("stored as %s, want one text", stored)
	}
}
