package cart

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

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
