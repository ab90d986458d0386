package post_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/caravan-shop/caravan/services/notification/internal/notification"
	"github.com/caravan-shop/caravan/services/notification/internal/post"
	"github.com/caravan-shop/caravan/services/notification/internal/posttest"
)

func newOffice(t *testing.T, addr string, change func(*post.Settings)) *post.Office {
	t.Helper()
	s := post.Settings{
		Addr: addr, From: "Caravan <shop@caravan.example>", Security: post.None,
		Connections: 2, Timeout: 5 * time.Second, IdleFor: time.Minute,
	}
	if change != nil {
		change(&s)
	}
	office, err := post.New(s, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error)
	go func() { done <- office.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return office
}

func letter(id string) notification.Message {
	return notification.Message{
		ID: id + "@caravan.example", ToName: "Ada Lovelace", ToAddress: "ada@example.com",
		Date:     time.Date(2026, time.March, 14, 9, 26, 53, 0, time.UTC),
		Rendered: notification.Rendered{Subject: "Receipt: £38.88", Text: "Danke schön.\n", HTML: "<p>Danke schön.</p>\n"},
	}
}

func TestSend(t *testing.T) {
	server := posttest.Start(t)
	office := newOffice(t, server.Addr, nil)
	if err := office.Send(t.Context(), letter("one")); err != nil {
		t.Fatal(err)
	}
	mails := server.Mails()
	if len(mails) != 1 {
		t.Fatalf("got %d mails, want 1", len(mails))
	}
	if diff := cmp.Diff([]string{"ada@example.com"}, mails[0].To); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
	h := mails[0].Header(t)
	want := map[string]string{
		"Message-Id": "<one@caravan.example>", "From": `"Caravan" <shop@caravan.example>`, "To": `"Ada Lovelace" <ada@example.com>`,
		"Date": "Sat, 14 Mar 2026 09:26:53 +0000", "Auto-Submitted": "auto-generated", "Mime-Version": "1.0",
	}
	for name, value := range want {
		if got := h.Get(name); got != value {
			t.Errorf("%s: got %q, want %q", name, got, value)
		}
	}
	if got, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject")); err != nil || got != "Receipt: £38.88" {
		t.Errorf("subject: got %q, error %v", got, err)
	}
	if !strings.HasPrefix(h.Get("Content-Type"), "multipart/alternative") {
		t.Errorf("content type: got %q", h.Get("Content-Type"))
	}
}

func TestSendIsTheSameToTheByte(t *testing.T) {
	server := posttest.Start(t)
	for range 2 {
		office := newOffice(t, server.Addr, nil)
		if err := office.Send(t.Context(), letter("same")); err != nil {
			t.Fatal(err)
		}
	}
	mails := server.Mails()
	if !bytes.Equal(mails[0].Data, mails[1].Data) {
		t.Errorf("a repeated mail differs:\n%s", cmp.Diff(string(mails[0].Data), string(mails[1].Data)))
	}
}

func TestSendKeepsConnections(t *testing.T) {
	server := posttest.Start(t)
	office := newOffice(t, server.Addr, nil)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if err := office.Send(t.Context(), letter(fmt.Sprint("many-", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(server.Mails()); got != 40 {
		t.Errorf("got %d mails, want 40", got)
	}
	if got := server.Connections(); got > 2 {
		t.Errorf("40 mails took %d connections, want at most 2", got)
	}
}

func TestSendAfterServerCameBack(t *testing.T) {
	server := posttest.Start(t)
	office := newOffice(t, server.Addr, func(s *post.Settings) { s.Connections = 1 })
	if err := office.Send(t.Context(), letter("before")); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	if err := office.Send(t.Context(), letter("while")); err == nil {
		t.Fatal("a mail was sent to a server that is away")
	}
	back := posttest.StartAt(t, server.Addr)
	if err := office.Send(t.Context(), letter("after")); err != nil {
		t.Fatal(err)
	}
	if got := len(back.Mails()); got != 1 {
		t.Errorf("got %d mails, want 1", got)
	}
}

func TestSendReplacesAStaleConnection(t *testing.T) {
	server := posttest.Start(t)
	office := newOffice(t, server.Addr, func(s *post.Settings) { s.Connections = 1 })
	if err := office.Send(t.Context(), letter("before")); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	back := posttest.StartAt(t, server.Addr)
	if err := office.Send(t.Context(), letter("after")); err != nil {
		t.Errorf("the caller noticed that a kept connection had gone: %v", err)
	}
	if got := len(back.Mails()); got != 1 {
		t.Errorf("got %d mails, want 1", got)
	}
}

func TestSendRefusals(t *testing.T) {
	cases := []struct {
		stage string
		code  int
		never bool
	}{
		{"rcpt", 550, true}, {"data", 554, true}, {"rcpt", 450, false}, {"data", 452, false}, {"mail", 550, false}, {"mail", 421, false},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.stage, c.code), func(t *testing.T) {
			server := posttest.Start(t)
			office := newOffice(t, server.Addr, nil)
			server.Refuse(func(stage string) error {
				if stage != c.stage {
					return nil
				}
				return &smtp.SMTPError{Code: c.code, EnhancedCode: smtp.EnhancedCode{c.code / 100, 1, 1}, Message: "<ada@example.com> is not here"}
			})
			err := office.Send(t.Context(), letter("refused"))
			if err == nil {
				t.Fatal("a refused mail counts as sent")
			}
			var never *notification.Undeliverable
			if got := errors.As(err, &never); got != c.never {
				t.Errorf("undeliverable: got %v, want %v (%v)", got, c.never, err)
			}
			if strings.Contains(err.Error(), "ada") {
				t.Errorf("the error names the recipient: %v", err)
			}
			server.Refuse(nil)
			if err := office.Send(t.Context(), letter("next")); err != nil {
				t.Errorf("the next mail: %v", err)
			}
		})
	}
}

// TestSendCantBeInjected: whatever a person calls themselves, the mail has one
// recipient and no header of theirs.
func TestSendCantBeInjected(t *testing.T) {
	server := posttest.Start(t)
	office := newOffice(t, server.Addr, nil)
	names := []string{
		"Ada\r\nBcc: everybody@example.com", "Ada\nX-Evil: 1\n\n<b>body</b>", `Ada" <evil@example.com>, "Bob`,
		"evil@example.com, Ada", "Ada\u2028Bcc: x@example.com", "=?utf-8?q?Ada=0D=0ABcc:_x=40example.com?=", strings.Repeat("Ä", 400),
	}
	for i, name := range names {
		m := letter(fmt.Sprint("injected-", i))
		m.ToName, m.Subject = name, "For "+name
		if err := office.Send(t.Context(), m); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	mails := server.Mails()
	if len(mails) != len(names) {
		t.Fatalf("got %d mails, want %d", len(mails), len(names))
	}
	for i, m := range mails {
		if diff := cmp.Diff([]string{"ada@example.com"}, m.To); diff != "" {
			t.Errorf("%q: recipients (-want +got):\n%s", names[i], diff)
		}
		h := m.Header(t)
		list, err := h.AddressList("To")
		if err != nil || len(list) != 1 || list[0].Address != "ada@example.com" {
			t.Errorf("%q: To is %v, error %v", names[i], list, err)
		}
		if h.Get("Bcc") != "" || h.Get("X-Evil") != "" {
			t.Errorf("%q opened a header", names[i])
		}
	}
}

func TestSendBadAddresses(t *testing.T) {
	server := posttest.Start(t)
	office := newOffice(t, server.Addr, nil)
	for _, address := range []string{"", "nobody", "a@b\r\nRCPT TO:<c@d>", "a@b, c@d", "<a@b>, <c@d>"} {
		m := letter("bad")
		m.ToAddress = address
		var never *notification.Undeliverable
		if err := office.Send(t.Context(), m); !errors.As(err, &never) {
			t.Errorf("%q: got %v, want Undeliverable", address, err)
		}
	}
	if got := len(server.Mails()); got != 0 {
		t.Errorf("got %d mails, want none", got)
	}
}

// TestSendKeepsItsDeadline: a server that says nothing holds nobody up.
func TestSendKeepsItsDeadline(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	office := newOffice(t, l.Addr().String(), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := office.Send(ctx, letter("silent")); err == nil {
		t.Error("a mail was sent to a server that says nothing")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("gave up after %v, want about 200 ms", took)
	}
}

func TestNewRefusesAPasswordInClear(t *testing.T) {
	_, err := post.New(post.Settings{
		Addr: "127.0.0.1:25", From: "shop@caravan.example", Security: post.None, Username: "shop", Password: "secret", Connections: 1, Timeout: time.Second,
	}, time.Now)
	if err == nil {
		t.Error("a password over an open connection was accepted")
	}
}

func TestDomain(t *testing.T) {
	office := newOffice(t, "127.0.0.1:25", nil)
	if got := office.Domain(); got != "caravan.example" {
		t.Errorf("got %q", got)
	}
	if _, err := netmail.ParseAddress("x@" + office.Domain()); err != nil {
		t.Error(err)
	}
}
