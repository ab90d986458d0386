package payment

import "github.com/caravan-shop/caravan/services/internal/fault"

// What this service answers no with. The README lists the codes.
var (
	ErrOrderUnknown        = fault.New(fault.NotFound, "order_not_found", "No such order.")
	ErrTransactionUnknown  = fault.New(fault.NotFound, "transaction_not_found", "No such transaction.")
	ErrRefundUnknown       = fault.New(fault.NotFound, "refund_not_found", "No such refund.")
	ErrSavedMethodUnknown  = fault.New(fault.NotFound, "saved_payment_method_not_found", "No such saved payment method.")
	ErrInProgress          = fault.New(fault.Conflict, "payment_in_progress", "An attempt to pay this order is under way.")
	ErrAlreadyPaid         = fault.New(fault.Conflict, "order_already_paid", "This order has been paid.")
	ErrNotPayable          = fault.New(fault.Conflict, "order_not_payable", "This order can no longer be paid.")
	ErrNothingCaptured     = fault.New(fault.Conflict, "nothing_captured", "Nothing was captured for this order.")
	ErrExceedsCaptured     = fault.New(fault.Conflict, "refund_exceeds_captured", "More than is left of the captured amount, counting refunds under way.")
	ErrCurrency            = fault.New(fault.Invalid, "currency_mismatch", "The order was paid in another currency.")
	ErrAmount              = fault.New(fault.Invalid, "amount_invalid", "An amount to refund is a positive number of minor units.")
	ErrReason              = fault.New(fault.Invalid, "reason_invalid", "A reason has 1 to 500 characters.")
	ErrMethodUnknown       = fault.New(fault.Invalid, "payment_method_unknown", "The payment method is not known or not yours.")
	ErrMethodRefused       = fault.New(fault.Invalid, "payment_method_refused", "The provider does not accept this payment method.")
	ErrTooManyMethods      = fault.New(fault.Conflict, "too_many_saved_methods", "No further payment method can be saved.")
	ErrCardNumber          = fault.New(fault.Invalid, "card_number_refused", "The body holds what looks like a card number. Send the provider's token instead; nothing was kept.")
	ErrProviderUnavailable = fault.New(fault.Unavailable, "payment_provider_unavailable", "The payment provider does not answer. Try again.")
	ErrSignature           = fault.New(fault.Malformed, "webhook_signature_invalid", "The signature is missing, wrong or too old.")
	ErrErased              = fault.New(fault.Conflict, "account_erased", "This account has been erased.")
)
