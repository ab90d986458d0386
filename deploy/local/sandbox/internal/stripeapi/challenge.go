package stripeapi

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
)

//go:embed challenge.html
var challengeSource string

// challengeCSP lets the page send its own form; the answer to it may redirect to
// the shop.
const challengeCSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

// challengeView is what the page shows.
type challengeView struct {
	Intent  ledger.Intent
	Card    ledger.Card
	Waiting bool
}

// challengePage plays the bank's page of 3-D Secure. Who knows the intent's id may
// answer for the card holder, which is what a sandbox is for.
func (s *Server) challengePage(w http.ResponseWriter, r *http.Request) {
	var v challengeView
	var known bool
	err := s.ledger.View(func(tx *ledger.Tx) error {
		if v.Intent, known = tx.Intent(r.PathValue("id")); !known {
			return nil
		}
		if m, ok := tx.Method(v.Intent.Method); ok {
			v.Card = m.Card
		}
		return nil
	})
	if err != nil || !known {
		challengeFailed(w, err)
		return
	}
	v.Waiting = v.Intent.Status == ledger.RequiresAction
	s.showChallenge(w, http.StatusOK, v)
}

// challengeDone settles the intent: outcome=complete or outcome=fail.
func (s *Server) challengeDone(w http.ResponseWriter, r *http.Request) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		http.Error(w, "this form is answered on its own page", http.StatusForbidden)
		return
	}
	passed := r.PostFormValue("outcome") == "complete"
	if !passed && r.PostFormValue("outcome") != "fail" {
		http.Error(w, "outcome must be complete or fail", http.StatusBadRequest)
		return
	}
	var v challengeView
	var known bool
	status := http.StatusOK
	err := s.ledger.Update(func(tx *ledger.Tx) error {
		if v.Intent, known = tx.Intent(r.PathValue("id")); !known {
			return nil
		}
		after, refused := tx.Authenticate(v.Intent, passed)
		if refused != nil && refused.Type != "card_error" {
			status = http.StatusConflict
			return nil
		}
		v.Intent = after
		tx.PutIntent(after)
		announceIntent(tx, nil, viewer{tx: tx, base: s.opts.BaseURL}, after)
		return nil
	})
	if err != nil || !known {
		challengeFailed(w, err)
		return
	}
	if to := returnTo(v.Intent); to != "" && status == http.StatusOK {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	s.showChallenge(w, status, v)
}

// returnTo is the shop's page with what Stripe adds to it, empty if there is none.
func returnTo(i ledger.Intent) string {
	u, err := url.Parse(i.ReturnURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return ""
	}
	outcome := "failed"
	if i.Status == ledger.Succeeded || i.Status == ledger.RequiresCapture {
		outcome = "succeeded"
	}
	q := u.Query()
	q.Set("payment_intent", i.ID)
	q.Set("payment_intent_client_secret", i.Secret)
	q.Set("redirect_status", outcome)
	u.RawQuery = q.Encode()
	return u.String()
}

func (s *Server) showChallenge(w http.ResponseWriter, status int, v challengeView) {
	var page bytes.Buffer
	if err := template.Must(template.New("page").Parse(challengeSource)).Execute(&page, v); err != nil {
		challengeFailed(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", challengeCSP)
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w)
}

func challengeFailed(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, "the ledger cannot be written", http.StatusInternalServerError)
		return
	}
	http.Error(w, "there is no such payment", http.StatusNotFound)
}
