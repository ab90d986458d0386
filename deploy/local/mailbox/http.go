package main

import (
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// api serves the mails of one store as JSON and as pages.
type api struct {
	box   *store
	pages *template.Template
	log   *slog.Logger
}

// newHandler routes the JSON API (paths as maildev has them) and the pages.
func newHandler(box *store, log *slog.Logger) http.Handler {
	a := &api{box: box, pages: template.Must(template.New("pages").Parse(pagesSource)), log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /api/healthz", a.health)
	mux.HandleFunc("GET /api/email", a.list)
	mux.HandleFunc("GET /api/email/{id}", a.get)
	mux.HandleFunc("DELETE /api/email/all", a.clear)
	mux.HandleFunc("DELETE /api/email/{id}", a.remove)
	mux.HandleFunc("GET /{$}", a.listPage)
	mux.HandleFunc("GET /mail/{id}", a.mailPage)
	mux.HandleFunc("GET /mail/{id}/html", a.mailHTML)
	mux.HandleFunc("GET /mail/{id}/source", a.mailSource)
	mux.HandleFunc("GET /style.css", a.style)
	return loopbackOnly(mux)
}

// loopbackOnly refuses requests made under another host name: a web page whose
// name is pointed at 127.0.0.1 must not read one-time tokens out of the mails.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "ask for localhost", http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

func (a *api) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"ok"}`+"\n")
}

// list streams the mails, newest last, one at a time: the store may hold far more
// than should be in memory at once.
func (a *api) list(w http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	sep := "["
	for _, e := range a.box.List(f) {
		m, err := a.box.Mail(e.ID)
		if errors.Is(err, errNoMail) {
			continue // made room for a newer one meanwhile
		}
		if err != nil {
			a.log.Error("mail not read", "error", err)
			panic(http.ErrAbortHandler) // a cut answer, not a short list
		}
		_, _ = io.WriteString(w, sep)
		if enc.Encode(m) != nil {
			return // the reader went away
		}
		sep = ","
	}
	if sep == "[" {
		_, _ = io.WriteString(w, sep)
	}
	_, _ = io.WriteString(w, "]\n")
}

// filterOf reads ?to=, ?limit= and ?after=.
func filterOf(r *http.Request) (filter, error) {
	q := r.URL.Query()
	f := filter{to: q.Get("to"), after: q.Get("after")}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return f, errors.New("limit must be a positive number")
		}
		f.limit = n
	}
	return f, nil
}

func (a *api) get(w http.ResponseWriter, r *http.Request) {
	m, err := a.box.Mail(r.PathValue("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(m)
}

func (a *api) clear(w http.ResponseWriter, _ *http.Request) {
	if err := a.box.Clear(); err != nil {
		a.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "true\n")
}

func (a *api) remove(w http.ResponseWriter, r *http.Request) {
	if err := a.box.Delete(r.PathValue("id")); err != nil {
		a.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "true\n")
}

func (a *api) fail(w http.ResponseWriter, err error) {
	if errors.Is(err, errNoMail) {
		http.Error(w, "no such mail", http.StatusNotFound)
		return
	}
	a.log.Error("mailbox request failed", "error", err)
	http.Error(w, "the mailbox could not do that", http.StatusInternalServerError)
}
