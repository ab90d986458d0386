package order_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

var (
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tx1   = uuid.MustParse("0195a000-0000-7000-8000-000000000001")
	tx2   = uuid.MustParse("0195a000-0000-7000-8000-000000000002")
)

const total = 1000

func placed(t testing.TB) order.Order {
	t.Helper()
	out := order.New(order.Placement{
		ID:     uuid.MustParse("0195a000-0000-7000-8000-0000000000aa"),
		UserID: uuid.MustParse("0195a000-0000-7000-8000-0000000000bb"),
		Number: "7KQX-M2VT-9R6",
		Items:  []order.Item{{ProductID: uuid.Max, SKU: "A", Name: "Thing", Quantity: 2, UnitPrice: 500, LineTotal: 1000, TaxClass: "zero"}},
		Totals: order.Totals{Currency: "GBP", Subtotal: total, Total: total},
		PayBy:  start.Add(15 * time.Minute),
	}, order.Cause{Actor: "customer"}, start)
	if len(out.Events) != 1 || out.Events[0].Topic() != events.TopicOrderCreated {
		t.Fatalf("events of a new order: got %v, want one order.created", out.Events)
	}
	return out.Order
}

// step is a named fact of the table.
type step struct {
	name string
	fact order.Fact
}

func steps() []step {
	return []step{
		{"paid", order.PaymentSucceeded{Transaction: tx1, Amount: total}},
		{"declined", order.PaymentAttemptFailed{Attempt: 1}},
		{"needs_action", order.PaymentNeedsAction{Attempt: 1}},
		{"closed", order.PaymentWasClosed{}},
		{"refund_part", order.MoneyRefunded{Transaction: tx1, Amount: total, Sum: 300}},
		{"refund_all", order.MoneyRefunded{Transaction: tx1, Amount: total, Sum: total}},
		{"reserved", order.StockWasReserved{}},
		{"rejected", order.StockWasRejected{}},
		{"erased", order.PersonErased{}},
		{"cancel", order.Cancel{Reason: order.ByCustomer}},
		{"ship", order.Ship{Carrier: "Royal Mail", TrackingNumber: "X1"}},
		{"deliver", order.Deliver{}},
	}
}

// wantStatus is the whole table, written out apart from the code: what each fact
// makes of each status. "!" is a refusal, "" no change of the status. Where
// payment and stock decide too, the order is the one that reached the status on
// the usual way (see reach).
var wantStatus = map[order.Status]map[string]string{
	order.Created: {"paid": "confirmed", "closed": "cancelled", "rejected": "cancelled", "erased": "cancelled",
		"cancel": "cancelled", "ship": "!", "deliver": "!"},
	order.Confirmed: {"erased": "cancelled", "cancel": "cancelled", "ship": "shipped", "deliver": "!"},
	order.Shipped:   {"cancel": "!", "ship": "!", "deliver": "delivered"},
	order.Delivered: {"cancel": "!", "ship": "!", "deliver": "!"},
	order.Cancelled: {"cancel": "!", "ship": "!", "deliver": "!"},
}

func reach(t *testing.T, s order.Status) order.Order {
	t.Helper()
	way := map[order.Status][]order.Fact{
		order.Created:   {},
		order.Confirmed: {order.PaymentSucceeded{Transaction: tx1, Amount: total}, order.StockWasReserved{}},
		order.Shipped: {order.PaymentSucceeded{Transaction: tx1, Amount: total}, order.StockWasReserved{},
			order.Ship{Carrier: "c", TrackingNumber: "t"}},
		order.Delivered: {order.PaymentSucceeded{Transaction: tx1, Amount: total}, order.StockWasReserved{},
			order.Ship{Carrier: "c", TrackingNumber: "t"}, order.Deliver{}},
		order.Cancelled: {order.Cancel{Reason: order.ByCustomer}},
	}
	o := placed(t)
	for _, f := range way[s] {
		out, err := order.Apply(o, f, order.Cause{Actor: "test"}, start)
		if err != nil {
			t.Fatalf("reach %s by %T: %v", s, f, err)
		}
		o = out.Order
	}
	if o.Status != s {
		t.Fatalf("reached %s, want %s", o.Status, s)
	}
	return o
}

func TestEveryFactInEveryStatus(t *testing.T) {
	for _, s := range order.Statuses() {
		for _, st := range steps() {
			t.Run(fmt.Sprintf("%s/%s", s, st.name), func(t *testing.T) {
				before := reach(t, s)
				out, err := order.Apply(before, st.fact, order.Cause{Actor: "test"}, start)
				got := string(out.Order.Status)
				if err != nil {
					got = "!"
				}
				want := wantStatus[s][st.name]
				if want == "" {
					want = string(s)
				}
				if got != want {
					t.Fatalf("got %s, want %s (error %v)", got, want, err)
				}
				if moved := got != "!" && got != string(s); moved != (len(out.Events) == 1) || moved != (len(out.History) == 1) {
					t.Errorf("moved %v with %d events and %d history rows", moved, len(out.Events), len(out.History))
				}
			})
		}
	}
}

// Every pair of the transition table, held against a second writing of it.
func TestMayBecome(t *testing.T) {
	legal := map[[2]order.Status]bool{
		{order.Created, order.Confirmed}: true, {order.Confirmed, order.Shipped}: true,
		{order.Shipped, order.Delivered}: true, {order.Created, order.Cancelled}: true,
		{order.Confirmed, order.Cancelled}: true,
	}
	for _, a := range order.Statuses() {
		for _, b := range order.Statuses() {
			if got, want := a.MayBecome(b), legal[[2]order.Status{a, b}]; got != want {
				t.Errorf("%s may become %s: got %v, want %v", a, b, got, want)
			}
		}
	}
}

func TestShippingWaitsForStockAndMoney(t *testing.T) {
	paid := order.PaymentSucceeded{Transaction: tx1, Amount: total}
	refund := func(sum int64) order.Fact { return order.MoneyRefunded{Transaction: tx1, Amount: total, Sum: sum} }
	cases := []struct {
		name string
		way  []order.Fact
		want error
	}{
		{"not paid", nil, order.ErrNotShippable},
		{"no stock yet", []order.Fact{paid}, order.ErrStockNotReserved},
		{"wholly refunded", []order.Fact{paid, order.StockWasReserved{}, refund(total)}, order.ErrNotPaid},
		{"partly refunded", []order.Fact{paid, order.StockWasReserved{}, refund(1)}, nil},
		{"ready", []order.Fact{paid, order.StockWasReserved{}}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := order.Apply(run(t, c.way...), order.Ship{Carrier: "c", TrackingNumber: "t"}, order.Cause{}, start)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func run(t *testing.T, facts ...order.Fact) order.Order {
	t.Helper()
	o := placed(t)
	for _, f := range facts {
		out, err := order.Apply(o, f, order.Cause{Actor: "test"}, start)
		if err != nil {
			t.Fatalf("%T: %v", f, err)
		}
		o = out.Order
	}
	return o
}

func TestPaymentStatus(t *testing.T) {
	paid := func(id uuid.UUID) order.Fact { return order.PaymentSucceeded{Transaction: id, Amount: total} }
	refund := func(id uuid.UUID, sum int64) order.Fact {
		return order.MoneyRefunded{Transaction: id, Amount: total, Sum: sum}
	}
	cases := []struct {
		name  string
		facts []order.Fact
		want  order.PaymentStatus
	}{
		{"new", nil, order.PaymentPending},
		{"declined", []order.Fact{order.PaymentAttemptFailed{Attempt: 1}}, order.PaymentFailed},
		{"3-D Secure after the decline of an older attempt", []order.Fact{order.PaymentNeedsAction{Attempt: 2}, order.PaymentAttemptFailed{Attempt: 1}}, order.PaymentRequiresAction},
		{"decline of an attempt before its own 3-D Secure", []order.Fact{order.PaymentAttemptFailed{Attempt: 1}, order.PaymentNeedsAction{Attempt: 1}}, order.PaymentFailed},
		{"captured stays captured", []order.Fact{paid(tx1), order.PaymentAttemptFailed{Attempt: 2}, order.PaymentWasClosed{}}, order.PaymentCaptured},
		{"captured after all", []order.Fact{order.Cancel{Reason: order.ByStaff}, order.PaymentWasClosed{}, paid(tx1)}, order.PaymentCaptured},
		{"part refunded", []order.Fact{paid(tx1), refund(tx1, 10)}, order.PaymentPartiallyRefunded},
		{"refunds out of order", []order.Fact{refund(tx1, 20), refund(tx1, 10), paid(tx1)}, order.PaymentPartiallyRefunded},
		{"refunded before the capture is heard of", []order.Fact{refund(tx1, total), paid(tx1)}, order.PaymentRefunded},
		{"second capture refunded at once", []order.Fact{paid(tx1), paid(tx2), refund(tx2, total)}, order.PaymentCaptured},
		{"closed", []order.Fact{order.PaymentWasClosed{}}, order.PaymentVoided},
		{"a decline after the close", []order.Fact{order.PaymentWasClosed{}, order.PaymentAttemptFailed{Attempt: 3}}, order.PaymentVoided},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := run(t, c.facts...).Payment; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestPaymentDue(t *testing.T) {
	o := run(t, order.PaymentNeedsAction{Attempt: 1}, order.PaymentAttemptFailed{Attempt: 1})
	if !o.PaymentDue.Equal(o.PayBy) {
		t.Errorf("while it can be paid: got due %s, want %s", o.PaymentDue, o.PayBy)
	}
	if o = run(t, order.PaymentSucceeded{Transaction: tx1, Amount: total}); !o.PaymentDue.IsZero() {
		t.Errorf("once captured: got due %s, want none", o.PaymentDue)
	}
	if o = run(t, order.Cancel{Reason: order.ByCustomer}); o.PaymentDue.IsZero() {
		t.Error("a cancelled order whose payment is open must ask what became of it")
	}
}

func TestErasedPersonLeavesWhenTheOrderEnds(t *testing.T) {
	o := reach(t, order.Shipped)
	out, err := order.Apply(o, order.PersonErased{}, order.Cause{}, start)
	if err != nil || out.Order.ShippingAddress == nil || out.Order.Status != order.Shipped {
		t.Fatalf("a parcel on its way keeps its address: %+v, %v", out.Order, err)
	}
	out, err = order.Apply(out.Order, order.Deliver{}, order.Cause{}, start)
	if err != nil || out.Order.ShippingAddress != nil || out.Order.BillingAddress != nil {
		t.Fatalf("delivered and erased: got addresses %v and %v, want none (%v)", out.Order.ShippingAddress, out.Order.BillingAddress, err)
	}
	out, err = order.Apply(placed(t), order.PersonErased{}, order.Cause{}, start)
	if err != nil || out.Order.Status != order.Cancelled || out.Order.Reason != order.Erasure || out.Order.ShippingAddress != nil {
		t.Fatalf("erased before shipping: got %+v, %v", out.Order, err)
	}
}
