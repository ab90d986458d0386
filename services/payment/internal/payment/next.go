package payment

import "time"

// StepKind names a call to the provider.
type StepKind int

// The calls. StepNone is none: either nothing is left to do, or Again says
// when to look anew.
const (
	StepNone StepKind = iota
	StepCreateIntent
	StepReadIntent
	StepConfirmIntent
	StepCaptureIntent
	StepCancelIntent
	StepCreateRefund
	StepReadRefund
)

// String names the call.
func (k StepKind) String() string {
	switch k {
	case StepCreateIntent:
		return "create_intent"
	case StepReadIntent:
		return "read_intent"
	case StepConfirmIntent:
		return "confirm_intent"
	case StepCaptureIntent:
		return "capture_intent"
	case StepCancelIntent:
		return "cancel_intent"
	case StepCreateRefund:
		return "create_refund"
	case StepReadRefund:
		return "read_refund"
	}
	return "none"
}

// Step is the one call that the order's money needs now.
type Step struct {
	Kind    StepKind
	Attempt Attempt // of an intent, or whose refund it is
	Refund  Refund
	// Again: with StepNone, when to read the provider anew although it should
	// tell us by itself; zero: never.
	Again time.Duration
}

// How often the provider is asked about what it ought to report by webhook.
const (
	pollProcessing = 3 * time.Second
	pollPayer      = 30 * time.Second
	pollRefund     = time.Minute
)

// Next names the next call. Attempts come in order of their number, so that an
// old intent is ended before a new one can be charged; refunds come last. seen
// holds what has been read from the provider in this run: whatever may have
// changed there since is read before anything is done about it.
func Next(o Order, seen Seen) Step {
	var again time.Duration
	for _, a := range o.Attempts {
		kind, wait := o.nextOf(a, seen[a.ID])
		if kind != StepNone {
			return Step{Kind: kind, Attempt: a}
		}
		again = sooner(again, wait)
		if !a.Intent.Terminal() {
			break
		}
	}
	for _, r := range o.Refunds {
		a := o.attempt(r.TransactionID)
		switch {
		case r.Status == RefundRequested:
			return Step{Kind: StepCreateRefund, Attempt: *a, Refund: r}
		case r.Status != RefundPending && r.Status != RefundDoubted:
		case !seen[r.ID]:
			return Step{Kind: StepReadRefund, Attempt: *a, Refund: r}
		default:
			again = sooner(again, pollRefund)
		}
	}
	return Step{Again: again}
}

// nextOf decides on one attempt alone.
func (o *Order) nextOf(a Attempt, seen bool) (StepKind, time.Duration) {
	welcome := a.Open() && o.chargeable()
	switch a.Intent {
	case IntentNone:
		// Also when the order is over: a create call whose answer was lost may
		// have made an intent, and repeating it is the way to learn its id.
		return StepCreateIntent, 0
	case IntentUnconfirmed:
		switch {
		case !welcome:
			return StepCancelIntent, 0
		case !seen:
			return StepReadIntent, 0
		}
		return StepConfirmIntent, 0
	case IntentDeclined:
		return StepCancelIntent, 0
	case IntentAction:
		switch {
		case !welcome:
			return StepCancelIntent, 0
		case !seen:
			return StepReadIntent, 0
		}
		return StepNone, pollPayer
	case IntentProcessing:
		if !seen {
			return StepReadIntent, 0
		}
		return StepNone, pollProcessing
	case IntentCapturable:
		if welcome {
			return StepCaptureIntent, 0
		}
		return StepCancelIntent, 0
	}
	return StepNone, 0
}

func sooner(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}
