package main

import (
	"io"
	"log/slog"
	"time"

	"github.com/emersion/go-smtp"
)

// errStore is what a sender hears when the disk refuses: temporary, so that it
// tries again.
var errStore = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "mail could not be stored, try again"}

// newSMTPServer returns a server that accepts every sender and recipient.
func newSMTPServer(box *store, maxBytes int64, log *slog.Logger) *smtp.Server {
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{box: box, log: log}, nil
	}))
	s.Domain = "mailbox.localhost"
	s.MaxMessageBytes = maxBytes
	s.MaxRecipients = 100
	s.ReadTimeout = time.Minute
	s.WriteTimeout = time.Minute
	s.EnableSMTPUTF8 = true
	s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	return s
}

// session is one SMTP connection; envelope is of the mail under way.
type session struct {
	box      *store
	log      *slog.Logger
	envelope envelope
}

// envelope is what the SMTP dialogue said, as opposed to the mail's own headers.
type envelope struct {
	from string
	to   []string
}

func (s *session) Reset()        { s.envelope = envelope{} }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.envelope = envelope{from: from}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.envelope.to = append(s.envelope.to, to)
	return nil
}

// Data stores the mail before it is acknowledged.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.box.Add(s.envelope, raw); err != nil {
		// No address is logged: the mail log is a log like any other.
		s.log.Error("mail not stored", "error", err)
		return errStore
	}
	return nil
}
