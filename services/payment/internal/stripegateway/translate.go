package stripegateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/stripe/stripe-go/v86"

	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// intentOf turns the answer of a call that changes an intent into our terms.
func intentOf(pi *stripe.PaymentIntent, err error) (payment.Intent, error) {
	if err == nil {
		return translate(pi), nil
	}
	var se *stripe.Error
	// A decline is an answer: the error carries the intent as it is now.
	if errors.As(err, &se) && se.Type == stripe.ErrorTypeCard && se.PaymentIntent != nil && se.PaymentIntent.ID != "" {
		in := translate(se.PaymentIntent)
		if in.State == payment.IntentUnconfirmed || in.State == payment.IntentDeclined {
			in.State, in.FailureCode = payment.IntentDeclined, failureCode(se)
		}
		return in, nil
	}
	return payment.Intent{}, failure("intent", err)
}

func translate(pi *stripe.PaymentIntent) payment.Intent {
	in := payment.Intent{ID: pi.ID}
	switch pi.Status {
	case stripe.PaymentIntentStatusSucceeded:
		in.State = payment.IntentCaptured
	case stripe.PaymentIntentStatusCanceled:
		in.State = payment.IntentCanceled
	case stripe.PaymentIntentStatusRequiresCapture:
		in.State = payment.IntentCapturable
	case stripe.PaymentIntentStatusProcessing:
		in.State = payment.IntentProcessing
	case stripe.PaymentIntentStatusRequiresAction:
		in.State, in.NextAction = payment.IntentAction, nextAction(pi.NextAction)
	case stripe.PaymentIntentStatusRequiresPaymentMethod:
		in.State = payment.IntentUnconfirmed
		if pi.LastPaymentError != nil {
			in.State, in.FailureCode = payment.IntentDeclined, failureCode(pi.LastPaymentError)
		}
	default:
		in.State = payment.IntentUnconfirmed
	}
	return in
}

// nextAction keeps the redirect alone: other actions need the intent's client
// secret, which is kept nowhere.
func nextAction(n *stripe.PaymentIntentNextAction) *payment.NextAction {
	if n == nil {
		return nil
	}
	out := &payment.NextAction{Type: string(n.Type)}
	if n.RedirectToURL != nil {
		out.RedirectToURL = &payment.RedirectToURL{URL: n.RedirectToURL.URL, ReturnURL: n.RedirectToURL.ReturnURL}
	}
	return out
}

func refundOf(r *stripe.Refund, err error) (payment.ProviderRefund, error) {
	if err != nil {
		return payment.ProviderRefund{}, failure("refund", err)
	}
	out := payment.ProviderRefund{ID: r.ID, Status: payment.RefundPending}
	switch r.Status {
	case stripe.RefundStatusSucceeded:
		out.Status = payment.RefundSucceeded
	case stripe.RefundStatusFailed, stripe.RefundStatusCanceled:
		out.Status, out.FailureCode = payment.RefundFailed, payment.FailRefundRefused
	}
	return out, nil
}

// failure tells a definite no from an unknown outcome.
func failure(call string, err error) error {
	var se *stripe.Error
	if !errors.As(err, &se) || !definite(se) {
		return unknown(call, err)
	}
	return &payment.Refusal{Code: failureCode(se), Cause: fmt.Sprintf("%s %s %s", se.Type, se.Code, se.DeclineCode)}
}

// definite holds for answers that say that this very request will never do
// anything. A wrong key, a conflict or a rate is none: it may pass.
func definite(se *stripe.Error) bool {
	switch se.HTTPStatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests, http.StatusRequestTimeout:
		return false
	}
	return se.HTTPStatusCode >= 400 && se.HTTPStatusCode < 500 && se.Type != stripe.ErrorTypeIdempotency
}

// unknown drops what the provider's error holds besides codes: its text may
// quote a payment method, a URL may name one.
func unknown(call string, err error) error {
	var se *stripe.Error
	if errors.As(err, &se) {
		return fmt.Errorf("%s: status %d %s %s (request %s)", call, se.HTTPStatusCode, se.Type, se.Code, se.RequestID)
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		return fmt.Errorf("%s: outcome unknown: %w", call, ue.Err)
	}
	return fmt.Errorf("%s: outcome unknown: the answer can't be read", call)
}

func codeOf(err error) stripe.ErrorCode {
	var se *stripe.Error
	if errors.As(err, &se) {
		return se.Code
	}
	return ""
}

// failureCode maps the provider's codes to the few that a customer can act on.
// That a card was reported lost or suspect is told to nobody.
func failureCode(se *stripe.Error) string {
	switch se.DeclineCode {
	case stripe.DeclineCodeInsufficientFunds:
		return payment.FailInsufficientFunds
	case stripe.DeclineCodeExpiredCard, stripe.DeclineCodeInvalidExpiryMonth, stripe.DeclineCodeInvalidExpiryYear:
		return payment.FailExpiredCard
	case stripe.DeclineCodeIncorrectCVC, stripe.DeclineCodeInvalidCVC:
		return payment.FailIncorrectCVC
	case stripe.DeclineCodeIncorrectNumber, stripe.DeclineCodeInvalidNumber:
		return payment.FailIncorrectNumber
	case stripe.DeclineCodeAuthenticationRequired:
		return payment.FailAuthentication
	case stripe.DeclineCodeCardVelocityExceeded, stripe.DeclineCodeWithdrawalCountLimitExceeded:
		return payment.FailLimitExceeded
	case stripe.DeclineCodeCardNotSupported, stripe.DeclineCodeCurrencyNotSupported:
		return payment.FailNotSupported
	case stripe.DeclineCodeProcessingError, stripe.DeclineCodeIssuerNotAvailable, stripe.DeclineCodeTryAgainLater,
		stripe.DeclineCodeReenterTransaction:
		return payment.FailTryAgain
	case "":
		return failureOfCode(se)
	}
	return payment.FailDeclined
}

func failureOfCode(se *stripe.Error) string {
	switch se.Code {
	case stripe.ErrorCodeExpiredCard:
		return payment.FailExpiredCard
	case stripe.ErrorCodeIncorrectCVC:
		return payment.FailIncorrectCVC
	case stripe.ErrorCodeIncorrectNumber:
		return payment.FailIncorrectNumber
	case stripe.ErrorCodeProcessingError:
		return payment.FailTryAgain
	case stripe.ErrorCodePaymentIntentAuthenticationFailure, stripe.ErrorCodeAuthenticationRequired:
		return payment.FailAuthentication
	case stripe.ErrorCodeResourceMissing, stripe.ErrorCodePaymentMethodUnactivated:
		return payment.FailMethodUnusable
	case stripe.ErrorCodeAmountTooSmall, stripe.ErrorCodeAmountTooLarge:
		return payment.FailAmountRefused
	case stripe.ErrorCodeChargeAlreadyRefunded:
		return payment.FailRefundExceedsCapture
	}
	if se.Type == stripe.ErrorTypeCard {
		return payment.FailDeclined
	}
	return payment.FailProviderRefused
}
