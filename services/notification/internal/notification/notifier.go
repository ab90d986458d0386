package notification

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/crashpoint"
)

// ErrClaimed tells that another delivery of the same event is being worked on.
// The caller tries again later: if that worker dies, its lease ends.
var ErrClaimed = errors.New("notification: another delivery of this event is under way")

// Undeliverable tells that a mail can never be delivered. Its text goes to the
// dead-letter log, so it never names the person or the address.
type Undeliverable struct{ Reason string }

func (u *Undeliverable) Error() string { return "notification: undeliverable: " + u.Reason }

// Directory is what User knows. found is false for an erased person or a token
// that is spent, and is no error; an error means that User could not be asked.
type Directory interface {
	Contact(ctx context.Context, userID uuid.UUID) (c Contact, found bool, err error)
	ResetToken(ctx context.Context, resetID uuid.UUID) (t Token, found bool, err error)
	VerificationToken(ctx context.Context, userID uuid.UUID) (t Token, found bool, err error)
	// Verification gives the token of one verification, and the address that it proves.
	Verification(ctx context.Context, userID, id uuid.UUID) (t Token, email string, found bool, err error)
	// FormerAddress gives the address that an account had before a change.
	FormerAddress(ctx context.Context, userID, id uuid.UUID) (email string, found bool, err error)
}

// Orders is what Order knows. An error means that it could not be asked.
type Orders interface {
	AwaitsPayment(ctx context.Context, orderID uuid.UUID) (bool, error)
}

// Renderer turns a letter into words. Its error is always Undeliverable: the
// same letter fails each time.
type Renderer interface {
	Render(l Letter) (Rendered, error)
}

// Sender hands a message to the mail server. A nil error means that the server
// took it. Undeliverable means that it never will; any other error leaves open
// whether it did.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Outcome is what a claim is settled with, for ever.
type Outcome string

// The ends of an event. Refused is counted alone: its claim is given back, so
// that the dead letter can be tried again once the reason is gone.
const (
	Sent    Outcome = "sent"
	NoMail  Outcome = "no-mail"
	Refused Outcome = "refused"
)

// Claims lets one worker at a time work on a mail, and remembers settled ones.
// Any error means that the store could not be asked.
type Claims interface {
	// Take gives a lease, or held=true while somebody else has one, or
	// settled=true when the mail is done with.
	Take(ctx context.Context, key string) (lease string, held, settled bool, err error)
	// Settle marks a mail as done with for ever, whoever holds the lease.
	Settle(ctx context.Context, key string, o Outcome) error
	// Release ends a lease early, if it is still this one.
	Release(ctx context.Context, key, lease string) error
}

// Times bounds one delivery. Work plus Settle must stay below both the lease
// of Claims and the time after which the sidecar delivers an event again.
type Times struct {
	Work   time.Duration
	Settle time.Duration
}

// pointless holds for an attempt that ended because its order did, or because
// another one had paid: there is nothing that the customer could try again,
// even if Order has not heard of it yet.
func pointless(failureCode string) bool {
	switch failureCode {
	case "order_closed", "order_cancelled", "already_paid":
		return true
	default:
		return false
	}
}

// Notifier sends the mail of an event once.
type Notifier struct {
	directory Directory
	orders    Orders
	renderer  Renderer
	sender    Sender
	claims    Claims
	count     func(Kind, Outcome)
	domain    string
	times     Times
	unsettled *unsettled
	log       *slog.Logger
}

// Ports are the neighbours of a Notifier.
type Ports struct {
	Directory Directory
	Orders    Orders
	Renderer  Renderer
	Sender    Sender
	Claims    Claims
	// Count is told of each end, for the metrics.
	Count func(k Kind, o Outcome)
}

// New makes a Notifier. domain is the right side of every Message-ID.
func New(p Ports, domain string, times Times, log *slog.Logger) *Notifier {
	return &Notifier{
		directory: p.Directory, orders: p.Orders, renderer: p.Renderer, sender: p.Sender, claims: p.Claims,
		count: p.Count, domain: domain, times: times, unsettled: newUnsettled(), log: log,
	}
}

// Notify sends the mail of an occasion unless it was sent before, or nobody is
// there to read it. nil means done for ever; Undeliverable means never; any
// other error means to come again.
//
// Only a crash between the server's taking of the mail and Settle can repeat
// a mail. The repetition has the same Message-ID and the same content.
func (n *Notifier) Notify(ctx context.Context, o Occasion) error {
	if outcome, ok := n.unsettled.outcome(o.key()); ok {
		// This process sent it, and the claim store was away when it was to be told.
		return n.settle(ctx, o, outcome)
	}
	work, cancel := context.WithTimeout(ctx, n.times.Work)
	defer cancel()
	lease, held, settled, err := n.claims.Take(work, o.key())
	switch {
	case err != nil:
		return fmt.Errorf("notification: claim: %w", err)
	case settled:
		return nil
	case held:
		return ErrClaimed
	}
	outcome, err := n.deliver(work, o)
	if err != nil {
		n.release(ctx, o.key(), lease)
		var never *Undeliverable
		if errors.As(err, &never) {
			n.count(o.Kind, Refused)
		}
		return err
	}
	return n.settle(ctx, o, outcome)
}

// deliver composes and sends, or finds that no mail is due.
func (n *Notifier) deliver(ctx context.Context, o Occasion) (Outcome, error) {
	letter, due, err := n.compose(ctx, o)
	if err != nil {
		return "", err
	}
	if !due {
		return NoMail, nil
	}
	words, err := n.renderer.Render(letter)
	if err != nil {
		return "", err
	}
	m := Message{
		ID:        messageID(o, letter.Contact.Email, n.domain),
		ToName:    FullName(letter.Contact),
		ToAddress: letter.Contact.Email,
		// The time of the event, so that a repeated mail is the same to the byte.
		Date:     o.At,
		Rendered: words,
	}
	crashpoint.Hit("mail.before_send", string(o.Kind))
	if err := n.sender.Send(ctx, m); err != nil {
		return "", err
	}
	crashpoint.Hit("mail.before_mark", string(o.Kind))
	return Sent, nil
}

// compose gathers what the letter needs; due is false where no mail is.
func (n *Notifier) compose(ctx context.Context, o Occasion) (l Letter, due bool, err error) {
	if o.Kind == PaymentFailed {
		if pointless(o.Payment.FailureCode) {
			return Letter{}, false, nil
		}
		if due, err = n.orders.AwaitsPayment(ctx, o.Payment.OrderID); err != nil || !due {
			return Letter{}, false, err
		}
	}
	contact, due, err := n.directory.Contact(ctx, o.UserID)
	if err != nil || !due {
		return Letter{}, false, err
	}
	l = Letter{Occasion: o, Contact: contact}
	due, err = n.identify(ctx, &l)
	return l, due, err
}

// identify adds what User alone knows: the one-time token, and where a mail
// about an address goes if not to the account's own.
func (n *Notifier) identify(ctx context.Context, l *Letter) (due bool, err error) {
	switch l.Kind {
	case Welcome:
		l.Token, due, err = n.directory.VerificationToken(ctx, l.UserID)
	case PasswordReset:
		l.Token, due, err = n.directory.ResetToken(ctx, l.ResetID)
	case VerifyEmail:
		l.Token, l.Contact.Email, due, err = n.directory.Verification(ctx, l.UserID, l.VerificationID)
	case EmailChanged:
		l.Contact.Email, due, err = n.directory.FormerAddress(ctx, l.UserID, l.VerificationID)
	default:
		due = true
	}
	return due, err
}

// settle outlives the caller's cancellation: a stop of the process between
// sending and marking must not cost a second mail.
func (n *Notifier) settle(ctx context.Context, o Occasion, outcome Outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.times.Settle)
	defer cancel()
	if err := n.claims.Settle(ctx, o.key(), outcome); err != nil {
		n.unsettled.remember(o.key(), outcome)
		return fmt.Errorf("notification: settle: %w", err)
	}
	n.unsettled.forget(o.key())
	n.count(o.Kind, outcome)
	n.log.InfoContext(ctx, "mail settled", "event_id", o.EventID, "kind", string(o.Kind), "outcome", string(outcome))
	return nil
}

// release lets the next delivery start at once. Should it fail, the lease ends
// by itself.
func (n *Notifier) release(ctx context.Context, key, lease string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.times.Settle)
	defer cancel()
	if err := n.claims.Release(ctx, key, lease); err != nil {
		n.log.WarnContext(ctx, "claim not released", "error", err)
	}
}
