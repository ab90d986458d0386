package cart

import (
	"errors"

	"github.com/caravan-shop/caravan/services/internal/fault"
)

// ErrConflict is the store's answer where the document changed since it was
// loaded, or exists already.
var ErrConflict = errors.New("cart: the document has changed")

// What the cart refuses.
var (
	ErrCartToken = fault.New(fault.Unauthenticated, "cart_token_invalid",
		"The cart token is not known; it may have expired or been merged.")
	ErrErased = fault.New(fault.Unauthenticated, "account_erased",
		"The account was erased.")
	ErrProductUnknown = fault.New(fault.Invalid, "product_unknown",
		"There is no such product.",
		fault.Field{Field: "product_id", Code: "unknown", Detail: "no such product"})
	ErrProductNotAvailable = fault.New(fault.Invalid, "product_not_available",
		"The product is not on sale.",
		fault.Field{Field: "product_id", Code: "not_available", Detail: "not on sale"})
	ErrQuantity = fault.New(fault.Invalid, "quantity_out_of_range",
		"A line holds 1 to 9999 units.",
		fault.Field{Field: "quantity", Code: "out_of_range", Detail: "1 to 9999"})
	ErrFull = fault.New(fault.Invalid, "cart_full",
		"A cart holds at most 1200 lines.")
	ErrTotalTooLarge = fault.New(fault.Invalid, "total_too_large",
		"The cart's total is more than can be ordered at once.")
	ErrKeyReused = fault.New(fault.Invalid, "idempotency_key_reused",
		"The Idempotency-Key was used with another body.")
	ErrMergedElsewhere = fault.New(fault.Conflict, "cart_already_merged",
		"The guest cart was merged into another account.")
	ErrStale = fault.New(fault.Stale, "precondition_failed",
		"The cart has changed since it was read.")
	ErrBusy = fault.New(fault.Unavailable, "cart_busy",
		"The cart is being changed by many at once; try again.")
	ErrStore = fault.New(fault.Unavailable, "store_unavailable",
		"Carts can't be reached at the moment; try again.")
)
