package ledger

import (
	"net/http"
	"strings"
	"time"
)

// Decline is why an attempt to pay failed.
type Decline struct {
	Code        string `json:"code"`
	DeclineCode string `json:"decline_code,omitempty"`
	Message     string `json:"message"`
	Charge      string `json:"charge,omitempty"`
	// Method is the payment method of the attempt, which the intent no longer has.
	Method string `json:"method,omitempty"`
}

func (d Decline) asError() *Error {
	return &Error{Status: http.StatusPaymentRequired, Type: "card_error", Code: d.Code, DeclineCode: d.DeclineCode, Message: d.Message, Charge: d.Charge}
}

// behaviour is what a test card does when it is charged.
type behaviour struct {
	decline      *Decline // after authentication, if that is asked for
	authenticate bool     // 3-D Secure
	attachable   bool     // to a customer, although it is declined
	refund       string   // "", RefundFails, RefundPends or RefundRefused
	fault        string   // "", or one of the Fault constants
}

// How a card's refunds end.
const (
	RefundFails   = "fails"   // succeeds, and is reported as failed some time later
	RefundPends   = "pends"   // is pending, and succeeds some time later
	RefundRefused = "refused" // cannot be made
)

// Faults that this sandbox adds to Stripe's test cards.
const (
	FaultHang  = "hang"  // the payment is made, the answer never comes
	FaultError = "error" // the payment is made, the answer is a 500
	FaultAway  = "away"  // nothing happens, the answer is a 500
)

// Fault returns the fault that a card's token asks for, empty for none.
func (c Card) Fault() string { return behaviourOf(c.Token).fault }

const declinedMessage = "Your card was declined."

// behaviourOf knows Stripe's test tokens, with or without the pm_card_ in front.
func behaviourOf(token string) behaviour {
	name := strings.Replace(strings.TrimPrefix(token, "pm_card_"), "visa_chargeDeclined", "chargeDeclined", 1)
	switch name {
	case "chargeCustomerFail":
		return behaviour{decline: declineOf(""), attachable: true}
	case "threeDSecure2Required", "threeDSecureRequired", "authenticationRequired":
		return behaviour{authenticate: true}
	case "threeDSecureRequiredChargeDeclined":
		return behaviour{authenticate: true, decline: declineOf("")}
	case "authenticationRequiredChargeDeclinedInsufficientFunds":
		return behaviour{authenticate: true, decline: declineOf("InsufficientFunds")}
	case "refundFail":
		return behaviour{refund: RefundFails}
	case "pendingRefund":
		return behaviour{refund: RefundPends}
	case "pm_sandbox_refundRefused":
		return behaviour{refund: RefundRefused}
	case "pm_sandbox_timeoutAfterCharge":
		return behaviour{fault: FaultHang}
	case "pm_sandbox_errorAfterCharge":
		return behaviour{fault: FaultError}
	case "pm_sandbox_unavailable":
		return behaviour{fault: FaultAway}
	}
	if reason, ok := strings.CutPrefix(name, "chargeDeclined"); ok {
		return behaviour{decline: declineOf(reason)}
	}
	return behaviour{}
}

// declineOf takes the last word of a chargeDeclined… token.
func declineOf(reason string) *Decline {
	switch reason {
	case "InsufficientFunds":
		return &Decline{Code: "card_declined", DeclineCode: "insufficient_funds", Message: "Your card has insufficient funds."}
	case "LostCard":
		return &Decline{Code: "card_declined", DeclineCode: "lost_card", Message: declinedMessage}
	case "StolenCard":
		return &Decline{Code: "card_declined", DeclineCode: "stolen_card", Message: declinedMessage}
	case "Fraudulent":
		return &Decline{Code: "card_declined", DeclineCode: "fraudulent", Message: declinedMessage}
	case "VelocityLimitExceeded":
		return &Decline{Code: "card_declined", DeclineCode: "card_velocity_exceeded", Message: "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."}
	case "ExpiredCard":
		return &Decline{Code: "expired_card", DeclineCode: "expired_card", Message: "Your card has expired."}
	case "IncorrectCvc":
		return &Decline{Code: "incorrect_cvc", DeclineCode: "incorrect_cvc", Message: "Your card's security code is incorrect."}
	case "ProcessingError":
		return &Decline{Code: "processing_error", DeclineCode: "processing_error", Message: "An error occurred while processing your card. Try again in a little bit."}
	}
	return &Decline{Code: "card_declined", DeclineCode: "generic_decline", Message: declinedMessage}
}

// testCards gives brand, last four digits, funding and country of each token.
const testCards = `
pm_card_visa visa 4242 credit US
pm_card_visa_debit visa 5556 debit US
pm_card_mastercard mastercard 4444 credit US
pm_card_mastercard_debit mastercard 8210 debit US
pm_card_mastercard_prepaid mastercard 5100 prepaid US
pm_card_amex amex 0005 credit US
pm_card_discover discover 1117 credit US
pm_card_diners diners 0004 credit US
pm_card_jcb jcb 0505 credit JP
pm_card_unionpay unionpay 0005 credit CN
pm_card_us visa 4242 credit US
pm_card_gb visa 0000 credit GB
pm_card_gb_debit visa 0005 debit GB
pm_card_de visa 0016 credit DE
pm_card_fr visa 0003 credit FR
pm_card_chargeDeclined visa 0002 credit US
pm_card_visa_chargeDeclined visa 0002 credit US
pm_card_chargeDeclinedInsufficientFunds visa 9995 credit US
pm_card_visa_chargeDeclinedInsufficientFunds visa 9995 credit US
pm_card_chargeDeclinedLostCard visa 9987 credit US
pm_card_visa_chargeDeclinedLostCard visa 9987 credit US
pm_card_chargeDeclinedStolenCard visa 9979 credit US
pm_card_visa_chargeDeclinedStolenCard visa 9979 credit US
pm_card_chargeDeclinedExpiredCard visa 0069 credit US
pm_card_chargeDeclinedIncorrectCvc visa 0127 credit US
pm_card_chargeDeclinedProcessingError visa 0119 credit US
pm_card_chargeDeclinedFraudulent visa 0019 credit US
pm_card_chargeDeclinedVelocityLimitExceeded visa 6975 credit US
pm_card_visa_chargeDeclinedVelocityLimitExceeded visa 6975 credit US
pm_card_chargeCustomerFail visa 0341 credit US
pm_card_threeDSecure2Required visa 3220 credit IE
pm_card_threeDSecureRequired visa 3063 credit US
pm_card_threeDSecureOptional visa 3055 credit US
pm_card_threeDSecureRequiredChargeDeclined visa 1629 credit US
pm_card_authenticationRequired visa 3184 credit US
pm_card_authenticationRequiredChargeDeclinedInsufficientFunds visa 3178 credit US
pm_card_refundFail visa 5126 credit US
pm_card_pendingRefund visa 7726 credit US
pm_sandbox_refundRefused visa 1001 credit GB
pm_sandbox_timeoutAfterCharge visa 1002 credit GB
pm_sandbox_errorAfterCharge visa 1003 credit GB
pm_sandbox_unavailable visa 1004 credit GB
`

// testCard returns the card of a test token, or of tok_… in its place.
func testCard(token string, now time.Time) (Card, bool) {
	if name, ok := strings.CutPrefix(token, "tok_"); ok {
		token = "pm_card_" + name
	}
	for line := range strings.Lines(testCards) {
		f := strings.Fields(line)
		if len(f) == 5 && f[0] == token {
			return Card{Brand: f[1], Last4: f[2], Funding: f[3], Country: f[4], ExpMonth: int(now.Month()), ExpYear: now.Year() + 1, Token: token}, true
		}
	}
	return Card{}, false
}

// testNumbers maps the test card numbers that people know by heart.
const testNumbers = `
4242424242424242 pm_card_visa
4000056655665556 pm_card_visa_debit
5555555555554444 pm_card_mastercard
378282246310005 pm_card_amex
6011111111111117 pm_card_discover
4000000000000002 pm_card_chargeDeclined
4000000000009995 pm_card_chargeDeclinedInsufficientFunds
4000000000009987 pm_card_chargeDeclinedLostCard
4000000000000069 pm_card_chargeDeclinedExpiredCard
4000000000000119 pm_card_chargeDeclinedProcessingError
4000000000003220 pm_card_threeDSecure2Required
4000002760003184 pm_card_authenticationRequired
`

// TokenOfNumber returns the test token of a test card number.
func TokenOfNumber(number string) (string, bool) {
	number = strings.ReplaceAll(number, " ", "")
	for line := range strings.Lines(testNumbers) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == number {
			return f[1], true
		}
	}
	return "", false
}
