package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/caravan-shop/caravan/services/events"
)

var update = flag.Bool("update", false, "write the schemas from the structs")

// structs has the struct of each topic.
func structs() map[string]events.Event {
	all := map[string]events.Event{}
	for _, e := range []events.Event{
		&events.UserRegistered{}, &events.UserUpdated{}, &events.UserDeleted{}, &events.PasswordReset{},
		&events.EmailVerification{}, &events.EmailChanged{},
		&events.OrderCreated{}, &events.OrderConfirmed{}, &events.OrderShipped{}, &events.OrderDelivered{}, &events.OrderCancelled{},
		&events.PaymentInitiated{}, &events.PaymentSuccess{}, &events.PaymentFailed{}, &events.PaymentRequiresAction{}, &events.PaymentRefunded{},
		&events.ProductCreated{}, &events.ProductUpdated{}, &events.ProductOutOfStock{}, &events.ProductBackInStock{},
		&events.InventoryReserved{}, &events.InventoryRejected{},
	} {
		all[e.Topic()] = e
	}
	return all
}

// always names what a topic has in every event, though its struct, which it
// shares with others, leaves it open.
var always = map[string][]string{
	events.TopicOrderShipped:    {"carrier", "tracking_number"},
	events.TopicOrderCancelled:  {"reason"},
	events.TopicPaymentFailed:   {"failure_code"},
	events.TopicPaymentRefunded: {"refunded_amount"},
}

// generate makes the schema of an event's data from its struct.
func generate(t *testing.T, topic string, e events.Event) []byte {
	t.Helper()
	r := &jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true, Mapper: mapped}
	if err := r.AddGoComments("github.com/caravan-shop/caravan/services/events", "."); err != nil {
		t.Fatal(err)
	}
	s := r.Reflect(e)
	s.ID = jsonschema.ID("urn:caravan:event:" + topic)
	s.Title = topic
	s.Required = append(s.Required, always[topic]...)
	bound(s)
	if status, ok := s.Properties.Get("status"); ok {
		status.Const = strings.TrimPrefix(topic, "order.")
	}
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(raw, '\n')
}

func mapped(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[uuid.UUID]() {
		return &jsonschema.Schema{Type: "string", Format: "uuid"}
	}
	return nil
}

// bound says of each member what its Go type can't, by its name.
func bound(s *jsonschema.Schema) {
	if s.Items != nil {
		bound(s.Items)
	}
	if s.Properties == nil {
		return
	}
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		m := p.Value
		switch p.Key {
		case "amount":
			m.Minimum, m.Maximum = "0", "9007199254740991"
		case "sequence", "version", "quantity", "short", "attempt":
			m.Minimum, m.Maximum = "1", "9007199254740991"
		case "currency":
			m.Pattern = "^[A-Z]{3}$"
		case "failure_code":
			m.Pattern = "^[a-z0-9_]+$"
		case "reason":
			for _, reason := range []string{
				events.ReasonCustomer, events.ReasonStaff, events.ReasonUnpaid, events.ReasonOutOfStock, events.ReasonErased,
			} {
				m.Enum = append(m.Enum, reason)
			}
		case "items", "lines":
			m.MinItems = new(uint64)
			*m.MinItems = 1
		case "changed":
			m.Items.MinLength = new(uint64)
			*m.Items.MinLength = 1
		case "number", "sku", "name", "carrier", "tracking_number", "locale":
			m.MinLength = new(uint64)
			*m.MinLength = 1
		}
		m.Description = strings.ReplaceAll(m.Description, "\n", " ")
		bound(m)
	}
}

func TestEveryTopicHasAStruct(t *testing.T) {
	all := structs()
	for _, topic := range events.Topics() {
		if _, ok := all[topic]; !ok {
			t.Errorf("topic %s has no struct", topic)
		}
	}
	if len(all) != len(events.Topics()) {
		t.Errorf("%d structs for %d topics", len(all), len(events.Topics()))
	}
}

func TestSchemasFollowTheStructs(t *testing.T) {
	for topic, e := range structs() {
		want := generate(t, topic, e)
		path := filepath.Join("schemas", topic+".json")
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s differs from its struct; `go test ./services/events -update` writes it (-want +got):\n%s", path, d)
		}
	}
	wantFiles(t, "schemas")
}

func TestExamplesAreOfTheStructs(t *testing.T) {
	for topic, e := range structs() {
		t.Run(topic, func(t *testing.T) {
			raw := read(t, filepath.Join("examples", topic+".json"))
			dec := json.NewDecoder(bytes.NewReader(raw))
			dec.DisallowUnknownFields()
			if err := dec.Decode(e); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(parse(t, raw), parse(t, again)); d != "" {
				t.Errorf("the struct loses part of the example (-example +struct):\n%s", d)
			}
			if _, err := uuid.Parse(e.Key()); err != nil || e.Key() == uuid.Nil.String() {
				t.Errorf("key %q of the example is no id", e.Key())
			}
		})
	}
	wantFiles(t, "examples")
}

func TestSchemasTakeTheExamplesAlone(t *testing.T) {
	for _, topic := range events.Topics() {
		t.Run(topic, func(t *testing.T) {
			schema := compile(t, filepath.Join("schemas", topic+".json"))
			example := parse(t, read(t, filepath.Join("examples", topic+".json"))).(map[string]any)
			if err := schema.Validate(example); err != nil {
				t.Errorf("example: %v", err)
			}
			for _, broken := range mutants(example) {
				if schema.Validate(broken) == nil {
					t.Errorf("the schema takes %v", broken)
				}
			}
		})
	}
}

// mutants are examples that no schema may take: one member too many, one
// required member short, a member of another type.
func mutants(example map[string]any) []map[string]any {
	change := func(f func(m map[string]any)) map[string]any {
		m := map[string]any{}
		for k, v := range example {
			m[k] = v
		}
		f(m)
		return m
	}
	all := []map[string]any{
		change(func(m map[string]any) { m["email"] = "ada@example.com" }),
		change(func(m map[string]any) { delete(m, "occurred_at") }),
		change(func(m map[string]any) { delete(m, "sequence") }),
		change(func(m map[string]any) { m["sequence"] = json.Number("0") }),
		change(func(m map[string]any) { m["occurred_at"] = "yesterday" }),
	}
	for k := range example {
		all = append(all, change(func(m map[string]any) { m[k] = true }))
	}
	for _, k := range []string{"items", "lines"} {
		if _, ok := example[k]; ok {
			all = append(all, change(func(m map[string]any) { m[k] = nil }), change(func(m map[string]any) { m[k] = []any{} }))
		}
	}
	return all
}

func compile(t *testing.T, path string) *validator.Schema {
	t.Helper()
	c := validator.NewCompiler()
	c.DefaultDraft(validator.Draft2020)
	c.AssertFormat()
	s, err := c.Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func parse(t *testing.T, raw []byte) any {
	t.Helper()
	v, err := validator.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wantFiles holds a folder to one file a topic.
func wantFiles(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	known := structs()
	for _, f := range files {
		if _, ok := known[strings.TrimSuffix(f.Name(), ".json")]; !ok {
			t.Errorf("%s/%s belongs to no topic", dir, f.Name())
		}
	}
}
