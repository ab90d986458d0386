package main

import (
	"bytes"
	_ "embed"
	"io"
	"net/http"
)

// pageLimit is how many mails the list page shows.
const pageLimit = 200

//go:embed pages.html
var pagesSource string

//go:embed style.css
var styleSource string

const (
	// pageCSP lets a page load our style and frame our own documents, nothing else.
	pageCSP = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// mailCSP shows a mail without scripts, without loading anything, in an origin of its own.
	mailCSP = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)

// listPage shows the newest mails, newest first, as a person wants them.
func (a *api) listPage(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Query().Get("to")
	mails := a.box.List(filter{to: to, limit: pageLimit})
	newestFirst := make([]entry, 0, len(mails))
	for i := len(mails) - 1; i >= 0; i-- {
		newestFirst = append(newestFirst, mails[i])
	}
	a.render(w, "list", map[string]any{"Mails": newestFirst, "Total": a.box.Len(), "To": to})
}

func (a *api) mailPage(w http.ResponseWriter, r *http.Request) {
	m, err := a.box.Mail(r.PathValue("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	a.render(w, "mail", map[string]any{"Mail": m, "AsText": r.URL.Query().Get("view") == "text" || m.HTML == ""})
}

func (a *api) render(w http.ResponseWriter, name string, data any) {
	var page bytes.Buffer
	if err := a.pages.ExecuteTemplate(&page, name, data); err != nil {
		a.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pageCSP)
	_, _ = page.WriteTo(w)
}

// mailHTML is the document inside the frame. Links open in a new tab, because the
// frame itself may go nowhere.
func (a *api) mailHTML(w http.ResponseWriter, r *http.Request) {
	m, err := a.box.Mail(r.PathValue("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", mailCSP)
	_, _ = io.WriteString(w, `<base target="_blank">`+m.HTML)
}

func (a *api) mailSource(w http.ResponseWriter, r *http.Request) {
	raw, err := a.box.Raw(r.PathValue("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(raw)
}

func (a *api) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=3600")
	_, _ = io.WriteString(w, styleSource)
}
