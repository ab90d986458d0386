package httpapi_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/notification/internal/httpapi"
	"github.com/caravan-shop/caravan/services/notification/internal/mail"
	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

// roles takes a token for the one role of whoever sends it.
type roles struct{}

func (roles) Verify(_ context.Context, token string) (auth.Principal, error) {
	return auth.Principal{UserID: uuid.New(), SessionID: uuid.New(), Roles: []string{token}}, nil
}

func open(t *testing.T) http.Handler {
	t.Helper()
	spec, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	renderer, err := mail.New(mail.Shop{Name: "Caravan", URL: "https://shop.example"})
	if err != nil {
		t.Fatal(err)
	}
	router, err := web.NewRouter(web.Setup{
		App: "notification", Spec: spec, AppToken: "app-token", Verifier: roles{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	httpapi.Register(router, renderer, "GBP")
	return router
}

func get(t *testing.T, h http.Handler, path, token string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	req.Header.Set("dapr-api-token", "app-token")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

func TestListTemplates(t *testing.T) {
	rec := get(t, open(t), "/v1/templates", "staff")
	var list httpapi.TemplateList
	if err := json.Unmarshal(rec.Body.Bytes(), &list); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("status %d, error %v", rec.Code, err)
	}
	if got, want := len(list.Items), len(notification.Triggers()); got != want {
		t.Errorf("got %d templates, want %d", got, want)
	}
	if !strings.Contains(rec.Body.String(), `"next_cursor":null`) {
		t.Error("the list lacks its next_cursor")
	}
}

func TestPreviewEveryTemplate(t *testing.T) {
	h := open(t)
	for _, trigger := range notification.Triggers() {
		path := "/v1/templates/" + string(trigger.Kind) + "/preview"
		for query, want := range map[string]struct{ mediaType, start string }{
			"":             {"text/html; charset=utf-8", "<!DOCTYPE html>"},
			"?format=html": {"text/html; charset=utf-8", "<!DOCTYPE html>"},
			"?format=text": {"text/plain; charset=utf-8", "Hello Ada,"},
		} {
			rec := get(t, h, path+query, "admin")
			if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != want.mediaType || !strings.HasPrefix(rec.Body.String(), want.start) {
				t.Errorf("%s%s: status %d, type %q, body starts %.40q", path, query, rec.Code, rec.Header().Get("Content-Type"), rec.Body.String())
			}
			if !strings.HasPrefix(rec.Header().Get("Content-Security-Policy"), "default-src 'none'") || rec.Header().Get("Mail-Subject") == "" {
				t.Errorf("%s%s: headers %v", path, query, rec.Header())
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	h := open(t)
	cases := []struct {
		path, token string
		status      int
		code        string
	}{
		{"/v1/templates", "", 401, "token_missing"},
		{"/v1/templates", "customer", 403, "role_required"},
		{"/v1/templates/welcome/preview", "", 401, "token_missing"},
		{"/v1/templates/welcome/preview", "customer", 403, "role_required"},
		{"/v1/templates/nothing/preview", "staff", 404, "template_unknown"},
		{"/v1/templates/..%2Flayout/preview", "staff", 404, "template_unknown"},
		{"/v1/templates/welcome/preview?format=pdf", "staff", 400, "malformed_parameter"},
	}
	for _, c := range cases {
		rec := get(t, h, c.path, c.token)
		var problem httpapi.Problem
		if err := json.Unmarshal(rec.Body.Bytes(), &problem); err != nil {
			t.Errorf("%s: %v", c.path, err)
		}
		if rec.Code != c.status || problem.Code != c.code {
			t.Errorf("%s as %q: got %d %s, want %d %s", c.path, c.token, rec.Code, problem.Code, c.status, c.code)
		}
	}
}
