package payment

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// IntentState is what is known of an intent at the provider. Unlike Status it
// may lag behind the truth: only terminal states are certain.
type IntentState string

// What the provider said last.
const (
	// IntentNone: no id is known; a create call may have been made.
	IntentNone IntentState = "none"
	// IntentUnconfirmed: exists and is committed here; a confirmation may have
	// gone out since, so it is read before it is confirmed.
	IntentUnconfirmed IntentState = "unconfirmed"
	IntentProcessing  IntentState = "processing"
	IntentAction      IntentState = "action"
	IntentCapturable  IntentState = "capturable"
	// IntentDeclined: could be confirmed again until it is cancelled.
	IntentDeclined IntentState = "declined"
	IntentCaptured IntentState = "captured"
	IntentCanceled IntentState = "canceled"
)

// Terminal tells whether the provider will never say anything else.
func (s IntentState) Terminal() bool { return s == IntentCaptured || s == IntentCanceled }

// Intent is the provider's word on one attempt.
type Intent struct {
	ID          string
	State       IntentState
	FailureCode string      // of ours, with IntentDeclined
	NextAction  *NextAction // with IntentAction
}

// NextAction is what the payer has to do, in the provider's terms.
type NextAction struct {
	Type          string         `json:"type"`
	RedirectToURL *RedirectToURL `json:"redirect_to_url,omitempty"`
}

// RedirectToURL is where 3-D Secure is done and where it leads back to.
type RedirectToURL struct {
	URL       string `json:"url"`
	ReturnURL string `json:"return_url,omitempty"`
}

// ProviderRefund is the provider's word on one refund.
type ProviderRefund struct {
	ID          string
	Status      RefundStatus // pending, succeeded or failed
	FailureCode string
}

// Gateway charges. An error that is a *Refusal says that the provider answered
// no and nothing happened; any other error leaves the outcome unknown.
type Gateway interface {
	// CreateIntent is safe to repeat: the attempt's id is the idempotency key.
	// A repeated call answers the intent as it was when it was made.
	CreateIntent(ctx context.Context, o Order, a Attempt) (Intent, error)
	ReadIntent(ctx context.Context, providerID string) (Intent, error)
	// ConfirmIntent answers a decline as an Intent, not as an error.
	ConfirmIntent(ctx context.Context, o Order, a Attempt) (Intent, error)
	CaptureIntent(ctx context.Context, providerID string) (Intent, error)
	// CancelIntent answers the intent as it is when it cannot be cancelled.
	CancelIntent(ctx context.Context, providerID string) (Intent, error)
}

// Refunder gives money back; errors as in Gateway.
type Refunder interface {
	// CreateRefund is safe to repeat: the refund's id is the idempotency key.
	CreateRefund(ctx context.Context, o Order, a Attempt, r Refund) (ProviderRefund, error)
	ReadRefund(ctx context.Context, providerID string) (ProviderRefund, error)
}

// Refusal is the provider's definite no to one call.
type Refusal struct {
	Code string // of ours, stable
	// Cause names the provider's own code, for the log.
	Cause string
}

func (r *Refusal) Error() string { return fmt.Sprintf("provider refused: %s (%s)", r.Code, r.Cause) }

// RefusalOf tells a definite no from an unknown outcome.
func RefusalOf(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// Failure codes of an attempt, as payment.failed and transactions carry them.
const (
	FailDeclined             = "card_declined"
	FailInsufficientFunds    = "insufficient_funds"
	FailExpiredCard          = "expired_card"
	FailIncorrectCVC         = "incorrect_cvc"
	FailIncorrectNumber      = "incorrect_number"
	FailAuthentication       = "authentication_failed"
	FailLimitExceeded        = "limit_exceeded"
	FailNotSupported         = "card_not_supported"
	FailTryAgain             = "try_again_later"
	FailMethodUnusable       = "payment_method_unusable"
	FailAmountRefused        = "amount_refused"
	FailProviderRefused      = "provider_refused"
	FailOrderCancelled       = "order_cancelled"
	FailOrderClosed          = "order_closed"
	FailAlreadyPaid          = "already_paid"
	FailCanceledAtProvider   = "canceled_at_provider"
	FailNoMeans              = "payment_method_missing"
	FailRefundRefused        = "refund_refused"
	FailRefundExceedsCapture = "refund_exceeds_captured"
)

// Seen holds the attempts and refunds whose truth was read from the provider
// in the present run of a worker.
type Seen map[uuid.UUID]bool
