package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// services in the order in which all pictures show them.
func services() []string {
	return []string{"user", "product", "cart", "order", "payment", "notification"}
}

// relational lists the services with a PostgreSQL database.
func relational() []string { return []string{"user", "product", "order", "payment"} }

// shop is everything that the pictures show, as the code has it.
type shop struct {
	Tables  map[string][]table  // service -> its tables, or the collection
	Topics  []topic             // in the order of asyncapi.yaml
	Listens map[string][]string // service -> topics that it subscribes to
	Calls   []call
	Stores  map[string][]string // service -> servers that its sidecar or its process uses
}

// topic is a Kafka topic and who sends to it.
type topic struct{ Name, Producer, Meaning string }

// call is a right of one app to call routes of another.
type call struct {
	Caller, Callee string
	Routes         []string
}

func readShop(ctx context.Context, root, server string) (*shop, error) {
	s := &shop{Tables: map[string][]table{}, Listens: map[string][]string{}}
	for _, service := range relational() {
		tables, err := readSchema(ctx, server, root, service)
		if err != nil {
			return nil, err
		}
		s.Tables[service] = tables
	}
	carts, err := readDocument(filepath.Join(root, "services/cart/document.schema.json"))
	if err != nil {
		return nil, err
	}
	s.Tables["cart"] = []table{carts}
	return s, errors.Join(s.readTopics(root), s.readSubscriptions(root), s.readCalls(root), checkKeys(root))
}

// readTopics takes the topics and their senders from asyncapi.yaml.
func (s *shop) readTopics(root string) error {
	var doc struct {
		Channels   yaml.Node
		Operations map[string]struct {
			Action  string
			App     string `yaml:"x-app"`
			Channel struct {
				Ref string `yaml:"$ref"`
			}
		}
	}
	if err := readYAML(filepath.Join(root, "services/events/asyncapi.yaml"), &doc); err != nil {
		return err
	}
	senders := map[string]string{}
	for _, op := range doc.Operations {
		if op.Action == "send" {
			senders[strings.TrimPrefix(op.Channel.Ref, "#/channels/")] = op.App
		}
	}
	for i := 0; i+1 < len(doc.Channels.Content); i += 2 {
		name := doc.Channels.Content[i].Value
		var about struct{ Description string }
		if err := doc.Channels.Content[i+1].Decode(&about); err != nil {
			return err
		}
		if sender, ok := senders[name]; ok && !strings.HasPrefix(name, "dead-letter") {
			s.Topics = append(s.Topics, topic{name, sender, about.Description})
		}
	}
	if len(s.Topics) == 0 {
		return errors.New("asyncapi.yaml: no topic with a sender")
	}
	return nil
}

// readSubscriptions takes who listens to what from Dapr's declarations.
func (s *shop) readSubscriptions(root string) error {
	files, err := filepath.Glob(filepath.Join(root, "dapr/subscriptions/*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		decoder := yaml.NewDecoder(bytes.NewReader(content))
		for {
			var doc struct {
				Scopes []string
				Spec   struct{ Topic string }
			}
			if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			for _, app := range doc.Scopes {
				s.Listens[app] = append(s.Listens[app], doc.Spec.Topic)
			}
		}
	}
	return nil
}

// readCalls takes who may call what from the access control of the callee's sidecar.
func (s *shop) readCalls(root string) error {
	for _, callee := range services() {
		var doc struct {
			Spec struct {
				AccessControl struct {
					Policies []struct {
						AppID      string `yaml:"appId"`
						Operations []struct{ Name, Action string }
					}
				} `yaml:"accessControl"`
			}
		}
		if err := readYAML(filepath.Join(root, "dapr/config", callee+".yaml"), &doc); err != nil {
			return err
		}
		for _, policy := range doc.Spec.AccessControl.Policies {
			c := call{Caller: policy.AppID, Callee: callee}
			for _, op := range policy.Operations {
				if op.Action == "allow" {
					c.Routes = append(c.Routes, op.Name)
				}
			}
			s.Calls = append(s.Calls, c)
		}
	}
	return nil
}

// readDocument reads the JSON Schema of the cart's document.
func readDocument(path string) (table, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return table{}, err
	}
	var schema struct {
		Title      string
		Properties ordered
		Defs       struct{ Item struct{ Properties ordered } } `json:"$defs"`
	}
	if err := json.Unmarshal(content, &schema); err != nil {
		return table{}, fmt.Errorf("%s: %w", path, err)
	}
	t := table{Name: schema.Title, Columns: []column{{Name: "_id", Type: "string", Primary: true, Unique: true}}}
	for _, field := range schema.Properties {
		t.Columns = append(t.Columns, field)
		if field.Name == "items" {
			for _, inner := range schema.Defs.Item.Properties {
				inner.Name = "items." + inner.Name
				t.Columns = append(t.Columns, inner)
			}
		}
	}
	return t, nil
}

// ordered reads an object's properties in the order in which they are written.
type ordered []column

func (o *ordered) UnmarshalJSON(content []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var field struct {
			Type   any
			Format string
		}
		if err := decoder.Decode(&field); err != nil {
			return err
		}
		c := column{Name: fmt.Sprint(name)}
		var kinds []string
		for _, kind := range strings.Fields(strings.Trim(fmt.Sprint(field.Type), "[]")) {
			if kind == "null" {
				c.Null = true
			} else {
				kinds = append(kinds, kind)
			}
		}
		c.Type = strings.Join(kinds, "|")
		if field.Format != "" {
			c.Type = field.Format
		}
		*o = append(*o, c)
	}
	return nil
}

// key is a kind of key in Redis, or an index, and the file that makes it.
type key struct{ Pattern, Meaning, File, Literal string }

// keys are what services keep in Redis and Elasticsearch. There is no schema to read them from, so each is looked for in
// the code that makes it.
func keys() map[string][]key {
	return map[string][]key{
		"user":         {{"session:{session_id}", "sessions, read first", "user/internal/sessioncache/sessioncache.go", `"session:"`}},
		"product":      {{"product:{product_id}", "products", "product/internal/cache/cache.go", `"product:"`}},
		"cart":         {{"cart:{user_id}", "carts, 1 hour", "cart/internal/cache/cache.go", `"cart:"`}},
		"notification": {{"mail:{event_id}:{kind}", "claims of mails", "notification/internal/notification/occasion.go", `"mail:"`}},
	}
}

// searchIndex is Product's index.
func searchIndex() key {
	return key{"products_index", "full text, facets, suggestions", "product/config.go", `"products_index"`}
}

func checkKeys(root string) error {
	var errs []error
	all := []key{searchIndex()}
	for _, service := range services() {
		all = append(all, keys()[service]...)
	}
	for _, k := range all {
		content, err := os.ReadFile(filepath.Join(root, "services", k.File))
		if err != nil {
			errs = append(errs, err)
		} else if !strings.Contains(string(content), k.Literal) {
			errs = append(errs, fmt.Errorf("%s does not make %s any more", k.File, k.Pattern))
		}
	}
	return errors.Join(errs...)
}

func readYAML(path string, into any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// business lists the tables of the shop's model in the columns in which the picture shows them. Every other table is
// technical.
func business() map[string][][]string {
	return map[string][][]string{
		"user":    {{"user_addresses", "password_reset_tokens"}, {"users", "user_role_mapping", "user_roles"}},
		"cart":    {{"carts"}},
		"product": {{"products"}, {"categories", "product_images", "product_inventory"}, {"product_reviews"}},
		"payment": {{"payment_methods", "user_saved_payment_methods"}, {"transactions"}},
		"order":   {{"orders"}, {"order_items", "order_status_history"}},
	}
}

// technical gives the tables of a service that are not the shop's model.
func (s *shop) technical(service string) []table {
	model := slices.Concat(business()[service]...)
	return slices.DeleteFunc(slices.Clone(s.Tables[service]), func(t table) bool { return slices.Contains(model, t.Name) })
}

func (s *shop) table(service, name string) (table, error) {
	at := slices.IndexFunc(s.Tables[service], func(t table) bool { return t.Name == name })
	if at < 0 {
		return table{}, fmt.Errorf("%s has no table %s", service, name)
	}
	return s.Tables[service][at], nil
}

// relation is a reference from one service's table to another's, which the application keeps.
type relation struct{ FromService, From, Field, ToService, To, Cardinality string }

func crossRelations() []relation {
	return []relation{
		{"order", "orders", "user_id", "user", "users", "N:1"},
		{"order", "orders", "shipping_address_id", "user", "user_addresses", "N:1"},
		{"order", "orders", "billing_address_id", "user", "user_addresses", "N:1"},
		{"order", "order_items", "product_id", "product", "products", "N:1"},
		{"payment", "transactions", "order_id", "order", "orders", "N:1"},
		{"payment", "transactions", "user_id", "user", "users", "N:1"},
		{"payment", "user_saved_payment_methods", "user_id", "user", "users", "N:1"},
		{"cart", "carts", "user_id", "user", "users", "1:1"},
		{"cart", "carts", "items.product_id", "product", "products", "N:1"},
		{"product", "product_reviews", "user_id", "user", "users", "N:1"},
	}
}
