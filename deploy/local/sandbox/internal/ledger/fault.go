package ledger

import (
	"fmt"
	"net/http"
)

// Error is a refusal as Stripe words it.
type Error struct {
	Status      int
	Type        string
	Code        string
	DeclineCode string
	Param       string
	Message     string
	Charge      string
	// Intent and Method are shown with the error where it is about them.
	Intent *Intent
	Method *Method
	// Executed: the request passed validation and had its effect, be it a refusal,
	// so the answer is kept for its idempotency key.
	Executed bool
}

func (e *Error) Error() string { return e.Message }

// Invalid is a request that cannot be carried out as it was sent.
func Invalid(code, param, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Type: "invalid_request_error", Code: code, Param: param, Message: fmt.Sprintf(format, args...)}
}

// Missing is an object that does not exist; param names where its id stood, and
// an id in the path makes it a 404.
func Missing(kind, id, param string) *Error {
	e := Invalid("resource_missing", param, "No such %s: '%s'", kind, id)
	if param == "id" || param == "intent" {
		e.Status = http.StatusNotFound
	}
	return e
}

// unexpected is a transition that the present state does not allow.
func unexpected(i Intent, format string, args ...any) *Error {
	e := Invalid("payment_intent_unexpected_state", "", format, args...)
	e.Intent, e.Executed = &i, true
	return e
}
