package ledger

import (
	"maps"
	"strings"
)

// The statuses of a payment intent.
const (
	RequiresPaymentMethod = "requires_payment_method"
	RequiresConfirmation  = "requires_confirmation"
	RequiresAction        = "requires_action"
	RequiresCapture       = "requires_capture"
	Succeeded             = "succeeded"
	Canceled              = "canceled"
)

// Intent is a payment intent. Amounts are minor units. Maps and pointers in it
// are never changed in place, so a copy of the struct is a copy.
type Intent struct {
	ID            string            `json:"id"`
	Secret        string            `json:"secret"`
	Amount        int64             `json:"amount"`
	Currency      string            `json:"currency"`
	CaptureMethod string            `json:"capture_method"` // automatic, automatic_async or manual
	Status        string            `json:"status"`
	Method        string            `json:"method,omitempty"`
	Customer      string            `json:"customer,omitempty"`
	Description   string            `json:"description,omitempty"`
	ReceiptEmail  string            `json:"receipt_email,omitempty"`
	Suffix        string            `json:"suffix,omitempty"` // of the statement descriptor
	SetupUsage    string            `json:"setup_usage,omitempty"`
	ReturnURL     string            `json:"return_url,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	Created       int64             `json:"created"`
	CanceledAt    int64             `json:"canceled_at,omitempty"`
	CancelReason  string            `json:"cancel_reason,omitempty"`
	Received      int64             `json:"received,omitempty"`
	Capturable    int64             `json:"capturable,omitempty"`
	Refunded      int64             `json:"refunded,omitempty"` // refunds under way included
	Charge        *Charge           `json:"charge,omitempty"`   // of the latest attempt
	LastError     *Decline          `json:"last_error,omitempty"`
	Key           string            `json:"key,omitempty"` // idempotency key that created it
	APIVersion    string            `json:"api_version,omitempty"`
}

// Charge is one attempt to charge a card.
type Charge struct {
	ID       string   `json:"id"`
	Method   string   `json:"method"`
	Card     Card     `json:"card"`
	Amount   int64    `json:"amount"`
	Captured bool     `json:"captured,omitempty"`
	Decline  *Decline `json:"decline,omitempty"`
	Created  int64    `json:"created"`
}

// The largest amount at Stripe, and the least in the currencies that have another
// least than 50.
const (
	maxAmount = 99_999_999
	minAmount = 50
	minGBP    = 30
)

// CheckAmount refuses what Stripe would not charge.
func CheckAmount(amount int64, currency string) *Error {
	least := int64(minAmount)
	if strings.EqualFold(currency, "gbp") {
		least = minGBP
	}
	switch {
	case amount < 1:
		return Invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	case amount < least:
		return Invalid("amount_too_small", "amount", "Amount must be at least %d %s, in the smallest unit.", least, currency)
	case amount > maxAmount:
		return Invalid("amount_too_large", "amount", "Amount must be no more than %d %s, in the smallest unit.", maxAmount, currency)
	}
	return nil
}

// Open reports whether the intent can still be paid or changed.
func (i Intent) Open() bool {
	switch i.Status {
	case RequiresPaymentMethod, RequiresConfirmation, RequiresAction:
		return true
	}
	return false
}

// SetMethod gives an unconfirmed intent a payment method.
func (i Intent) SetMethod(m Method) (Intent, *Error) {
	if !i.Open() {
		return i, unexpected(i, "This PaymentIntent's payment_method could not be updated because it has a status of %s.", i.Status)
	}
	if err := m.usableFor(i.Customer); err != nil {
		return i, err
	}
	i.Method, i.LastError = m.ID, nil
	i.Status = RequiresConfirmation
	return i, nil
}

// Confirm tries to pay. It returns the intent as the attempt left it and, where the
// attempt was declined, the refusal: both are to be kept.
func (tx *Tx) Confirm(i Intent, offSession bool) (Intent, *Error) {
	switch i.Status {
	case RequiresConfirmation, RequiresAction:
	case RequiresPaymentMethod:
		return i, unexpected(i, "You cannot confirm this PaymentIntent because it's missing a payment method. "+
			"You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method.")
	case Succeeded:
		return i, unexpected(i, "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.")
	default:
		return i, unexpected(i, "You cannot confirm this PaymentIntent because it has a status of %s. "+
			"Only a PaymentIntent with one of the following statuses may be confirmed: requires_confirmation, requires_action.", i.Status)
	}
	m, ok := tx.Method(i.Method)
	if !ok {
		return i, Missing("PaymentMethod", i.Method, "payment_method")
	}
	if err := m.usableFor(i.Customer); err != nil {
		return i, err
	}
	i.LastError = nil
	if behaviourOf(m.Card.Token).authenticate {
		if offSession {
			return tx.declined(i, m, Decline{Code: "authentication_required", DeclineCode: "authentication_required",
				Message: "Your card was declined. This transaction requires authentication."})
		}
		i.Status = RequiresAction
		return i, nil
	}
	return tx.charge(i, m)
}

// Authenticate ends 3-D Secure, passed or not.
func (tx *Tx) Authenticate(i Intent, passed bool) (Intent, *Error) {
	if i.Status != RequiresAction {
		return i, unexpected(i, "This PaymentIntent does not wait for the customer: it has a status of %s.", i.Status)
	}
	m, ok := tx.Method(i.Method)
	if !ok {
		return i, Missing("PaymentMethod", i.Method, "payment_method")
	}
	if passed {
		return tx.charge(i, m)
	}
	i.Status, i.Method = RequiresPaymentMethod, ""
	i.LastError = &Decline{Code: "payment_intent_authentication_failure", Method: m.ID,
		Message: "We are unable to authenticate your payment method. Please choose a different payment method and try again."}
	err := i.LastError.asError()
	err.Intent, err.Method, err.Executed = &i, &m, true
	return i, err
}

// charge asks the issuer.
func (tx *Tx) charge(i Intent, m Method) (Intent, *Error) {
	b := behaviourOf(m.Card.Token)
	if b.decline != nil {
		return tx.declined(i, m, *b.decline)
	}
	i.Charge = &Charge{ID: tx.NewID("ch"), Method: m.ID, Card: m.Card, Amount: i.Amount, Created: tx.Now().Unix()}
	if m.Customer == "" {
		if i.SetupUsage != "" && i.Customer != "" {
			m.Customer = i.Customer
		} else {
			m.Spent = true
		}
		tx.PutMethod(m)
	}
	if i.CaptureMethod == "manual" {
		i.Status, i.Capturable = RequiresCapture, i.Amount
		return i, nil
	}
	i.Charge.Captured = true
	i.Status, i.Received = Succeeded, i.Amount
	return i, nil
}

func (tx *Tx) declined(i Intent, m Method, d Decline) (Intent, *Error) {
	i.Charge = &Charge{ID: tx.NewID("ch"), Method: m.ID, Card: m.Card, Amount: i.Amount, Created: tx.Now().Unix(), Decline: &d}
	d.Charge, d.Method = i.Charge.ID, m.ID
	i.Status, i.Method, i.LastError = RequiresPaymentMethod, "", &d
	err := d.asError()
	err.Intent, err.Method, err.Executed = &i, &m, true
	return i, err
}

// Capture takes what was authorized, or part of it; the rest is released.
func (i Intent) Capture(amount int64) (Intent, *Error) {
	if i.Status != RequiresCapture {
		return i, unexpected(i, "This PaymentIntent could not be captured because it has a status of %s. "+
			"Only a PaymentIntent with one of the following statuses may be captured: requires_capture.", i.Status)
	}
	if amount < 1 || amount > i.Capturable {
		return i, Invalid("amount_too_large", "amount_to_capture", "The amount to capture must be between 1 and the capturable amount, %d.", i.Capturable)
	}
	charge := *i.Charge
	charge.Captured = true
	i.Charge = &charge
	i.Status, i.Received, i.Capturable = Succeeded, amount, 0
	return i, nil
}

// Cancel ends an intent that has not succeeded; an authorization is released.
func (tx *Tx) Cancel(i Intent, reason string) (Intent, *Error) {
	if i.Status == Succeeded || i.Status == Canceled {
		return i, unexpected(i, "You cannot cancel this PaymentIntent because it has a status of %s. Only a PaymentIntent with one of the following statuses "+
			"may be canceled: requires_payment_method, requires_capture, requires_reauthorization, requires_confirmation, requires_action, processing.", i.Status)
	}
	i.Status, i.Capturable = Canceled, 0
	i.CanceledAt, i.CancelReason = tx.Now().Unix(), reason
	return i, nil
}

// MergeMetadata returns old with the changes; an empty value removes its key.
func MergeMetadata(old, changes map[string]string) map[string]string {
	merged := make(map[string]string, len(old)+len(changes))
	maps.Copy(merged, old)
	for k, v := range changes {
		if v == "" {
			delete(merged, k)
			continue
		}
		merged[k] = v
	}
	return merged
}

// SetAmount changes what will be charged, as long as nothing has been.
func (i Intent) SetAmount(amount int64) (Intent, *Error) {
	if amount == i.Amount {
		return i, nil
	}
	if !i.Open() {
		return i, unexpected(i, "This PaymentIntent's amount could not be updated because it has a status of %s.", i.Status)
	}
	i.Amount = amount
	return i, nil
}
