package post

import (
	"crypto/sha256"
	"encoding/hex"
	netmail "net/mail"

	"github.com/wneessen/go-mail"

	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

// compose writes the headers. Names and subjects pass through OneLine and
// through the encoders of net/mail and mime, never through string formatting:
// no name can open a header or a second recipient.
func compose(from *netmail.Address, m notification.Message) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithBoundary(boundary(m.ID)))
	if err := msg.From(from.String()); err != nil {
		return nil, err
	}
	if alone, err := netmail.ParseAddress(m.ToAddress); err != nil || alone.Address != m.ToAddress {
		return nil, &notification.Undeliverable{Reason: "the address of the recipient can't be read"}
	}
	to := netmail.Address{Name: notification.OneLine(m.ToName), Address: m.ToAddress}
	if err := msg.To(to.String()); err != nil {
		return nil, &notification.Undeliverable{Reason: "the address of the recipient can't be read"}
	}
	msg.Subject(notification.OneLine(m.Subject))
	msg.SetMessageIDWithValue(m.ID)
	msg.SetDateWithValue(m.Date)
	// Keeps out-of-office replies and mailing loops away.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	return msg, nil
}

// boundary is derived, not drawn: a repeated mail is the same to the byte.
func boundary(messageID string) string {
	sum := sha256.Sum256([]byte(messageID))
	return "caravan-" + hex.EncodeToString(sum[:16])
}
