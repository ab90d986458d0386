package order

import "github.com/caravan-shop/caravan/services/internal/fault"

// What a person asked for and the order does not allow.
var (
	ErrNotFound         = fault.New(fault.NotFound, "order_not_found", "There is no such order.")
	ErrNotCancellable   = fault.New(fault.Conflict, "order_not_cancellable", "An order can be cancelled until it is shipped, and once.")
	ErrNotShippable     = fault.New(fault.Conflict, "order_not_confirmed", "Only a confirmed order can be shipped.")
	ErrStockNotReserved = fault.New(fault.Conflict, "stock_not_reserved", "The stock of this order is not reserved.")
	ErrNotPaid          = fault.New(fault.Conflict, "payment_not_captured", "The payment is not captured, or wholly refunded.")
	ErrNotDeliverable   = fault.New(fault.Conflict, "order_not_shipped", "Only a shipped order can be delivered.")
)
