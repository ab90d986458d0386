package payment

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// Clock gives the core the time and ids it may use.
type Clock struct {
	Now   time.Time
	NewID func() uuid.UUID
}

// Input is something that happened to an order's money: a call, an event of
// another service, or the provider's word.
type Input interface {
	apply(o *Order, c Clock) ([]events.Event, error)
}

// Apply decides. On an error the order is as it was. Every input may come
// twice, late or in any order: what has been decided stays decided.
func Apply(o Order, in Input, c Clock) (Order, []events.Event, error) {
	next := o.Clone()
	evs, err := in.apply(&next, c)
	if err != nil {
		return o, nil, err
	}
	next.touch(o, c)
	return next, evs, nil
}

// touch moves version and time of every row that differs.
func (o *Order) touch(before Order, c Clock) {
	for i := range o.Attempts {
		a := &o.Attempts[i]
		if old := before.attempt(a.ID); old == nil || *old != *a {
			a.Version++
			a.UpdatedAt = c.Now
		}
	}
	for i := range o.Refunds {
		r := &o.Refunds[i]
		if old := before.refund(r.ID); old == nil || *old != *r {
			r.Version++
			r.UpdatedAt = c.Now
		}
	}
}

// Prepared: Order hands over the means of payment before it commits the order.
type Prepared struct {
	UserID uuid.UUID
	Means  Means
}

func (in Prepared) apply(o *Order, _ Clock) ([]events.Event, error) {
	if o.UserID != uuid.Nil && o.UserID != in.UserID {
		return nil, ErrMethodUnknown
	}
	o.UserID = in.UserID
	if o.State == StatePrepared {
		o.Means = in.Means
	}
	return nil, nil
}

// Placed: order.created. It charges unless the order is already over.
type Placed struct {
	UserID   uuid.UUID
	Number   string
	Amount   int64
	Currency string
	At       time.Time
	// Erased tells that the buyer's account is gone: nothing is begun for it.
	Erased bool
}

func (in Placed) apply(o *Order, c Clock) ([]events.Event, error) {
	if !o.PlacedAt.IsZero() {
		return nil, nil
	}
	o.UserID, o.Number, o.Amount, o.Currency, o.PlacedAt = in.UserID, in.Number, in.Amount, in.Currency, in.At
	if o.State != StatePrepared {
		o.Means = Means{}
		return nil, nil
	}
	if in.Erased || in.Amount <= 0 {
		o.State, o.Means = StateClosed, Means{}
		return nil, nil
	}
	o.State = StateOpen
	return o.begin(c), nil
}

// begin makes the attempt that the kept means are for.
func (o *Order) begin(c Clock) []events.Event {
	a := Attempt{
		ID: c.NewID(), Number: len(o.Attempts) + 1, Amount: o.Amount, Currency: o.Currency,
		Status: StatusInitiated, Intent: IntentNone, Means: o.Means, CreatedAt: c.Now,
	}
	o.Means = Means{}
	o.Attempts = append(o.Attempts, a)
	begun := &o.Attempts[len(o.Attempts)-1]
	evs := []events.Event{o.initiated(begun)}
	if begun.Means.Token == "" {
		begun.Intent = IntentCanceled
		evs = append(evs, o.fail(begun, StatusFailed, FailNoMeans)...)
	}
	return evs
}

// AttemptAsked: the owner tries again after a decline.
type AttemptAsked struct{ Means Means }

func (in AttemptAsked) apply(o *Order, c Clock) ([]events.Event, error) {
	switch {
	case o.forfeited():
		return nil, ErrNotPayable
	case o.Standing() != nil:
		return nil, ErrAlreadyPaid
	case o.State == StatePrepared, o.State == StateOpen && o.OpenAttempt() != nil:
		return nil, ErrInProgress
	case o.State != StateOpen:
		return nil, ErrNotPayable
	}
	o.Means = in.Means
	return o.begin(c), nil
}

// Cancelled: order.cancelled. Nothing that comes later charges.
type Cancelled struct{}

func (Cancelled) apply(o *Order, c Clock) ([]events.Event, error) {
	if o.State == StateCancelled {
		return nil, nil
	}
	o.State, o.Means = StateCancelled, Means{}
	if a := o.Standing(); a != nil {
		o.owe(a, RefundCancellation, c)
	}
	return nil, nil
}

// owe makes the refund of what is left of a capture, once.
func (o *Order) owe(a *Attempt, kind RefundKind, c Clock) {
	made := slices.ContainsFunc(o.Refunds, func(r Refund) bool { return r.TransactionID == a.ID && r.Kind != RefundStaff })
	left := o.Refundable(a)
	if made || left <= 0 {
		return
	}
	o.Refunds = append(o.Refunds, Refund{
		ID: c.NewID(), TransactionID: a.ID, Kind: kind, Amount: left, Currency: a.Currency,
		Reason: string(kind), Status: RefundRequested, CreatedAt: c.Now,
	})
}

// CloseAsked: Order's time to pay is over. Until Final an attempt that waits
// for the payer is left alone.
type CloseAsked struct{ Final bool }

func (in CloseAsked) apply(o *Order, _ Clock) ([]events.Event, error) {
	if o.State == StateCancelled || o.State == StateClosed || o.Standing() != nil {
		return nil, nil
	}
	switch {
	case o.OpenAttempt() == nil:
		o.State, o.Means = StateClosed, Means{}
	case in.Final:
		o.State = StateVoiding
	case o.State == StateOpen:
		o.State = StateClosing
	}
	return nil, nil
}

// Closing is the answer to CloseAsked.
type Closing string

// The answers: "open" asks to come again.
const (
	ClosingCaptured Closing = "captured"
	ClosingClosed   Closing = "closed"
	ClosingOpen     Closing = "open"
)

// Closing reads the answer off an order that CloseAsked was applied to.
func (o *Order) Closing() (Closing, uuid.UUID) {
	if o.State == StateClosed {
		return ClosingClosed, uuid.Nil
	}
	if a := o.Standing(); a != nil {
		return ClosingCaptured, a.ID
	}
	if o.OpenAttempt() != nil {
		return ClosingOpen, uuid.Nil
	}
	return ClosingClosed, uuid.Nil
}

// RefundAsked: staff gives money back.
type RefundAsked struct {
	ID       uuid.UUID
	Amount   *int64 // nil: all that is left
	Currency string // with Amount
	Reason   string
	By       uuid.UUID
}

func (in RefundAsked) apply(o *Order, c Clock) ([]events.Event, error) {
	a := o.Standing()
	if a == nil {
		return nil, ErrNothingCaptured
	}
	left := o.Refundable(a)
	amount := left
	if in.Amount != nil {
		amount = *in.Amount
		if in.Currency != a.Currency {
			return nil, ErrCurrency
		}
		if amount <= 0 {
			return nil, ErrAmount
		}
	}
	if amount > left || amount <= 0 {
		return nil, ErrExceedsCaptured.With("refundable", events.Money{Amount: left, Currency: a.Currency})
	}
	o.Refunds = append(o.Refunds, Refund{
		ID: in.ID, TransactionID: a.ID, Kind: RefundStaff, Amount: amount, Currency: a.Currency,
		Reason: in.Reason, RequestedBy: in.By, Status: RefundRequested, CreatedAt: c.Now,
	})
	return nil, nil
}

// Erased: the buyer's account is gone. Figures stay, unused means do not.
type Erased struct{}

func (Erased) apply(o *Order, _ Clock) ([]events.Event, error) {
	o.Means = Means{}
	return nil, nil
}
