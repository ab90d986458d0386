// Package payment decides what happens to the money of an order: who may be
// charged, when, how often, and what goes back. Its core is pure: Apply turns
// (order, input) into (order, events), and Next names the call that the
// provider needs now. Stores, the provider and HTTP are around it; it must not
// know any of them.
package payment

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// State is how far an order is from being settled, in Payment's own view.
type State string

// The states. Cancelled is final; Closed is a promise given to Order that no
// capture will stand.
const (
	// StatePrepared: the means of payment are kept, order.created has not come.
	StatePrepared State = "prepared"
	// StateOpen: attempts may be made.
	StateOpen State = "open"
	// StateClosing: no new attempt; the open one may still end well.
	StateClosing State = "closing"
	// StateVoiding: the open attempt is being voided. A capture that was faster
	// stands.
	StateVoiding State = "voiding"
	// StateClosed: Order was told so; whatever is captured goes back.
	StateClosed State = "closed"
	// StateCancelled: whatever is captured goes back.
	StateCancelled State = "cancelled"
)

// Status is transactions.status.
type Status string

// The statuses of an attempt.
const (
	StatusInitiated         Status = "initiated"
	StatusRequiresAction    Status = "requires_action"
	StatusCaptured          Status = "captured"
	StatusFailed            Status = "failed"
	StatusVoided            Status = "voided"
	StatusPartiallyRefunded Status = "partially_refunded"
	StatusRefunded          Status = "refunded"
)

// Order is the root that every decision locks: one order's money.
type Order struct {
	ID       uuid.UUID
	UserID   uuid.UUID
	Number   string
	Amount   int64
	Currency string
	State    State
	// Means is what the next attempt will use; taken over by that attempt.
	Means    Means
	PlacedAt time.Time
	Attempts []Attempt // by number
	Refunds  []Refund  // by id, so in order of creation
}

// Means is a way to pay that its owner handed over. It is a secret of the
// provider's: it stays in this service and its database.
type Means struct {
	Kind     string // code of payment_methods
	Token    string // the provider's payment-method id
	Customer string // the provider's customer that a saved method belongs to
	SavedID  uuid.UUID
}

// spent forgets what can charge and keeps what the log tells.
func (m Means) spent() Means { return Means{Kind: m.Kind, SavedID: m.SavedID} }

// KindCard is the one kind of means there is.
const KindCard = "card"

// Attempt is one try to pay the order: one transaction, one intent.
type Attempt struct {
	ID             uuid.UUID
	Number         int
	Amount         int64
	Currency       string
	RefundedAmount int64
	Status         Status
	FailureCode    string
	NextAction     *NextAction
	// Surplus marks a capture beside the one that stands. It is given back and
	// told to nobody as the order's payment.
	Surplus    bool
	ProviderID string
	Intent     IntentState
	// Means holds nothing that can charge once the attempt has ended.
	Means     Means
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Open tells whether the attempt may still capture by the customer's or our doing.
func (a Attempt) Open() bool {
	return a.Status == StatusInitiated || a.Status == StatusRequiresAction
}

// Captured tells whether money was taken, refunded or not.
func (a Attempt) Captured() bool {
	return a.Status == StatusCaptured || a.Status == StatusPartiallyRefunded || a.Status == StatusRefunded
}

// RefundKind says why money goes back.
type RefundKind string

// The kinds. A cancellation or surplus refund exists once a transaction.
const (
	RefundStaff        RefundKind = "staff"
	RefundCancellation RefundKind = "cancellation"
	RefundSurplus      RefundKind = "surplus"
)

// RefundStatus is refunds.status.
type RefundStatus string

// The statuses. A failed refund was refused by the provider and waits for staff.
const (
	RefundRequested RefundStatus = "requested"
	RefundPending   RefundStatus = "pending"
	RefundSucceeded RefundStatus = "succeeded"
	RefundFailed    RefundStatus = "failed"
	// RefundDoubted succeeded, and the provider has said since that the bank may
	// have bounced it: it is read anew.
	RefundDoubted RefundStatus = "doubted"
)

// Refund is money on its way back.
type Refund struct {
	ID            uuid.UUID
	TransactionID uuid.UUID
	Kind          RefundKind
	Amount        int64
	Currency      string
	Reason        string
	RequestedBy   uuid.UUID // zero: the shop itself
	Status        RefundStatus
	FailureCode   string
	ProviderID    string
	Version       int64
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// New is the row of an order before anything is known of it.
func New(id uuid.UUID) Order { return Order{ID: id, State: StatePrepared} }

// Clone copies what Apply may change.
func (o Order) Clone() Order {
	o.Attempts = slices.Clone(o.Attempts)
	o.Refunds = slices.Clone(o.Refunds)
	return o
}

// OpenAttempt is the attempt that has not ended; nil if none.
func (o *Order) OpenAttempt() *Attempt {
	return o.find(func(a Attempt) bool { return a.Open() })
}

// Standing is the capture that pays for the order; nil if none.
func (o *Order) Standing() *Attempt {
	return o.find(func(a Attempt) bool { return a.Captured() && !a.Surplus })
}

func (o *Order) attempt(id uuid.UUID) *Attempt {
	return o.find(func(a Attempt) bool { return a.ID == id })
}

func (o *Order) find(is func(Attempt) bool) *Attempt {
	if i := slices.IndexFunc(o.Attempts, is); i >= 0 {
		return &o.Attempts[i]
	}
	return nil
}

func (o *Order) refund(id uuid.UUID) *Refund {
	if i := slices.IndexFunc(o.Refunds, func(r Refund) bool { return r.ID == id }); i >= 0 {
		return &o.Refunds[i]
	}
	return nil
}

// Refundable is what is left of a capture: captured − refunded − under way.
func (o *Order) Refundable(a *Attempt) int64 {
	left := a.Amount
	for _, r := range o.Refunds {
		if r.TransactionID == a.ID && r.Status != RefundFailed {
			left -= r.Amount
		}
	}
	return left
}

// chargeable tells whether a capture would be welcome now.
func (o *Order) chargeable() bool {
	return (o.State == StateOpen || o.State == StateClosing) && o.Standing() == nil
}

// forfeited tells whether a capture has to go back.
func (o *Order) forfeited() bool {
	return o.State == StateCancelled || o.State == StateClosed
}
