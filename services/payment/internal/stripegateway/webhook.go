package stripegateway

import (
	"encoding/json"
	"strings"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v86/webhook"

	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// Hearing checks and reads the provider's notifications.
type Hearing struct{ secret string }

// NewHearing makes a reader for the endpoint's signing secret.
func NewHearing(secret string) Hearing { return Hearing{secret: secret} }

// Read checks signature and age on the raw body, then takes out whose attempt
// the notification is about. What it says of the object's state is not read.
func (h Hearing) Read(body []byte, signature string) (payment.Notice, error) {
	event, err := webhook.ConstructEventWithOptions(body, signature, h.secret,
		webhook.ConstructEventOptions{Tolerance: webhook.DefaultTolerance, IgnoreAPIVersionMismatch: true})
	if err != nil {
		return payment.Notice{}, payment.ErrSignature
	}
	n := payment.Notice{ID: event.ID, Type: string(event.Type)}
	if event.Data == nil || !telling(n.Type) {
		return n, nil
	}
	var object struct {
		ID       string            `json:"id"`
		Metadata map[string]string `json:"metadata"`
	}
	if json.Unmarshal(event.Data.Raw, &object) != nil {
		return n, nil //nolint:nilerr // another kind of object is not ours
	}
	n.ObjectID = object.ID
	if id, err := uuid.Parse(object.Metadata[metaTransaction]); err == nil {
		n.Transaction = id
	}
	return n, nil
}

// telling holds for the types after which there is something to be read.
func telling(kind string) bool {
	if kind == "payment_intent.created" {
		return false
	}
	return strings.HasPrefix(kind, "payment_intent.") || strings.HasPrefix(kind, "refund.") || strings.HasPrefix(kind, "charge.refund")
}
