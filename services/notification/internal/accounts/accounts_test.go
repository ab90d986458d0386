package accounts_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/notification/internal/accounts"
	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

// user answers one JSON text on every path and remembers what it was asked.
type user struct {
	answer string
	err    error
	path   string
	in     string
}

func (u *user) Invoke(ctx context.Context, app, path string, in, out any) error {
	if _, bounded := ctx.Deadline(); !bounded {
		return errors.New("the call has no deadline")
	}
	asked, err := json.Marshal(in)
	if err != nil {
		return err
	}
	u.path, u.in = app+path, string(asked)
	if u.err != nil {
		return u.err
	}
	return json.Unmarshal([]byte(u.answer), out)
}

func TestContact(t *testing.T) {
	id := uuid.MustParse("0195942a-3c48-7000-8000-000000000002")
	of := func(rest string) string { return `{"contacts":[{"user_id":"` + id.String() + `"` + rest + `}]}` }
	cases := map[string]struct {
		answer string
		want   notification.Contact
		found  bool
		fails  bool
	}{
		"known": {of(`,"erased":false,"email":"ada@example.com","first_name":"Ada","last_name":"Lovelace","locale":"en"`),
			notification.Contact{Email: "ada@example.com", FirstName: "Ada", LastName: "Lovelace"}, true, false},
		"erased":     {of(`,"erased":true`), notification.Contact{}, false, false},
		"no address": {of(`,"erased":false`), notification.Contact{}, false, true},
		"unanswered": {`{"contacts":[]}`, notification.Contact{}, false, true},
		"nonsense":   {`{}`, notification.Contact{}, false, true},
	}
	for name, c := range cases {
		u := &user{answer: c.answer}
		got, found, err := accounts.New(u, time.Second).Contact(t.Context(), id)
		if diff := cmp.Diff(c.want, got); diff != "" || found != c.found || (err != nil) != c.fails {
			t.Errorf("%s: found %v, error %v, (-want +got):\n%s", name, found, err, diff)
		}
		if u.path != "user/internal/contacts" || u.in != `{"user_ids":["`+id.String()+`"]}` {
			t.Errorf("%s: asked %s %s", name, u.path, u.in)
		}
	}
}

func TestTokens(t *testing.T) {
	id := uuid.MustParse("0195942a-3c48-7000-8000-000000000003")
	until := time.Date(2026, time.March, 14, 9, 56, 53, 0, time.UTC)
	cases := map[string]struct {
		answer string
		want   notification.Token
		found  bool
		fails  bool
	}{
		"with an end": {`{"result":"ok","token":"abc","expires_at":"2026-03-14T09:56:53Z"}`, notification.Token{Value: "abc", ExpiresAt: until}, true, false},
		"without":     {`{"result":"ok","token":"abc"}`, notification.Token{Value: "abc"}, true, false},
		"gone":        {`{"result":"gone"}`, notification.Token{}, false, false},
		"empty":       {`{"result":"ok"}`, notification.Token{}, false, true},
		"nonsense":    {`{}`, notification.Token{}, false, true},
	}
	for name, c := range cases {
		u := &user{answer: c.answer}
		client := accounts.New(u, time.Second)
		got, found, err := client.ResetToken(t.Context(), id)
		if diff := cmp.Diff(c.want, got); diff != "" || found != c.found || (err != nil) != c.fails {
			t.Errorf("%s: found %v, error %v, (-want +got):\n%s", name, found, err, diff)
		}
		if want := `{"reset_id":"` + id.String() + `"}`; u.path != "user/internal/password-resets/token" || u.in != want {
			t.Errorf("%s: asked %s %s", name, u.path, u.in)
		}
		if _, again, _ := client.VerificationToken(t.Context(), id); again != c.found {
			t.Errorf("%s: verification found %v, want %v", name, again, c.found)
		}
		if want := `{"user_id":"` + id.String() + `"}`; u.path != "user/internal/email-verifications/token" || u.in != want {
			t.Errorf("%s: asked %s %s", name, u.path, u.in)
		}
	}
}

func TestAddressesOfAChange(t *testing.T) {
	id := uuid.MustParse("0195942a-3c48-7000-8000-000000000002")
	change := uuid.MustParse("0195942a-3c48-7000-8000-000000000009")
	asked := `{"user_id":"` + id.String() + `","verification_id":"` + change.String() + `"}`
	cases := map[string]struct {
		answer               string
		found, former, fails bool
	}{
		"whole":     {`{"result":"ok","token":"abc","email":"new@example.com"}`, true, true, false},
		"tokenless": {`{"result":"ok","email":"new@example.com"}`, false, true, true},
		"nowhere":   {`{"result":"ok","token":"abc"}`, false, false, true},
		"gone":      {`{"result":"gone"}`, false, false, false},
	}
	for name, c := range cases {
		u := &user{answer: c.answer}
		client := accounts.New(u, time.Second)
		token, email, found, err := client.Verification(t.Context(), id, change)
		if found != c.found || (err != nil) != c.fails || found != (email == "new@example.com" && token.Value == "abc") {
			t.Errorf("%s: got %q for %q, found %v, error %v", name, token.Value, email, found, err)
		}
		if u.path != "user/internal/email-verifications/token" || !sameJSON(t, u.in, asked) {
			t.Errorf("%s: asked %s %s", name, u.path, u.in)
		}
		if email, found, _ := client.FormerAddress(t.Context(), id, change); found != c.former || found != (email != "") {
			t.Errorf("%s: former %q, found %v", name, email, found)
		}
		if u.path != "user/internal/email-changes/former" || !sameJSON(t, u.in, asked) {
			t.Errorf("%s: asked %s %s", name, u.path, u.in)
		}
	}
}

// sameJSON compares without the order of members.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatal(err)
	}
	return cmp.Equal(x, y)
}

func TestUserAway(t *testing.T) {
	client := accounts.New(&user{err: errors.New("away")}, time.Second)
	if _, found, err := client.Contact(t.Context(), uuid.Nil); err == nil || found {
		t.Errorf("contact: found %v, error %v", found, err)
	}
	if _, found, err := client.ResetToken(t.Context(), uuid.Nil); err == nil || found {
		t.Errorf("token: found %v, error %v", found, err)
	}
}
