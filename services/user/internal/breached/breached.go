// Package breached knows passwords from breaches, offline. The list is the
// entries of eight characters and more of Django's common-passwords.txt
// (BSD-3-Clause), which Royce Williams derived from published breaches.
package breached

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"strings"
)

//go:embed passwords.txt.gz
var passwords []byte

// List is a set of passwords in lower case.
type List struct{ known map[string]struct{} }

// Load reads the embedded list.
func Load() (*List, error) {
	z, err := gzip.NewReader(bytes.NewReader(passwords))
	if err != nil {
		return nil, fmt.Errorf("breached passwords: %w", err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("breached passwords: %w", err)
	}
	l := &List{known: map[string]struct{}{}}
	for line := range strings.Lines(string(text)) {
		l.known[strings.TrimRight(line, "\n")] = struct{}{}
	}
	return l, nil
}

// Has tells whether a password is known, letter case aside.
func (l *List) Has(password string) bool {
	_, known := l.known[strings.ToLower(password)]
	return known
}
