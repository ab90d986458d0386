package payment

import (
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// IntentRead: the provider's word on an attempt, by whatever way it came.
type IntentRead struct {
	TransactionID uuid.UUID
	Intent        Intent
}

func (in IntentRead) apply(o *Order, c Clock) ([]events.Event, error) {
	a := o.attempt(in.TransactionID)
	// A terminal state is the provider's last word; whatever else arrives is old.
	if a == nil || a.Intent.Terminal() || (a.ProviderID != "" && a.ProviderID != in.Intent.ID) {
		return nil, nil
	}
	a.ProviderID = in.Intent.ID
	switch in.Intent.State {
	case IntentUnconfirmed:
		// A repeated create call answers how the intent began, so this may be
		// old news: it never takes back what is known.
		if a.Intent == IntentNone {
			a.Intent = IntentUnconfirmed
		}
		return nil, nil
	case IntentAction:
		return o.awaitPayer(a, in.Intent.NextAction), nil
	case IntentDeclined:
		a.Intent = IntentDeclined
		return o.fail(a, StatusFailed, in.Intent.FailureCode), nil
	case IntentCanceled:
		a.Intent = IntentCanceled
		return o.void(a), nil
	case IntentCaptured:
		a.Intent = IntentCaptured
		return o.capture(a, c), nil
	default: // processing, capturable
		a.Intent, a.NextAction = in.Intent.State, nil
		return nil, nil
	}
}

// awaitPayer keeps what 3-D Secure asks of the payer.
func (o *Order) awaitPayer(a *Attempt, next *NextAction) []events.Event {
	a.Intent = IntentAction
	if !a.Open() {
		return nil
	}
	first := a.Status != StatusRequiresAction
	if a.NextAction == nil || next == nil || !a.NextAction.equal(next) {
		a.NextAction = next
	}
	a.Status = StatusRequiresAction
	if !first || !o.chargeable() {
		return nil
	}
	return []events.Event{o.requiresAction(a)}
}

func (n *NextAction) equal(m *NextAction) bool {
	if n.Type != m.Type || (n.RedirectToURL == nil) != (m.RedirectToURL == nil) {
		return false
	}
	return n.RedirectToURL == nil || *n.RedirectToURL == *m.RedirectToURL
}

// capture records money taken. What may not stand is owed back at once.
func (o *Order) capture(a *Attempt, c Clock) []events.Event {
	other := o.Standing()
	toldFailed := !a.Open()
	a.Status, a.FailureCode, a.NextAction, a.Means = StatusCaptured, "", nil, a.Means.spent()
	// Once closed, Order was promised that nothing will be captured, but may not
	// have heard that answer: told of a success now, it would confirm an order
	// whose money is on its way back.
	if other != nil || o.State == StateClosed {
		a.Surplus = true
		o.owe(a, RefundSurplus, c)
		if toldFailed {
			return nil
		}
		// To the order this attempt paid nothing.
		return []events.Event{o.failed(a, FailAlreadyPaid)}
	}
	if o.forfeited() {
		o.owe(a, RefundCancellation, c)
	}
	return []events.Event{o.success(a)}
}

// void ends an attempt whose intent the provider has cancelled.
func (o *Order) void(a *Attempt) []events.Event {
	switch {
	case o.State == StateCancelled:
		return o.fail(a, StatusVoided, FailOrderCancelled)
	case o.State == StateVoiding || o.State == StateClosed:
		return o.fail(a, StatusVoided, FailOrderClosed)
	case o.Standing() != nil:
		return o.fail(a, StatusVoided, FailAlreadyPaid)
	}
	return o.fail(a, StatusFailed, FailCanceledAtProvider)
}

// fail ends an open attempt without a capture; an ended one is left as it is.
func (o *Order) fail(a *Attempt, status Status, code string) []events.Event {
	if !a.Open() {
		return nil
	}
	a.Status, a.FailureCode, a.NextAction, a.Means = status, code, nil, a.Means.spent()
	return []events.Event{o.failed(a, code)}
}

// AttemptRefused: the provider said no to making or confirming the intent.
type AttemptRefused struct {
	TransactionID uuid.UUID
	Code          string
}

func (in AttemptRefused) apply(o *Order, _ Clock) ([]events.Event, error) {
	a := o.attempt(in.TransactionID)
	if a == nil || a.Intent.Terminal() {
		return nil, nil
	}
	if a.ProviderID == "" {
		a.Intent = IntentCanceled // there is none, and there will be none
	} else {
		a.Intent = IntentDeclined // it exists: it has to be cancelled
	}
	if !o.chargeable() && a.ProviderID == "" {
		return o.void(a), nil
	}
	return o.fail(a, StatusFailed, in.Code), nil
}

// RefundRead: the provider's word on a refund.
type RefundRead struct {
	RefundID uuid.UUID
	Refund   ProviderRefund
}

func (in RefundRead) apply(o *Order, _ Clock) ([]events.Event, error) {
	r := o.refund(in.RefundID)
	if r == nil || r.Status == RefundFailed || r.Status == RefundSucceeded {
		return nil, nil
	}
	if r.Status == RefundDoubted && in.Refund.Status == RefundPending {
		return nil, nil // neither yes nor no: it stays in doubt
	}
	if r.ProviderID == "" {
		r.ProviderID = in.Refund.ID
	}
	r.Status, r.FailureCode = in.Refund.Status, in.Refund.FailureCode
	return o.tally(r), nil
}

// RefundBounced: the provider says that a refund came back; it is read before
// that is believed.
type RefundBounced struct{ ProviderID string }

func (in RefundBounced) apply(o *Order, _ Clock) ([]events.Event, error) {
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.ProviderID == in.ProviderID && r.Status == RefundSucceeded {
			r.Status = RefundDoubted
		}
	}
	return nil, nil
}

// RefundRefused: the provider said no; staff has to decide.
type RefundRefused struct {
	RefundID uuid.UUID
	Code     string
}

func (in RefundRefused) apply(o *Order, _ Clock) ([]events.Event, error) {
	r := o.refund(in.RefundID)
	if r == nil || r.Status != RefundRequested {
		return nil, nil
	}
	r.Status, r.FailureCode = RefundFailed, in.Code
	return nil, nil
}

// tally sums what went back of the refund's transaction. A refund that the
// bank bounced after the provider had called it done lowers the sum again.
func (o *Order) tally(r *Refund) []events.Event {
	a := o.attempt(r.TransactionID)
	var sum int64
	for _, other := range o.Refunds {
		if other.TransactionID == a.ID && (other.Status == RefundSucceeded || other.Status == RefundDoubted) {
			sum += other.Amount
		}
	}
	grew := sum > a.RefundedAmount
	a.RefundedAmount = sum
	switch {
	case sum == 0:
		a.Status = StatusCaptured
	case sum < a.Amount:
		a.Status = StatusPartiallyRefunded
	default:
		a.Status = StatusRefunded
	}
	if !grew || a.Surplus {
		return nil
	}
	return []events.Event{o.refunded(a)}
}
