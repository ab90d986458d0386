package payment

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
)

// ids gives ids that sort in the order in which they were made.
func ids() func() uuid.UUID {
	n := byte(0)
	return func() uuid.UUID { n++; return uuid.UUID{6: 0x70, 15: n} }
}

func testClock() Clock {
	return Clock{Now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), NewID: ids()}
}

var (
	orderID = uuid.MustParse("01900000-0000-7000-8000-0000000000aa")
	buyer   = uuid.MustParse("01900000-0000-7000-8000-0000000000bb")
	other   = uuid.MustParse("01900000-0000-7000-8000-0000000000cc")
	first   = uuid.UUID{6: 0x70, 15: 1}
	second  = uuid.UUID{6: 0x70, 15: 2}
)

var (
	prepared  = Prepared{UserID: buyer, Means: Means{Kind: KindCard, Token: "pm_card_visa"}}
	placed    = Placed{UserID: buyer, Number: "N1", Amount: 1000, Currency: "GBP", At: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
	captured  = IntentRead{TransactionID: first, Intent: Intent{ID: "pi_1", State: IntentCaptured}}
	declined  = IntentRead{TransactionID: first, Intent: Intent{ID: "pi_1", State: IntentDeclined, FailureCode: FailDeclined}}
	waiting   = IntentRead{TransactionID: first, Intent: Intent{ID: "pi_1", State: IntentAction, NextAction: &NextAction{Type: "redirect_to_url"}}}
	canceled  = IntentRead{TransactionID: first, Intent: Intent{ID: "pi_1", State: IntentCanceled}}
	captured2 = IntentRead{TransactionID: second, Intent: Intent{ID: "pi_2", State: IntentCaptured}}
	again     = AttemptAsked{Means: Means{Kind: KindCard, Token: "pm_card_visa"}}
)

// outcome is what a story leaves: the state, each attempt's status and code,
// the refunds' amounts by kind, the topics in order, and the last error's code.
type outcome struct {
	State    State
	Attempts []string
	Refunds  []string
	Topics   []string
	Err      error
}

func tell(t *testing.T, story []Input) outcome {
	t.Helper()
	o, clock := New(orderID), testClock()
	var out outcome
	for _, in := range story {
		next, evs, err := Apply(o, in, clock)
		if err != nil {
			out.Err = err
			if diff := cmp.Diff(o, next); diff != "" {
				t.Errorf("a refused %T changed the order:\n%s", in, diff)
			}
		}
		for _, e := range evs {
			out.Topics = append(out.Topics, e.Topic())
		}
		o = next
	}
	out.State = o.State
	for _, a := range o.Attempts {
		out.Attempts = append(out.Attempts, string(a.Status)+" "+a.FailureCode)
	}
	for _, r := range o.Refunds {
		out.Refunds = append(out.Refunds, string(r.Kind)+" "+string(r.Status))
	}
	return out
}

type story struct {
	happens []Input
	want    outcome
}

// The topics, in short.
const (
	begun, done, bad = events.TopicPaymentInitiated, events.TopicPaymentSuccess, events.TopicPaymentFailed
	action, back     = events.TopicPaymentRequiresAction, events.TopicPaymentRefunded
)

// The nth id that the clock gave, where a refund has it.
const (
	theRefund         = byte(2)
	refundAfterSecond = byte(3)
	staffRefund       = byte(99)
)

func refunded(n byte) Input {
	return RefundRead{RefundID: uuid.UUID{6: 0x70, 15: n}, Refund: ProviderRefund{ID: "re_1", Status: RefundSucceeded}}
}

func staffHalf() Input {
	half := int64(500)
	return RefundAsked{ID: uuid.UUID{6: 0x70, 15: staffRefund}, Amount: &half, Currency: "GBP", Reason: "broken", By: other}
}

func storiesOfCharging() map[string]story {
	return map[string]story{
		"charged": {[]Input{prepared, placed, captured},
			outcome{StateOpen, []string{"captured "}, nil, []string{begun, done}, nil}},
		"everything twice": {[]Input{prepared, prepared, placed, placed, captured, captured, Cancelled{}, Cancelled{}, refunded(theRefund), refunded(theRefund)},
			outcome{StateCancelled, []string{"refunded "}, []string{"cancellation succeeded"}, []string{begun, done, back}, nil}},
		"created without prepared": {[]Input{placed},
			outcome{StateOpen, []string{"failed payment_method_missing"}, nil, []string{begun, bad}, nil}},
		"declined, then paid": {[]Input{prepared, placed, declined, canceled, again, captured2},
			outcome{StateOpen, []string{"failed card_declined", "captured "}, nil, []string{begun, bad, begun, done}, nil}},
		"cancelled before created": {[]Input{prepared, Cancelled{}, placed},
			outcome{StateCancelled, nil, nil, nil, nil}},
		"cancelled by what was never heard of": {[]Input{Cancelled{}, prepared, placed},
			outcome{StateCancelled, nil, nil, nil, nil}},
		"cancelled while open, voided": {[]Input{prepared, placed, Cancelled{}, canceled},
			outcome{StateCancelled, []string{"voided order_cancelled"}, nil, []string{begun, bad}, nil}},
		"cancelled while the charge was faster": {[]Input{prepared, placed, Cancelled{}, captured, refunded(theRefund)},
			outcome{StateCancelled, []string{"refunded "}, []string{"cancellation succeeded"}, []string{begun, done, back}, nil}},
		"3-D Secure": {[]Input{prepared, placed, waiting, waiting, captured},
			outcome{StateOpen, []string{"captured "}, nil, []string{begun, action, done}, nil}},
		"a second attempt while one is open": {[]Input{prepared, placed, waiting, again},
			outcome{StateOpen, []string{"requires_action "}, nil, []string{begun, action}, ErrInProgress}},
		"an attempt before created": {[]Input{prepared, again},
			outcome{StatePrepared, nil, nil, nil, ErrInProgress}},
		"an attempt after a capture": {[]Input{prepared, placed, captured, again},
			outcome{StateOpen, []string{"captured "}, nil, []string{begun, done}, ErrAlreadyPaid}},
		"an attempt after cancelling": {[]Input{prepared, placed, declined, Cancelled{}, again},
			outcome{StateCancelled, []string{"failed card_declined"}, nil, []string{begun, bad}, ErrNotPayable}},
		"old news change nothing": {[]Input{prepared, placed, captured, declined, waiting, canceled},
			outcome{StateOpen, []string{"captured "}, nil, []string{begun, done}, nil}},
	}
}

func storiesOfClosing() map[string]story {
	return map[string]story{
		"closed without an open attempt": {[]Input{prepared, placed, declined, CloseAsked{}, again},
			outcome{StateClosed, []string{"failed card_declined"}, nil, []string{begun, bad}, ErrNotPayable}},
		"closed before created": {[]Input{prepared, CloseAsked{}, placed},
			outcome{StateClosed, nil, nil, nil, nil}},
		"closing lets the open one end well": {[]Input{prepared, placed, waiting, CloseAsked{}, captured, CloseAsked{}},
			outcome{StateClosing, []string{"captured "}, nil, []string{begun, action, done}, nil}},
		"closing takes no new one": {[]Input{prepared, placed, waiting, CloseAsked{}, declined, again},
			outcome{StateClosing, []string{"failed card_declined"}, nil, []string{begun, action, bad}, ErrNotPayable}},
		"closed for good voids": {[]Input{prepared, placed, waiting, CloseAsked{Final: true}, canceled, CloseAsked{}},
			outcome{StateClosed, []string{"voided order_closed"}, nil, []string{begun, action, bad}, nil}},
		"closed for good, but the charge was faster": {[]Input{prepared, placed, waiting, CloseAsked{Final: true}, captured, CloseAsked{Final: true}},
			outcome{StateVoiding, []string{"captured "}, nil, []string{begun, action, done}, nil}},
		// Order may not have heard the answer yet: told of a success it would confirm.
		"captured after closed goes back, and is not told": {[]Input{prepared, placed, declined, CloseAsked{}, captured, refunded(theRefund)},
			outcome{StateClosed, []string{"refunded "}, []string{"surplus succeeded"}, []string{begun, bad}, nil}},
		"captured after closed, then cancelled": {[]Input{prepared, placed, declined, CloseAsked{}, captured, Cancelled{}, refunded(theRefund)},
			outcome{StateCancelled, []string{"refunded "}, []string{"surplus succeeded"}, []string{begun, bad}, nil}},
	}
}

func storiesOfRefunding() map[string]story {
	return map[string]story{
		"a second capture goes back": {[]Input{prepared, placed, declined, again, captured2, captured, refunded(refundAfterSecond)},
			outcome{StateOpen, []string{"refunded ", "captured "}, []string{"surplus succeeded"}, []string{begun, bad, begun, done}, nil}},
		"a second capture of an open attempt": {[]Input{prepared, placed, declined, again, captured, captured2, refunded(refundAfterSecond)},
			outcome{StateOpen, []string{"captured ", "refunded "}, []string{"surplus succeeded"}, []string{begun, bad, begun, done, bad}, nil}},
		"staff gives half back, then it is cancelled": {[]Input{prepared, placed, captured, staffHalf(), refunded(staffRefund), Cancelled{}, refunded(theRefund)},
			outcome{StateCancelled, []string{"refunded "}, []string{"staff succeeded", "cancellation succeeded"}, []string{begun, done, back, back}, nil}},
		"more than is left": {[]Input{prepared, placed, captured, staffHalf(), RefundAsked{ID: second, Amount: &placed.Amount, Currency: "GBP"}},
			outcome{StateOpen, []string{"captured "}, []string{"staff requested"}, []string{begun, done}, ErrExceedsCaptured}},
		"refused refund frees what it held": {[]Input{prepared, placed, captured, staffHalf(), RefundRefused{RefundID: uuid.UUID{6: 0x70, 15: staffRefund}, Code: FailRefundRefused}, RefundAsked{ID: second, Currency: "GBP"}},
			outcome{StateOpen, []string{"captured "}, []string{"staff failed", "staff requested"}, []string{begun, done}, nil}},
		"a refund that the bank sends back": {[]Input{prepared, placed, captured, Cancelled{}, refunded(theRefund), RefundBounced{ProviderID: "re_1"},
			RefundRead{RefundID: uuid.UUID{6: 0x70, 15: theRefund}, Refund: ProviderRefund{ID: "re_1", Status: RefundFailed}}},
			outcome{StateCancelled, []string{"captured "}, []string{"cancellation failed"}, []string{begun, done, back}, nil}},
		"refund of nothing": {[]Input{prepared, placed, RefundAsked{ID: second}},
			outcome{StateOpen, []string{"initiated "}, nil, []string{begun}, ErrNothingCaptured}},
		"means of somebody else's order": {[]Input{prepared, Prepared{UserID: other}},
			outcome{StatePrepared, nil, nil, nil, ErrMethodUnknown}},
		"erased buyer": {[]Input{prepared, Placed{UserID: buyer, Amount: 1000, Currency: "GBP", At: placed.At, Erased: true}},
			outcome{StateClosed, nil, nil, nil, nil}},
	}
}

func TestStories(t *testing.T) {
	for _, stories := range []map[string]story{storiesOfCharging(), storiesOfClosing(), storiesOfRefunding()} {
		for name, tt := range stories {
			t.Run(name, func(t *testing.T) {
				got := tell(t, tt.happens)
				if !errors.Is(got.Err, tt.want.Err) || (tt.want.Err == nil && got.Err != nil) {
					t.Errorf("error: got %v, want %v", got.Err, tt.want.Err)
				}
				got.Err, tt.want.Err = nil, nil
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestRefundedEventCarriesTheSum(t *testing.T) {
	o, clock := New(orderID), testClock()
	third := int64(300)
	var sums []int64
	story := []Input{prepared, placed, captured}
	for i := range 3 {
		id := uuid.UUID{6: 0x70, 15: byte(50 + i)}
		story = append(story, RefundAsked{ID: id, Amount: &third, Currency: "GBP"},
			RefundRead{RefundID: id, Refund: ProviderRefund{ID: "re", Status: RefundSucceeded}})
	}
	for _, in := range story {
		next, evs, err := Apply(o, in, clock)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range evs {
			if r, ok := e.(*events.PaymentRefunded); ok {
				sums = append(sums, r.RefundedAmount.Amount)
				if r.Amount.Amount != 1000 {
					t.Errorf("amount: got %d, want that of the transaction, 1000", r.Amount.Amount)
				}
			}
		}
		o = next
	}
	if diff := cmp.Diff([]int64{300, 600, 900}, sums); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
}

func TestHoldsCardNumber(t *testing.T) {
	tests := map[string]struct {
		body string
		want bool
	}{
		"token":                {`{"token":"pm_card_visa"}`, false},
		"plain":                {`{"token":"4242424242424242"}`, true},
		"number":               {`{"token":4242424242424242}`, true},
		"unknown field":        {`{"token":"pm_card_visa","card":{"number":"4000 0566 5566 5556"}}`, true},
		"name of a field":      {`{"378282246310005":1}`, true},
		"dashes":               {`{"token":"4242-4242-4242-4242"}`, true},
		"escaped":              {`{"token":"\u0034242424242424242"}`, true},
		"in a text":            {`{"note":"my card is 5555555555554444, thanks"}`, true},
		"glued to its expiry":  {`{"note":"4242424242424242 12/34"}`, true},
		"inside a token":       {`{"token":"pm_4242424242424242"}`, true},
		"19 digits":            {`{"n":"6304000000000000000"}`, true},
		"no JSON at all":       {`4242424242424242`, true},
		"fails Luhn":           {`{"token":"4242424242424241"}`, false},
		"too short":            {`{"phone":"424242424242"}`, false},
		"id of ours":           {`{"saved_payment_method_id":"01900000-4242-7424-8242-424242424242"}`, false},
		"amount":               {`{"amount":{"amount":1999,"currency":"GBP"}}`, false},
		"13 digits (old Visa)": {`{"n":"4222222222222"}`, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := HoldsCardNumber([]byte(tt.body)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
