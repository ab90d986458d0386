// Package mail puts letters into words: one folder of templates a kind, in
// text and in HTML, between a common head and foot. It sends nothing.
package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"

	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

//go:embed templates
var files embed.FS

// Shop is how the mails speak of their sender.
type Shop struct {
	Name string
	// URL is where the links lead, without a slash at the end.
	URL string
}

// sheets are the three templates of one kind.
type sheets struct {
	subject *texttemplate.Template
	text    *texttemplate.Template
	html    *htmltemplate.Template
}

// Renderer implements notification.Renderer. It is safe for concurrent use.
type Renderer struct {
	shop   Shop
	format *formatter
	sheets map[notification.Kind]sheets
}

// New parses every template, so that a bad one stops the service at start.
func New(shop Shop) (*Renderer, error) {
	shop.URL = strings.TrimRight(shop.URL, "/")
	r := &Renderer{shop: shop, format: newFormatter(), sheets: map[notification.Kind]sheets{}}
	for _, trigger := range notification.Triggers() {
		s, err := parse("templates/" + string(trigger.Kind) + "/")
		if err != nil {
			return nil, fmt.Errorf("mail: %s: %w", trigger.Kind, err)
		}
		r.sheets[trigger.Kind] = s
	}
	return r, nil
}

func parse(folder string) (sheets, error) {
	subject, err := texttemplate.New("subject.txt").Option("missingkey=error").ParseFS(files, folder+"subject.txt")
	if err != nil {
		return sheets{}, err
	}
	text, err := texttemplate.New("layout.txt").Option("missingkey=error").
		ParseFS(files, "templates/layout.txt", "templates/order.txt", folder+"body.txt")
	if err != nil {
		return sheets{}, err
	}
	html, err := htmltemplate.New("layout.html").Option("missingkey=error").
		ParseFS(files, "templates/layout.html", "templates/order.html", "templates/parts.html", folder+"body.html")
	return sheets{subject: subject, text: text, html: html}, err
}

// Render implements notification.Renderer.
func (r *Renderer) Render(l notification.Letter) (notification.Rendered, error) {
	s, ok := r.sheets[l.Kind]
	if !ok {
		return notification.Rendered{}, undeliverable(errors.New("there is no such mail"))
	}
	v, err := r.view(l)
	if err != nil {
		return notification.Rendered{}, undeliverable(err)
	}
	var subject, text, html bytes.Buffer
	if err := s.subject.Execute(&subject, v); err != nil {
		return notification.Rendered{}, undeliverable(err)
	}
	v.Subject = notification.OneLine(subject.String())
	if err := errors.Join(s.text.Execute(&text, v), s.html.Execute(&html, v)); err != nil {
		return notification.Rendered{}, undeliverable(err)
	}
	return notification.Rendered{Subject: v.Subject, Text: text.String(), HTML: html.String()}, nil
}

// undeliverable keeps the reason: a template's error names fields, not people.
func undeliverable(err error) error {
	return &notification.Undeliverable{Reason: err.Error()}
}
