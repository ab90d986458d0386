package notification

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// Occasion is one event that is worth a mail. Everything the mail says comes
// from here and from Letter's contact and token, so that a repeated mail is
// the same mail.
type Occasion struct {
	EventID string
	Kind    Kind
	UserID  uuid.UUID
	At      time.Time
	// ResetID is set for PasswordReset alone.
	ResetID uuid.UUID
	// VerificationID is set for VerifyEmail and EmailChanged.
	VerificationID uuid.UUID
	// Product is set for BackInStock.
	Product *events.ProductBackInStock
	// Order is set for the order-* kinds.
	Order *events.OrderData
	// Payment is set for Receipt, PaymentFailed and Refund.
	Payment *events.PaymentData
}

// key names the claim of this mail. It holds no personal data.
func (o Occasion) key() string { return "mail:" + o.EventID + ":" + string(o.Kind) }

// Contact is whom User says the mail goes to.
type Contact struct {
	Email     string
	FirstName string
	LastName  string
}

// Token is a one-time token. It goes into the mail and nowhere else: never
// into a log, an error or a claim.
type Token struct {
	Value string
	// ExpiresAt is zero for a token without an end.
	ExpiresAt time.Time
}

// Letter is all that a template may draw on.
type Letter struct {
	Occasion
	Contact Contact
	Token   Token
}

// Rendered is a letter in words.
type Rendered struct {
	Subject string
	Text    string
	HTML    string
}

// Message is a mail ready to be handed to a server.
type Message struct {
	// ID is the Message-ID without angle brackets.
	ID        string
	ToName    string
	ToAddress string
	Date      time.Time
	Rendered
}

// messageID is the same for every repetition of one mail to one address, so
// that mail systems can recognise a repeated one.
func messageID(o Occasion, email, domain string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(email)))
	return o.EventID + "." + hex.EncodeToString(sum[:8]) + "@" + domain
}
