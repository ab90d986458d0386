package notification_test

import (
	"errors"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

func TestRefusedForEver(t *testing.T) {
	s := openShop(t)
	s.server.Refuse(func(stage string) error {
		if stage != "rcpt" {
			return nil
		}
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	})
	o := s.occasion(t, notification.Receipt)
	n := s.replica(t, s.claims())
	var never *notification.Undeliverable
	if err := n.Notify(t.Context(), o); !errors.As(err, &never) {
		t.Fatalf("got %v, want Undeliverable", err)
	}
	s.server.Refuse(nil)
	if err := n.Notify(t.Context(), o); err != nil {
		t.Errorf("the dead letter, tried again: %v", err)
	}
	s.wantMails(t, 1)
	want := map[notification.Outcome]int{notification.Refused: 1, notification.Sent: 1}
	if diff := cmp.Diff(want, s.counts); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

func TestAnUnspeakableNameStillGetsMail(t *testing.T) {
	s := openShop(t)
	s.neighbours.contact.FirstName = "Ada\r\nBcc: everybody@example.com"
	s.neighbours.contact.LastName = `" <evil@example.com>`
	if err := s.replica(t, s.claims()).Notify(t.Context(), s.occasion(t, notification.Welcome)); err != nil {
		t.Fatal(err)
	}
	m := s.server.Mails()[0]
	if diff := cmp.Diff([]string{"ada@example.com"}, m.To); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
	if h := m.Header(t); h.Get("Bcc") != "" || h.Get("To") != "<ada@example.com>" {
		t.Errorf("To is %q, Bcc is %q", h.Get("To"), h.Get("Bcc"))
	}
}
