package mail_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/notification/internal/mail"
	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func newRenderer(t *testing.T) *mail.Renderer {
	t.Helper()
	r, err := mail.New(mail.Shop{Name: "Caravan", URL: "https://shop.example/"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func render(t *testing.T, l notification.Letter) notification.Rendered {
	t.Helper()
	words, err := newRenderer(t).Render(l)
	if err != nil {
		t.Fatalf("%s: %v", l.Kind, err)
	}
	return words
}

// TestGolden holds the words and the looks of every mail. Read the difference
// before running with -update.
func TestGolden(t *testing.T) {
	for _, trigger := range notification.Triggers() {
		t.Run(string(trigger.Kind), func(t *testing.T) {
			words := render(t, notification.Example(trigger.Kind, "GBP"))
			golden(t, string(trigger.Kind)+".txt", "Subject: "+words.Subject+"\n\n"+words.Text)
			golden(t, string(trigger.Kind)+".html", words.HTML)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestRenderIsRepeatable(t *testing.T) {
	for _, trigger := range notification.Triggers() {
		first := render(t, notification.Example(trigger.Kind, "GBP"))
		second := render(t, notification.Example(trigger.Kind, "GBP"))
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%s differs between two renderings:\n%s", trigger.Kind, diff)
		}
	}
}

func TestRenderEscapes(t *testing.T) {
	l := notification.Example(notification.OrderShipped, "GBP")
	l.Contact.FirstName = `<script>alert("x")</script>`
	l.Order.Items[0].Name = `Tray <b onmouseover=x>"large" & 'blue'`
	l.Order.Carrier = "<img src=x>"
	words := render(t, l)
	for _, raw := range []string{"<script", "<b onmouseover", "<img src=x>"} {
		if strings.Contains(words.HTML, raw) {
			t.Errorf("the HTML holds %q unescaped", raw)
		}
	}
	if want := "Tray &lt;b onmouseover=x&gt;&#34;large&#34; &amp; &#39;blue&#39;"; !strings.Contains(words.HTML, want) {
		t.Errorf("the HTML lacks %q", want)
	}
	if want := `Tray <b onmouseover=x>"large" & 'blue'`; !strings.Contains(words.Text, want) {
		t.Errorf("the text lacks %q as it is", want)
	}
}

func TestRenderKeepsNamesOnTheirLine(t *testing.T) {
	l := notification.Example(notification.OrderShipped, "GBP")
	l.Contact.FirstName = "Ada\r\n\r\nYour account is locked"
	l.Order.Number = "CV-1\r\nBcc: everybody@example.com"
	l.Order.Carrier = "Post\nTracking:  none"
	words := render(t, l)
	if strings.ContainsAny(words.Subject, "\r\n") {
		t.Errorf("the subject has a line break: %q", words.Subject)
	}
	for _, start := range []string{"Your account is locked", "Bcc:", "Tracking:  none"} {
		if strings.Contains("\n"+words.Text, "\n"+start) {
			t.Errorf("a name opened the line %q", start)
		}
	}
}

func TestRenderGreeting(t *testing.T) {
	cases := map[string]string{
		"Ada":                         "Hello Ada,",
		"  Ada   Maria ":              "Hello Ada Maria,",
		"J. R.":                       "Hello J. R.,",
		"":                            "Hello,",
		"Win at https://evil.example": "Hello,",
		"Visit evil.example":          "Hello,",
		"www.evil":                    "Hello,",
		strings.Repeat("long ", 20):   "Hello,",
		"\u202eadA":                   "Hello adA,",
	}
	for name, want := range cases {
		l := notification.Example(notification.Welcome, "GBP")
		l.Contact.FirstName = name
		got, _, _ := strings.Cut(render(t, l).Text, "\n")
		if got != want {
			t.Errorf("greeting of %q: got %q, want %q", name, got, want)
		}
	}
}

func TestRenderMoney(t *testing.T) {
	cases := []struct {
		amount   int64
		currency string
		want     string
	}{
		{1, "GBP", "£0.01"},
		{123456789, "GBP", "£1,234,567.89"},
		{1999, "EUR", "€19.99"},
		{1999, "JPY", "¥1,999"},
		{1999, "KWD", "KWD\u00a01.999"},
		{9007199254740991, "USD", "$90,071,992,547,409.91"},
	}
	for _, c := range cases {
		l := notification.Example(notification.Receipt, c.currency)
		l.Payment.Amount = events.Money{Amount: c.amount, Currency: c.currency}
		if got := render(t, l).Subject; !strings.HasSuffix(got, ": "+strings.ReplaceAll(c.want, "\u00a0", " ")) {
			t.Errorf("%d %s: got subject %q, want it to end in %q", c.amount, c.currency, got, c.want)
		}
	}
}

func TestRenderLongOrder(t *testing.T) {
	l := notification.Example(notification.OrderReceived, "GBP")
	item := l.Order.Items[0]
	l.Order.Items = nil
	for i := range 1200 {
		item.SKU = fmt.Sprintf("SKU-%04d", i)
		l.Order.Items = append(l.Order.Items, item)
	}
	words := render(t, l)
	if want := "And 1150 more, all to be seen in your order."; !strings.Contains(words.Text, want) || !strings.Contains(words.HTML, want) {
		t.Errorf("the mail does not say %q", want)
	}
	if len(words.HTML) > 100<<10 {
		t.Errorf("the HTML has %d bytes: mail programs clip it at 102,400", len(words.HTML))
	}
}

func TestRenderRefundInFull(t *testing.T) {
	l := notification.Example(notification.Refund, "GBP")
	l.Payment.RefundedAmount = nil
	if got := render(t, l).Text; !strings.Contains(got, "We have refunded your payment of £38.88 in full.") {
		t.Errorf("a refund in full does not say so:\n%s", got)
	}
}

func TestRenderRefusesForEver(t *testing.T) {
	overflow := notification.Example(notification.OrderReceived, "GBP")
	overflow.Order.Items[0].Quantity = 1 << 60
	currency := notification.Example(notification.Receipt, "GBP")
	currency.Payment.Amount.Currency = "??"
	missing := notification.Example(notification.Refund, "GBP")
	missing.Payment = nil
	unknown := notification.Example("no-such-kind", "GBP")
	for name, l := range map[string]notification.Letter{"overflow": overflow, "currency": currency, "missing": missing, "unknown": unknown} {
		_, err := newRenderer(t).Render(l)
		var never *notification.Undeliverable
		if !errors.As(err, &never) {
			t.Errorf("%s: got %v, want Undeliverable", name, err)
		}
	}
}

// TestTemplatesAreComplete finds a folder that lacks one of the three files.
func TestTemplatesAreComplete(t *testing.T) {
	for _, trigger := range notification.Triggers() {
		for _, file := range []string{"subject.txt", "body.html", "body.txt"} {
			if _, err := os.Stat(filepath.Join("templates", string(trigger.Kind), file)); err != nil {
				t.Error(err)
			}
		}
	}
}
