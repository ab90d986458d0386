// Package post hands messages to one SMTP server over a few connections that
// are kept open. It decides what a refusal means: gone for ever, or come again.
package post

import (
	"context"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

// Security says how connections are encrypted.
type Security string

// The ways of encryption. None is for a server on the same machine.
const (
	None     Security = "none"
	StartTLS Security = "starttls"
	TLS      Security = "tls"
)

// Settings describe the server.
type Settings struct {
	// Addr is host:port.
	Addr string
	// From is the sender, as "Name <address>" or the address alone.
	From     string
	Security Security
	// Username is empty for a server that asks for none.
	Username, Password string
	// Connections is how many mails may be on their way at once.
	Connections int
	// Timeout bounds dialling, and again one transaction.
	Timeout time.Duration
	// IdleFor is how long an unused connection is kept.
	IdleFor time.Duration
}

// Office implements notification.Sender. It is safe for concurrent use.
type Office struct {
	from     *netmail.Address
	settings Settings
	now      func() time.Time
	// desks holds every desk that is free; taking one is the right to send.
	desks chan *desk
}

// New makes an office. It dials nothing: a server that is away at start delays
// mails, not the service.
func New(s Settings, now func() time.Time) (*Office, error) {
	from, err := netmail.ParseAddress(s.From)
	if err != nil {
		return nil, fmt.Errorf("post: sender: %w", err)
	}
	if s.Username != "" && s.Security == None {
		return nil, errors.New("post: a password asks for an encrypted connection")
	}
	o := &Office{from: from, settings: s, now: now, desks: make(chan *desk, s.Connections)}
	for range s.Connections {
		d, err := newDesk(s)
		if err != nil {
			return nil, err
		}
		o.desks <- d
	}
	return o, nil
}

// Domain is the right side of the sender's address.
func (o *Office) Domain() string {
	return o.from.Address[strings.LastIndexByte(o.from.Address, '@')+1:]
}

// Send implements notification.Sender. A connection that the server closed
// while it was idle is replaced without the caller's noticing.
func (o *Office) Send(ctx context.Context, m notification.Message) error {
	msg, err := compose(o.from, m)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("post: all connections are busy: %w", ctx.Err())
	case d := <-o.desks:
		defer func() { o.desks <- d }()
		if d.idle(o.now()) > o.settings.IdleFor {
			d.hangUp()
		}
		return o.sendAt(ctx, d, msg)
	}
}

func (o *Office) sendAt(ctx context.Context, d *desk, msg *mail.Msg) error {
	kept := d.connected()
	err := d.send(ctx, msg)
	if err != nil && kept && beforeData(err) && ctx.Err() == nil {
		err = d.send(ctx, msg)
	}
	d.used = o.now()
	return verdict(err)
}

// Run closes connections that nobody uses, until ctx ends, then all.
func (o *Office) Run(ctx context.Context) error {
	tick := time.NewTicker(max(o.settings.IdleFor/2, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			o.sweep(func(*desk) bool { return true })
			return nil
		case <-tick.C:
			now := o.now()
			o.sweep(func(d *desk) bool { return d.idle(now) > o.settings.IdleFor })
		}
	}
}

// sweep hangs up at free desks alone: whoever sends keeps the desk.
func (o *Office) sweep(stale func(*desk) bool) {
	for range cap(o.desks) {
		select {
		case d := <-o.desks:
			if stale(d) {
				d.hangUp()
			}
			o.desks <- d
		default:
			return
		}
	}
}

// beforeData reports whether a failure came before the message was handed
// over, on a connection that may simply have grown old.
func beforeData(err error) bool {
	var refused *mail.SendError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Reason {
	case mail.ErrConnCheck:
		return true
	case mail.ErrSMTPMailFrom, mail.ErrSMTPRcptTo:
		return refused.ErrorCode() == 0 || refused.ErrorCode() == 421
	default:
		return false
	}
}

// verdict turns a failure into one that names no address: servers like to
// quote the recipient, and this text reaches logs. A final refusal of the
// recipient or of the content is Undeliverable. A refusal of the sender is
// ours to mend, so the mails wait.
func verdict(err error) error {
	if err == nil {
		return nil
	}
	var refused *mail.SendError
	if !errors.As(err, &refused) {
		var netErr net.Error
		if errors.As(err, &netErr) && netErr.Timeout() {
			return errors.New("post: the mail server did not answer in time")
		}
		return errors.New("post: the mail server could not be reached")
	}
	said := refused.Reason.String() + ", code " + strconv.Itoa(refused.ErrorCode()) + " " + refused.EnhancedStatusCode()
	code := refused.ErrorCode()
	final := code >= 500 && code < 600
	switch refused.Reason {
	case mail.ErrSMTPRcptTo, mail.ErrSMTPData, mail.ErrSMTPDataClose:
		if final {
			return &notification.Undeliverable{Reason: said}
		}
	case mail.ErrGetRcpts:
		return &notification.Undeliverable{Reason: said}
	}
	return errors.New("post: " + said)
}
