package mail

import (
	"strings"
	"unicode/utf8"

	"github.com/bojanz/currency"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/money"
)

// formatter prints money as English readers write it.
type formatter struct{ currency *currency.Formatter }

func newFormatter() *formatter {
	return &formatter{currency: currency.NewFormatter(currency.NewLocale("en"))}
}

// money fails on a code that is no currency: such an amount can't be printed.
func (f *formatter) money(m events.Money) (string, error) {
	amount, err := currency.NewAmountFromInt64(m.Amount, m.Currency)
	if err != nil {
		return "", err
	}
	return f.currency.Format(amount), nil
}

func (f *formatter) times(unit events.Money, quantity int64) (string, error) {
	sum, err := money.New(unit.Amount, unit.Currency).Times(quantity)
	if err != nil {
		return "", err
	}
	return f.money(events.Money(sum))
}

// textWidth is the measure of the text mails' tables.
const textWidth = 64

// Row is the line in text: what on the left, the sum on the right.
func (l line) Row() string { return row(l.Quantity+" x "+l.Name, l.Total) }

// Row is the total in text.
func (t total) Row() string { return row(t.Label, t.Amount) }

// row shortens the left side where both do not fit.
func row(left, right string) string {
	room := textWidth - utf8.RuneCountInString(right) - 2
	if runes := []rune(left); len(runes) > room {
		left = string(runes[:room-1]) + "…"
	}
	return left + strings.Repeat(" ", textWidth-utf8.RuneCountInString(left)-utf8.RuneCountInString(right)) + right
}

// cancelText explains the reason code of order.cancelled.
func cancelText(code string) string {
	switch code {
	case events.ReasonCustomer:
		return "You asked us to cancel it."
	case events.ReasonStaff:
		return "Our staff had to cancel it."
	case events.ReasonUnpaid:
		return "It was not paid in time."
	case events.ReasonOutOfStock:
		return "Something in it sold out before we could set it aside for you. We are sorry."
	default:
		return ""
	}
}

// failureText explains the failure code of payment.failed. An unknown code is
// a plain refusal: a card issuer's words are not ours to guess.
func failureText(code string) string {
	switch code {
	case "":
		return ""
	case "insufficient_funds":
		return "Your bank reports that there were not enough funds."
	case "limit_exceeded":
		return "The amount is over a limit of your card."
	case "expired_card":
		return "Your card has expired."
	case "incorrect_cvc":
		return "The security code of your card did not match."
	case "incorrect_number":
		return "The number of your card is not right."
	case "card_declined":
		return "Your bank declined the card."
	case "card_not_supported", "payment_method_unusable", "payment_method_missing":
		return "We could not use this way of paying."
	case "authentication_failed":
		return "The payment was not confirmed with your bank."
	case "try_again_later":
		return "Your bank could not process the payment just then."
	default:
		return "The payment was declined."
	}
}
