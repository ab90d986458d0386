package checkout

import (
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// The refusals of a checkout or a quote.
var (
	ErrCartEmpty      = fault.New(fault.Invalid, "cart_empty", "There is nothing in the cart.")
	ErrCartTooLarge   = fault.New(fault.Invalid, "cart_too_large", "An order holds at most 1,200 lines: take some out of the cart.")
	ErrAddress        = fault.New(fault.Invalid, "address_unknown", "There is no such address of yours.")
	ErrPaymentMethod  = fault.New(fault.Invalid, "payment_method_unknown", "There is no such means of payment of yours.")
	ErrPriceChanged   = fault.New(fault.Conflict, "price_changed", "The total is not what was expected: ask for a new quote.")
	ErrOutOfStock     = fault.New(fault.Conflict, "out_of_stock", "Some lines can't be had in the quantity asked for.")
	ErrNotForSale     = fault.New(fault.Conflict, "product_unavailable", "Some lines are no longer for sale.")
	ErrCartChanged    = fault.New(fault.Conflict, "cart_changed", "The cart changed while it was being ordered.")
	ErrInProgress     = fault.New(fault.Conflict, "checkout_in_progress", "Another checkout of this customer is running.")
	ErrAccount        = fault.New(fault.Forbidden, "account_not_active", "This account can't order.")
	ErrUndone         = fault.New(fault.Unavailable, "checkout_expired", "The checkout took too long and was undone: try again.")
	ErrBusy           = fault.New(fault.TooMany, "checkouts_busy", "Too many are ordering at this moment: try again.").After(2 * time.Second)
	ErrEarlierPending = fault.New(fault.Unavailable, "checkout_recovering", "An earlier checkout is still being undone: try again.")

	// ErrNumberTaken asks for another order number.
	ErrNumberTaken = errors.New("checkout: order number taken")
)

// shortLine is how a problem document shows a line that can't be had.
type shortLine struct {
	ProductID uuid.UUID `json:"product_id"`
	Requested int64     `json:"requested"`
	Available int64     `json:"available"`
	Reason    string    `json:"reason,omitempty"`
}

// naming adds the lines to a refusal, for programs and as errors of fields.
func naming(f *fault.Error, short []Shortage) error {
	lines := make([]shortLine, 0, len(short))
	fields := make([]fault.Field, 0, len(short))
	for _, s := range short {
		lines = append(lines, shortLine(s))
		detail := s.Reason
		if detail == "" {
			detail = strconv.FormatInt(s.Available, 10) + " of " + strconv.FormatInt(s.Requested, 10) + " available"
		}
		fields = append(fields, fault.Field{Field: "items." + s.ProductID.String(), Code: f.Code, Detail: detail})
	}
	return f.With("lines", lines).Naming(fields...)
}

func priceChanged(now order.Totals) error {
	return ErrPriceChanged.With("totals", now.Public())
}

func unknownAddress(fields ...string) error {
	named := make([]fault.Field, 0, len(fields))
	for _, f := range fields {
		named = append(named, fault.Field{Field: f, Code: "address_unknown", Detail: "not an address of yours"})
	}
	return ErrAddress.Naming(named...)
}
