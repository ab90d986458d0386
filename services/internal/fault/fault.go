// Package fault is how the domain says no: an error with a kind and a stable
// code. It knows nothing of HTTP; package web turns a fault into a problem
// document, package sidecar turns a neighbour's problem document into a fault.
package fault

import (
	"errors"
	"maps"
	"time"
)

// Kind classes a fault by what the caller may do about it.
type Kind int

// The kinds, in the order in which a request is checked.
const (
	TooLarge        Kind = iota + 1 // the body is over its bound
	TooMany                         // try again after RetryAfter
	Unauthenticated                 // no token, or a bad one
	Forbidden                       // the role does not allow it
	NotFound                        // absent, or somebody else's
	Stale                           // If-Match names an older version
	Required                        // a precondition header is missing
	Malformed                       // the request can't be read
	Unsupported                     // the media type is not ours
	Invalid                         // well-formed but not acceptable
	Conflict                        // not in the present state
	Unavailable                     // a store or neighbour is away
)

// Field says what is wrong with one field of the input.
type Field struct {
	Field  string `json:"field"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Error is a refusal with a stable code. Two errors are the same for errors.Is
// when their codes are.
type Error struct {
	Kind   Kind
	Code   string
	Detail string
	Fields []Field
	// RetryAfter goes with TooMany and Unavailable; zero leaves it to the edge.
	RetryAfter time.Duration
	// Extra are further members of the problem document.
	Extra map[string]any
	// Cause is for the log alone: no client sees it.
	Cause error
}

// New makes a fault. Detail is a sentence for people; code is for programs.
func New(kind Kind, code, detail string, fields ...Field) *Error {
	return &Error{Kind: kind, Code: code, Detail: detail, Fields: fields}
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Code + ": " + e.Cause.Error()
	}
	return e.Code
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is compares codes, so that a copy with a cause or fields still matches.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code
}

// Because gives a copy with a cause.
func (e *Error) Because(err error) *Error {
	c := e.copy()
	c.Cause = err
	return c
}

// With gives a copy with one further member of the problem document.
func (e *Error) With(member string, value any) *Error {
	c := e.copy()
	if c.Extra == nil {
		c.Extra = map[string]any{}
	}
	c.Extra[member] = value
	return c
}

// Naming gives a copy that names fields.
func (e *Error) Naming(fields ...Field) *Error {
	c := e.copy()
	c.Fields = append(c.Fields[:len(c.Fields):len(c.Fields)], fields...)
	return c
}

// After gives a copy that asks to wait before the next try.
func (e *Error) After(d time.Duration) *Error {
	c := e.copy()
	c.RetryAfter = d
	return c
}

func (e *Error) copy() *Error {
	c := *e
	c.Extra = maps.Clone(e.Extra)
	return &c
}

// KindOf gives the kind of a fault; false for any other error.
func KindOf(err error) (Kind, bool) {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind, true
	}
	return 0, false
}

// CodeOf gives the code of a fault, "" for any other error.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
