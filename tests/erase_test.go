package tests

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// person is a shopper all of whose data is found nowhere else.
type person struct {
	*shop.Shopper
	marks  []string // what must be gone, in lower case
	stock  *shop.Product
	orders []*shop.Order // delivered, shipped, confirmed, and one whose payment failed
	review string
}

// markedPerson registers somebody whose every name and line is unique.
func markedPerson(t *testing.T, ctx context.Context) *person {
	t.Helper()
	p := &person{}
	mark := func(prefix string) string {
		m := shop.Unique(prefix)
		p.marks = append(p.marks, strings.ToLower(m))
		return m
	}
	email, password := mark("Wanda.Erst")+"@example.com", shop.Unique("pw")
	registration := map[string]string{"email": email, "password": password, "first_name": mark("Wanda"), "last_name": mark("Wiedergaenger")}
	// Two at once: one of them meets the constraint of the database, whose message would name the address.
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { _, _ = w.http.Do(ctx, "POST", "user", "/v1/users", registration) })
	}
	wg.Wait()
	var err error
	if p.Shopper, err = shop.SignIn(ctx, w.http, email, password); err != nil {
		t.Fatal(err)
	}
	add := func(label string) string {
		var a struct {
			ID string `json:"id"`
		}
		if _, err := p.Want(ctx, http.StatusCreated, &a, "POST", "user", "/v1/users/me/addresses", map[string]any{
			"label": mark(label), "recipient": mark("Frau-Wanda"), "line1": mark("Gasse"), "line2": mark("Hinterhaus"), "city": mark("Ort"),
			"postal_code": "10115", "country": "DE", "is_default_shipping": label == "home",
		}, p.Token(), shop.IdempotencyKey(shop.Unique("address"))); err != nil {
			t.Fatal(err)
		}
		return a.ID
	}
	p.AddressID = add("home")
	former := add("former")
	if _, err := p.Want(ctx, http.StatusNoContent, nil, "DELETE", "user", "/v1/users/me/addresses/"+former, nil, p.Token()); err != nil {
		t.Fatal(err)
	}
	return p
}

// shops leaves the person's traces in every service.
func (p *person) shops(t *testing.T, ctx context.Context) {
	t.Helper()
	p.stock = product(t, ctx, 1500, 100)
	var saved struct {
		ID string `json:"id"`
	}
	if _, err := p.Want(ctx, http.StatusCreated, &saved, "POST", "payment", "/v1/saved-payment-methods", object{"token": visa}, p.Token(),
		shop.IdempotencyKey(shop.Unique("card"))); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"delivered", "shipped", "confirmed", "created"} {
		card := visa
		if want == "created" {
			card = declined
		}
		o := buy(t, ctx, p.Shopper, p.stock.ID, int64(i+1), card)
		if want == "created" {
			p.orders = append(p.orders, settles(t, ctx, p.Shopper, o.ID, "created", "failed", ""))
			continue
		}
		o = settles(t, ctx, p.Shopper, o.ID, "confirmed", "captured", "reserved")
		if want != "confirmed" {
			ship(t, o.ID)
		}
		if want == "delivered" {
			deliver(t, ctx, o.ID)
		}
		p.orders = append(p.orders, o)
	}
	var review struct {
		ID       string `json:"id"`
		Verified bool   `json:"verified_purchase"`
	}
	if _, err := p.Want(ctx, http.StatusCreated, &review, "POST", "product", "/v1/products/"+p.stock.ID+"/reviews",
		object{"rating": 5, "title": "Bright", "body": "It lights the whole porch."}, p.Token()); err != nil {
		t.Fatal(err)
	}
	if !review.Verified {
		t.Error("the review of a buyer is no verified purchase")
	}
	p.review = review.ID
	if err := p.AddToCart(ctx, p.stock.ID, 3); err != nil {
		t.Fatal(err)
	}
}

// moves changes the person's e-mail address, and begins to change it once more.
func (p *person) moves(t *testing.T, ctx context.Context) {
	t.Helper()
	for range 2 {
		next := shop.Unique("wanda.anderswo")
		p.marks = append(p.marks, next)
		changeEmail(t, ctx, p.Shopper, next+"@example.com")
		if p.Email != p.User.Email {
			break // the second change is never proven
		}
		provesEmail(t, ctx, next+"@example.com")
		p.Email = next + "@example.com"
	}
}

func changeEmail(t *testing.T, ctx context.Context, s *shop.Shopper, email string) {
	t.Helper()
	if _, err := s.Want(ctx, http.StatusAccepted, nil, "POST", "user", "/v1/users/me/email",
		object{"email": email, "current_password": s.Password}, s.Token()); err != nil {
		t.Fatal(err)
	}
}

var codeInMail = regexp.MustCompile(`#token=([\w-]{43})`)

// provesEmail follows the link of the last mail to an address.
func provesEmail(t *testing.T, ctx context.Context, email string) {
	t.Helper()
	mails := mailed(t, ctx, email, 1)
	token := codeInMail.FindStringSubmatch(mails[len(mails)-1].Text)
	if token == nil {
		t.Fatalf("mail %q holds no link with a token", mails[len(mails)-1].Subject)
	}
	if _, err := w.http.Want(ctx, http.StatusNoContent, nil, "POST", "user", "/v1/email-verifications/confirm", object{"token": token[1]}); err != nil {
		t.Fatal(err)
	}
}

// TestAnAddressChangesOnceItIsProven follows the mails of a change of address.
func TestAnAddressChangesOnceItIsProven(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	s := shopper(t, ctx)
	next := shop.Unique("moved") + "@example.com"
	mailed(t, ctx, s.Email, 1) // the welcome
	if _, err := s.Want(ctx, http.StatusAccepted, nil, "POST", "user", "/v1/email-verifications", nil, s.Token()); err != nil {
		t.Fatal(err)
	}
	mailed(t, ctx, s.Email, 2) // to be proven, once more
	changeEmail(t, ctx, s, next)
	mailed(t, ctx, next, 1)
	if _, err := shop.SignIn(ctx, w.http, s.Email, s.Password); err != nil {
		t.Errorf("before the new address is proven the former one signs in: %v", err)
	}
	provesEmail(t, ctx, next)
	if _, err := shop.SignIn(ctx, w.http, next, s.Password); err != nil {
		t.Error(err)
	}
	if _, err := shop.SignIn(ctx, w.http, s.Email, s.Password); err == nil {
		t.Error("the former address still signs in")
	}
	told := mailed(t, ctx, s.Email, 3)[2]
	if !strings.Contains(told.Subject, "was changed") || strings.Contains(told.Text, next) {
		t.Errorf("the former address is told %q: %s", told.Subject, told.Text)
	}
	if mails := mailed(t, ctx, next, 1); len(mails) != 1 {
		t.Errorf("mails to the new address: got %d, want 1", len(mails))
	}
}

// wanders does what may leave a trace in a log.
func (p *person) wanders(t *testing.T, ctx context.Context) {
	t.Helper()
	if _, err := shop.SignIn(ctx, w.http, p.Email, "not the password"); err == nil {
		t.Error("a wrong password signs in")
	}
	if _, err := shop.SignIn(ctx, w.http, p.Email, p.Password); err != nil {
		t.Fatal(err)
	}
	for _, try := range []struct {
		want         int
		method, path string
		body         any
	}{
		{http.StatusConflict, "POST", "/v1/users", object{"email": p.Email, "password": p.Password, "first_name": "X", "last_name": "Y"}},
		{http.StatusAccepted, "POST", "/v1/password-resets", object{"email": p.Email}},
		{http.StatusBadRequest, "POST", "/v1/sessions", object{"email": p.Email, "unknown": p.Email}},
		{http.StatusOK, "GET", "/v1/users?query=" + url.QueryEscape(p.Email), nil},
		{http.StatusOK, "GET", "/v1/users?query=" + url.QueryEscape(p.marks[1]), nil},
		{http.StatusNotFound, "GET", "/v1/nothing/" + url.PathEscape(p.Email), nil},
	} {
		if _, err := w.staff.Want(ctx, try.want, nil, try.method, "user", try.path, try.body, w.staff.Token()); err != nil {
			t.Error(err)
		}
	}
}

func deliver(t *testing.T, ctx context.Context, orderID string) {
	t.Helper()
	if _, err := w.staff.Want(ctx, http.StatusOK, nil, "POST", "order", "/v1/orders/"+orderID+"/deliver", nil, w.staff.Token()); err != nil {
		t.Fatal(err)
	}
}

// TestAnErasedPersonIsNowhere erases somebody who left traces everywhere and
// sweeps every store, topic and log; the mail catcher stands for mailboxes of
// others, and is left out.
func TestAnErasedPersonIsNowhere(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p := markedPerson(t, ctx)
	p.shops(t, ctx)
	p.moves(t, ctx)
	p.wanders(t, ctx)
	s := &sweep{t: t, ctx: ctx, needles: p.marks}
	before := strings.Join(s.stores(), "\n")
	for _, place := range []string{"user.users", "user.user_addresses", "user.idempotency_keys", "user.email_verification_tokens", "order.orders"} {
		if !strings.Contains(before, place) {
			t.Errorf("before the erasure the sweep finds nobody in %s, only in:\n%s", place, before)
		}
	}
	if _, err := p.Want(ctx, http.StatusNoContent, nil, "DELETE", "user", "/v1/users/me", nil, p.Token()); err != nil {
		t.Fatal(err)
	}
	// An order on its way keeps its address until it has arrived; cancelled ones are refunded.
	for i, want := range [][2]string{{"delivered", "captured"}, {"shipped", "captured"}, {"cancelled", "refunded"}, {"cancelled", "voided"}} {
		if want[0] == "shipped" {
			deliver(t, ctx, p.orders[i].ID)
			want[0] = "delivered"
		}
		now := settlesBy(t, ctx, time.Minute, w.staff, p.orders[i].ID, want[0], want[1], "")
		if now.Totals != p.orders[i].Totals || now.UserID != p.User.ID {
			t.Errorf("order %d after the erasure: got %+v of %s, want the figures as they were", i, now.Totals, now.UserID)
		}
	}
	s.settle(time.Minute)
	if found := s.records(); len(found) > 0 {
		t.Errorf("the erased person is in:\n%s", strings.Join(found, "\n"))
	}
	p.isForgotten(t, ctx)
}

// isForgotten looks at what goes besides the name.
func (p *person) isForgotten(t *testing.T, ctx context.Context) {
	t.Helper()
	if _, err := w.http.Want(ctx, http.StatusUnauthorized, nil, "GET", "user", "/v1/users/me", nil, p.Token()); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ service, sql string }{
		{"payment", `SELECT count(*) FROM user_saved_payment_methods WHERE user_id = $1`},
		{"user", `SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL`},
		{"user", `SELECT count(*) FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id WHERE s.user_id = $1`},
	} {
		var n int
		query(t, ctx, c.service, c.sql, []any{p.User.ID}, &n)
		if n != 0 {
			t.Errorf("%s: got %d rows, want none", c.sql, n)
		}
	}
	rdb := redisClient(t)
	if n, err := rdb.Exists(ctx, "cart:"+p.User.ID, "session:"+p.SessionID).Result(); err != nil || n != 0 {
		t.Errorf("copies in redis: got %d (%v), want none", n, err)
	}
	var reviews struct {
		Items []map[string]any `json:"items"`
	}
	if _, err := w.http.Want(ctx, http.StatusOK, &reviews, "GET", "product", "/v1/products/"+p.stock.ID+"/reviews", nil); err != nil {
		t.Fatal(err)
	}
	if len(reviews.Items) != 1 || reviews.Items[0]["id"] != p.review || reviews.Items[0]["user_id"] != nil {
		t.Errorf("the review: got %v, want it to stand without its author", reviews.Items)
	}
}

// TestExportGathersEveryService asks for all that the shop holds of somebody.
func TestExportGathersEveryService(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p := markedPerson(t, ctx)
	p.shops(t, ctx)
	var export struct {
		UserID   string                     `json:"user_id"`
		Services map[string]json.RawMessage `json:"services"`
	}
	if _, err := p.Want(ctx, http.StatusOK, &export, "GET", "user", "/v1/users/me/export", nil, p.Token()); err != nil {
		t.Fatal(err)
	}
	if export.UserID != p.User.ID {
		t.Errorf("export of %s, want %s", export.UserID, p.User.ID)
	}
	want := map[string][]string{
		"user":    p.marks,
		"product": {p.review, "lights the whole porch"},
		"cart":    {p.stock.ID},
		"order":   append([]string{p.marks[4]}, ids(p.orders)...),
		"payment": append([]string{"visa"}, ids(p.orders)...),
	}
	for service, parts := range want {
		got := strings.ToLower(string(export.Services[service]))
		for _, part := range parts {
			if !strings.Contains(got, part) {
				t.Errorf("the export of %s lacks %q: %.600s", service, part, got)
			}
		}
	}
	for service := range export.Services {
		if _, known := want[service]; !known {
			t.Errorf("the export has a part %s that nobody asked for", service)
		}
	}
	for _, secret := range []string{p.Password, p.RefreshToken, "pm_card", "argon2"} {
		for service, part := range export.Services {
			if strings.Contains(string(part), secret) {
				t.Errorf("the export of %s holds a secret", service)
			}
		}
	}
}

func ids(orders []*shop.Order) []string {
	all := make([]string, 0, len(orders))
	for _, o := range orders {
		all = append(all, o.ID)
	}
	slices.Sort(all)
	return all
}
