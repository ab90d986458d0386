package post

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// desk is one connection, used by one sender at a time.
type desk struct {
	client  *mail.Client
	session *smtp.Client
	timeout time.Duration
	used    time.Time

	// mu guards conn, which cut closes from another goroutine.
	mu   sync.Mutex
	conn net.Conn
}

func newDesk(s Settings) (*desk, error) {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	d := &desk{timeout: s.Timeout}
	options := []mail.Option{mail.WithPort(number), mail.WithTimeout(s.Timeout), mail.WithDialContextFunc(d.dialer(s, host))}
	if s.Security == StartTLS {
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	} else {
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if s.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.Username), mail.WithPassword(s.Password))
	}
	d.client, err = mail.NewClient(host, options...)
	return d, err
}

// dialer keeps the connection at hand, so that a cancelled context can cut it:
// go-mail bounds a transaction by a time of its own.
func (d *desk) dialer(s Settings, host string) mail.DialContextFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		var conn net.Conn
		var err error
		if s.Security == TLS {
			dial := tls.Dialer{Config: &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}}
			conn, err = dial.DialContext(ctx, network, addr)
		} else {
			var dial net.Dialer
			conn, err = dial.DialContext(ctx, network, addr)
		}
		if err != nil {
			return nil, err
		}
		d.mu.Lock()
		d.conn = conn
		d.mu.Unlock()
		return conn, nil
	}
}

func (d *desk) connected() bool { return d.session != nil }

func (d *desk) idle(now time.Time) time.Duration {
	if !d.connected() {
		return 0
	}
	return now.Sub(d.used)
}

// send leaves the desk connected if the server took the message, and hangs up
// otherwise: after a failure nobody knows where the dialogue stands.
func (d *desk) send(ctx context.Context, msg *mail.Msg) error {
	stop := context.AfterFunc(ctx, d.cut)
	defer stop()
	if err := d.connect(ctx); err != nil {
		return err
	}
	// The deadline of the last use may have passed while nobody looked.
	_ = d.session.UpdateDeadline(d.timeout)
	err := d.client.SendWithSMTPClient(d.session, msg)
	if err == nil {
		return nil
	}
	d.hangUp()
	if msg.IsDelivered() {
		// The server took it and failed at the RSET that follows.
		return nil
	}
	return err
}

func (d *desk) connect(ctx context.Context) error {
	if d.connected() {
		return nil
	}
	session, err := d.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		d.cut()
		return err
	}
	d.session = session
	return nil
}

// cut closes the connection under whatever is being said on it.
func (d *desk) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		_ = d.conn.Close()
	}
}

// hangUp says QUIT and does not wait long for the answer.
func (d *desk) hangUp() {
	if d.session == nil {
		return
	}
	_ = d.session.UpdateDeadline(time.Second)
	_ = d.session.Quit()
	d.cut()
	d.session = nil
}
