package order

// Status is where an order stands. Payment and stock progress are fields of
// their own, not more statuses.
type Status string

// The statuses: created → confirmed → shipped → delivered, and
// created|confirmed → cancelled.
const (
	Created   Status = "created"
	Confirmed Status = "confirmed"
	Shipped   Status = "shipped"
	Delivered Status = "delivered"
	Cancelled Status = "cancelled"
)

// PaymentStatus is what Order knows about the money.
type PaymentStatus string

// The payment statuses.
const (
	PaymentPending           PaymentStatus = "pending"
	PaymentRequiresAction    PaymentStatus = "requires_action"
	PaymentFailed            PaymentStatus = "failed"
	PaymentCaptured          PaymentStatus = "captured"
	PaymentPartiallyRefunded PaymentStatus = "partially_refunded"
	PaymentRefunded          PaymentStatus = "refunded"
	PaymentVoided            PaymentStatus = "voided"
)

// StockStatus is what Order knows about the goods.
type StockStatus string

// The stock statuses.
const (
	StockHeld     StockStatus = "held"
	StockReserved StockStatus = "reserved"
	StockRejected StockStatus = "rejected"
	StockReleased StockStatus = "released"
	StockShipped  StockStatus = "shipped"
)

// Statuses lists every status.
func Statuses() []Status { return []Status{Created, Confirmed, Shipped, Delivered, Cancelled} }

// MayBecome is the transition table: the one place that says which steps of the
// history are legal.
func (s Status) MayBecome(next Status) bool {
	switch s {
	case "":
		return next == Created
	case Created:
		return next == Confirmed || next == Cancelled
	case Confirmed:
		return next == Shipped || next == Cancelled
	case Shipped:
		return next == Delivered
	default:
		return false
	}
}

// Ended tells whether nothing more can happen to the status.
func (s Status) Ended() bool { return s == Delivered || s == Cancelled }

// MoneyMoved tells whether a capture is known. From there on the payment status
// follows the sums alone and never falls back to an attempt's fate.
func (p PaymentStatus) MoneyMoved() bool {
	return p == PaymentCaptured || p == PaymentPartiallyRefunded || p == PaymentRefunded
}

// Open tells whether Payment still has to say how it ended.
func (p PaymentStatus) Open() bool {
	return p == PaymentPending || p == PaymentRequiresAction || p == PaymentFailed
}
