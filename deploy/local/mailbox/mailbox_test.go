package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gomail "github.com/wneessen/go-mail"
)

// running is a mailbox on free ports.
type running struct {
	t    *testing.T
	smtp int
	http string
	dir  string
	stop func()
}

// start serves a mailbox on dir until the test ends or stop is called.
func start(t *testing.T, dir string, keep int) *running {
	t.Helper()
	box, err := openStore(dir, keep, time.Now)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	smtpL, err := listen(ctx, "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	httpL, err := listen(ctx, "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- serve(ctx, box, 1<<20, smtpL, httpL, slog.New(slog.DiscardHandler)) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: got %v, want a clean end", err)
		}
	})
	t.Cleanup(stop)
	return &running{t: t, smtp: smtpL.Addr().(*net.TCPAddr).Port, http: "http://" + httpL.Addr().String(), dir: dir, stop: stop}
}

// message is a mail as the notification service writes them.
func message(t *testing.T, to, subject string) *gomail.Msg {
	t.Helper()
	m := gomail.NewMsg()
	for _, err := range []error{m.FromFormat("Caravan", "shop@caravan.example"), m.AddToFormat("Zoë Quick", to)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	m.Subject(subject)
	m.SetMessageIDWithValue("event-1@caravan.example")
	m.SetBodyString(gomail.TypeTextPlain, "Dear Zoë, thank you.")
	m.AddAlternativeString(gomail.TypeTextHTML, "<p>Dear <b>Zoë</b>, thank you.</p>")
	return m
}

func (r *running) send(msgs ...*gomail.Msg) {
	r.t.Helper()
	c, err := gomail.NewClient("127.0.0.1", gomail.WithPort(r.smtp), gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithHELO("localhost"))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := c.DialAndSendWithContext(r.t.Context(), msgs...); err != nil {
		r.t.Fatalf("send: %v", err)
	}
}

// fetch returns status, headers and body.
func (r *running) fetch(method, path string) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.http+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

// list returns the mails of GET /api/email.
func (r *running) list(query string) []mail {
	r.t.Helper()
	code, _, body := r.fetch("GET", "/api/email"+query)
	var out []mail
	if err := json.Unmarshal([]byte(body), &out); code != 200 || err != nil {
		r.t.Fatalf("list: got %d %v %q", code, err, body)
	}
	return out
}

func subjects(mails []mail) []string {
	out := []string{}
	for _, m := range mails {
		out = append(out, m.Subject)
	}
	return out
}

func TestMailIsReadBackWhole(t *testing.T) {
	r := start(t, t.TempDir(), 10)
	m := message(t, "zoe@caravan.example", "Réception ✓")
	if err := m.Bcc("audit@caravan.example"); err != nil {
		t.Fatal(err)
	}
	r.send(m)

	mails := r.list("")
	if len(mails) != 1 {
		t.Fatalf("mails: got %d, want 1", len(mails))
	}
	got := mails[0]
	if got.Subject != "Réception ✓" || got.Text != "Dear Zoë, thank you." || got.HTML != "<p>Dear <b>Zoë</b>, thank you.</p>" {
		t.Errorf("content: got %q, %q, %q", got.Subject, got.Text, got.HTML)
	}
	if diff := cmp.Diff([]address{{"shop@caravan.example", "Caravan"}}, got.From); diff != "" {
		t.Errorf("from (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]address{{"zoe@caravan.example", "Zoë Quick"}}, got.To); diff != "" {
		t.Errorf("to (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"zoe@caravan.example", "audit@caravan.example"}, got.Recipients); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
	if want := "event-1@caravan.example"; got.MessageID != want {
		t.Errorf("messageId: got %q, want %q", got.MessageID, want)
	}
	if got.Headers["return-path"] != "<shop@caravan.example>" || !strings.HasPrefix(got.Headers["content-type"], "multipart/alternative") {
		t.Errorf("headers: got %v", got.Headers)
	}

	code, _, body := r.fetch("GET", "/api/email/"+got.ID)
	var one mail
	if err := json.Unmarshal([]byte(body), &one); code != 200 || err != nil {
		t.Fatalf("get: got %d %v", code, err)
	}
	if diff := cmp.Diff(got, one); diff != "" {
		t.Errorf("get and list differ (-list +get):\n%s", diff)
	}
}

func TestListIsNewestLastAndFiltered(t *testing.T) {
	r := start(t, t.TempDir(), 10)
	if got := r.list(""); len(got) != 0 {
		t.Fatalf("empty box: got %d mails", len(got))
	}
	for i := range 4 {
		r.send(message(t, fmt.Sprintf("buyer%d@caravan.example", i%2), fmt.Sprintf("s%d", i)))
	}
	second := r.list("")[1].ID
	for query, want := range map[string][]string{
		"":                                   {"s0", "s1", "s2", "s3"},
		"?limit=2":                           {"s2", "s3"},
		"?to=BUYER1@caravan.example":         {"s1", "s3"},
		"?to=buyer1@caravan.example&limit=1": {"s3"},
		"?after=" + second:                   {"s2", "s3"},
		"?to=nobody@caravan.example":         {},
	} {
		if diff := cmp.Diff(want, subjects(r.list(query))); diff != "" {
			t.Errorf("list %q (-want +got):\n%s", query, diff)
		}
	}
	if code, _, _ := r.fetch("GET", "/api/email?limit=x"); code != 400 {
		t.Errorf("bad limit: got %d, want 400", code)
	}
}

func TestOldestMakesRoomAndRestartFindsTheRest(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir, 3)
	for i := range 5 {
		r.send(message(t, "a@caravan.example", fmt.Sprintf("s%d", i)))
	}
	want := []string{"s2", "s3", "s4"}
	if diff := cmp.Diff(want, subjects(r.list(""))); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	before := r.list("")
	r.stop()

	for name, content := range map[string]string{"0123.eml.tmp": "half", "notes.txt": "not ours"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := start(t, dir, 3)
	if diff := cmp.Diff(before, again.list("")); diff != "" {
		t.Errorf("after a restart (-before +after):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(dir, "0123.eml.tmp")); !os.IsNotExist(err) {
		t.Errorf("half-written file: got %v, want it removed", err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.eml")); len(files) != 3 {
		t.Errorf("files: got %d, want 3", len(files))
	}
}

func TestDeleteAllAndOne(t *testing.T) {
	r := start(t, t.TempDir(), 10)
	r.send(message(t, "a@caravan.example", "one"), message(t, "a@caravan.example", "two"), message(t, "a@caravan.example", "three"))
	id := r.list("")[1].ID
	if code, _, _ := r.fetch("DELETE", "/api/email/"+id); code != 200 {
		t.Errorf("delete one: got %d, want 200", code)
	}
	if diff := cmp.Diff([]string{"one", "three"}, subjects(r.list(""))); diff != "" {
		t.Errorf("after deleting one (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/api/email/" + id, "/mail/" + id, "/mail/" + id + "/source", "/api/email/..%2fetc"} {
		if code, _, _ := r.fetch("GET", path); code != 404 {
			t.Errorf("GET %s: got %d, want 404", path, code)
		}
	}
	if code, _, _ := r.fetch("DELETE", "/api/email/all"); code != 200 || len(r.list("")) != 0 {
		t.Errorf("delete all: got %d and %d mails", code, len(r.list("")))
	}
	if files, _ := os.ReadDir(r.dir); len(files) != 0 {
		t.Errorf("files left: got %d, want 0", len(files))
	}
}

func TestManySendersAtOnce(t *testing.T) {
	r := start(t, t.TempDir(), 1000)
	var group sync.WaitGroup
	for g := range 10 {
		group.Go(func() {
			msgs := make([]*gomail.Msg, 20)
			for i := range msgs {
				msgs[i] = message(t, "a@caravan.example", fmt.Sprintf("m%d-%d", g, i))
			}
			r.send(msgs...)
		})
	}
	group.Wait()
	seen := map[string]bool{}
	last := ""
	for _, m := range r.list("") {
		if m.ID <= last {
			t.Errorf("order: %s comes after %s", m.ID, last)
		}
		last = m.ID
		seen[m.Subject] = true
	}
	if len(seen) != 200 {
		t.Errorf("mails: got %d different ones, want 200", len(seen))
	}
}

func TestPagesAreReadableAndHarmless(t *testing.T) {
	r := start(t, t.TempDir(), 10)
	m := message(t, "a@caravan.example", "<script>alert(1)</script>")
	m.AddAlternativeString(gomail.TypeTextHTML, "<script>alert(2)</script>")
	r.send(m)
	id := r.list("")[0].ID

	for _, path := range []string{"/", "/?to=a@caravan.example", "/mail/" + id, "/mail/" + id + "?view=text"} {
		code, h, body := r.fetch("GET", path)
		if code != 200 || strings.Contains(body, "<script>") || !strings.Contains(body, "&lt;script&gt;") {
			t.Errorf("GET %s: got %d, want the subject escaped", path, code)
		}
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("GET %s: got policy %q", path, csp)
		}
	}
	_, h, body := r.fetch("GET", "/mail/"+id+"/html")
	if csp := h.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox") || strings.Contains(csp, "allow-scripts") {
		t.Errorf("mail document: got policy %q, want a sandbox without scripts", csp)
	}
	if !strings.Contains(body, "Zoë") {
		t.Errorf("mail document: got %q", body)
	}
	if code, _, body := r.fetch("GET", "/mail/"+id+"/source"); code != 200 || !strings.Contains(body, "Delivered-To: a@caravan.example\r\n") {
		t.Errorf("source: got %d %q", code, body)
	}
	for _, path := range []string{"/healthz", "/api/healthz", "/style.css"} {
		if code, _, _ := r.fetch("GET", path); code != 200 {
			t.Errorf("GET %s: got %d, want 200", path, code)
		}
	}
}

func TestOtherHostNamesAreRefused(t *testing.T) {
	r := start(t, t.TempDir(), 10)
	for host, want := range map[string]int{"localhost:1": 200, "127.0.0.1": 200, "[::1]:8": 200, "evil.example": 421, "evil.example:80": 421, "10.0.0.1": 421} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", r.http+"/api/email", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("Host %s: got %d, want %d", host, res.StatusCode, want)
		}
	}
}

func TestBrokenMailIsKept(t *testing.T) {
	r := start(t, t.TempDir(), 10)
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.smtp))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@caravan.example>\r\nDATA\r\nno header at all\r\n.\r\nQUIT\r\n")
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatal(err)
	}
	got := r.list("?to=b@caravan.example")
	if len(got) != 1 || got[0].From == nil || got[0].To == nil || got[0].Cc == nil {
		t.Errorf("broken mail: got %+v, want one with empty lists", got)
	}
}
