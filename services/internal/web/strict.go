package web

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/caravan-shop/caravan/services/internal/fault"
)

// strict holds a valid JSON text against the type that it is decoded into, for
// what encoding/json lets pass: names in another letter case, names given
// twice, and text that PostgreSQL could not store.
type strict struct{ dec *json.Decoder }

// checkStrict expects text that json.Valid accepts, which bounds its depth.
func checkStrict(text []byte, t reflect.Type) error {
	if !utf8.Valid(text) {
		return errBody.Naming(fault.Field{Code: "not_text", Detail: "UTF-8 without NUL"})
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return strict{dec}.value("", t)
}

// value reads one value; t is nil where any shape goes.
func (s strict) value(path string, t reflect.Type) error {
	token, err := s.dec.Token()
	if err != nil {
		return errBody.Because(err)
	}
	switch token := token.(type) {
	case string:
		if strings.ContainsRune(token, 0) {
			return errBody.Naming(fault.Field{Field: path, Code: "not_text", Detail: "UTF-8 without NUL"})
		}
	case json.Delim:
		if token == '{' {
			return s.object(path, open(t))
		}
		return s.array(path, open(t))
	}
	return nil
}

func (s strict) object(path string, t reflect.Type) error {
	known, seen := fieldsOf(t), map[string]bool{}
	for s.dec.More() {
		token, err := s.dec.Token()
		if err != nil {
			return errBody.Because(err)
		}
		name, _ := token.(string)
		at := join(path, name)
		next, isKnown := known[name]
		switch {
		case badText(name):
			return errBody.Naming(fault.Field{Field: path, Code: "not_text", Detail: "UTF-8 without NUL"})
		case known != nil && !isKnown:
			return errField.Naming(fault.Field{Field: at, Code: "unknown_field", Detail: "not known here"})
		case seen[name]:
			return errBody.Naming(fault.Field{Field: at, Code: "duplicate_field", Detail: "given twice"})
		}
		seen[name] = true
		if t != nil && t.Kind() == reflect.Map {
			next = t.Elem()
		}
		if err := s.value(at, next); err != nil {
			return err
		}
	}
	_, err := s.dec.Token()
	return err
}

func (s strict) array(path string, t reflect.Type) error {
	var elem reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		elem = t.Elem()
	}
	for i := 0; s.dec.More(); i++ {
		if err := s.value(join(path, strconv.Itoa(i)), elem); err != nil {
			return err
		}
	}
	_, err := s.dec.Token()
	return err
}

// open follows pointers; a type that reads its own text is not looked into.
func open(t reflect.Type) reflect.Type {
	for t != nil {
		if p := reflect.PointerTo(t); p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
			return nil
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

// fieldsOf gives the JSON names of a struct; nil for what has none.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "-" && (!f.Anonymous || name != "") {
			if name == "" {
				name = f.Name
			}
			fields[name] = f.Type
		}
	}
	return fields
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
