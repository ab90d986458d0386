// Package openapi holds answers against the services' OpenAPI documents: route, status, media type and the shape of the
// body. OpenAPI 3.1 schemas are JSON Schema 2020-12, so a validator of that judges them as they stand.
package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// Documents are the documents of the services, by app id. Safe for concurrent use.
type Documents struct {
	apps map[string]*document

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

type document struct {
	root  map[string]any
	paths map[string]map[string]any // template -> method -> operation
}

// Answer is what came back for a request.
type Answer struct {
	Method, App, Path string // the path may have a query
	Status            int
	Media             string // the Content-Type header
	Body              []byte
}

// Load reads <folder>/<app>/openapi.yaml of every app.
func Load(folder string, apps []string) (*Documents, error) {
	d := &Documents{apps: map[string]*document{}, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	for _, app := range apps {
		root, err := read(filepath.Join(folder, app, "openapi.yaml"))
		if err != nil {
			return nil, err
		}
		if err := d.compiler.AddResource(resource(app), root); err != nil {
			return nil, fmt.Errorf("openapi of %s: %w", app, err)
		}
		doc := &document{root: root, paths: map[string]map[string]any{}}
		for template, item := range object(root["paths"]) {
			doc.paths[template] = object(item)
		}
		d.apps[app] = doc
	}
	return d, nil
}

func resource(app string) string { return "https://caravan.example/" + app + ".json" }

// read gives a YAML file as JSON decodes it: the validator knows JSON's types.
func read(path string) (map[string]any, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var loose map[string]any
	if err := yaml.Unmarshal(content, &loose); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	raw, err := json.Marshal(loose)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	strict, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return object(strict), nil
}

// Check tells in what an answer is not as its document says. A path that no document knows is judged only by being
// refused: routes that do not exist answer 404.
func (d *Documents) Check(a Answer) error {
	doc := d.apps[a.App]
	path, _, _ := strings.Cut(a.Path, "?")
	if doc == nil {
		return nil
	}
	template, found := doc.template(path)
	if !found || strings.HasPrefix(path, "/internal/") { // which no client reaches
		if a.Status < 400 {
			return fmt.Errorf("no route of the document, but it answered")
		}
		return nil
	}
	operation, found := doc.paths[template][strings.ToLower(a.Method)]
	if !found {
		return nil // another method is refused by the router
	}
	status := strconv.Itoa(a.Status)
	responses := object(object(operation)["responses"])
	response, found := responses[status]
	if !found && a.Status >= 400 {
		status = "default"
		response, found = responses[status]
	}
	if !found {
		return fmt.Errorf("status %d is not declared", a.Status)
	}
	at := pointer("paths", template, strings.ToLower(a.Method), "responses", status)
	if ref, is := object(response)["$ref"].(string); is {
		at = strings.TrimPrefix(ref, "#")
		response = doc.at(at)
	}
	return d.checkBody(a, object(object(response)["content"]), at)
}

func (d *Documents) checkBody(a Answer, content map[string]any, at string) error {
	if a.Method == "HEAD" || a.Status == 304 {
		return nil
	}
	if len(content) == 0 {
		if len(a.Body) > 0 {
			return fmt.Errorf("a body of %d bytes where none is declared", len(a.Body))
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(a.Media)
	if _, declared := content[media]; err != nil || !declared {
		return fmt.Errorf("media type %q is not one of %v", a.Media, slices.Sorted(maps.Keys(content)))
	}
	if !strings.HasSuffix(media, "json") || media == "application/x-ndjson" {
		return nil
	}
	schema, err := d.schema(resource(a.App) + "#" + at + pointer("content", media, "schema"))
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.Body))
	if err != nil {
		return fmt.Errorf("body is no JSON: %w", err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return nil
}

func (d *Documents) schema(location string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.schemas[location]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile(location)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	d.schemas[location] = s
	return s, nil
}

// Template gives the path template that a path of an app matches, else the path itself, without its query.
func (d *Documents) Template(app, path string) string {
	path, _, _ = strings.Cut(path, "?")
	if doc := d.apps[app]; doc != nil {
		if template, found := doc.template(path); found {
			return template
		}
	}
	return path
}

// template finds the path template of a path; one without parameters goes before one with.
func (d *document) template(path string) (string, bool) {
	if _, exact := d.paths[path]; exact {
		return path, true
	}
	parts := strings.Split(path, "/")
	best, fixed := "", -1
	for template := range d.paths {
		if n := matches(strings.Split(template, "/"), parts); n > fixed {
			best, fixed = template, n
		}
	}
	return best, fixed >= 0
}

// matches counts the fixed parts that agree; -1 if the path is none of the template's.
func matches(template, path []string) int {
	if len(template) != len(path) {
		return -1
	}
	fixed := 0
	for i, part := range template {
		switch {
		case strings.HasPrefix(part, "{"):
			if path[i] == "" {
				return -1
			}
		case part != path[i]:
			return -1
		default:
			fixed++
		}
	}
	return fixed
}

// at follows a JSON pointer.
func (d *document) at(pointer string) any {
	var v any = d.root
	for _, part := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		v = object(v)[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return v
}

// pointer makes a JSON pointer, fit for a fragment.
func pointer(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(p))
	}
	return b.String()
}

func object(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}
