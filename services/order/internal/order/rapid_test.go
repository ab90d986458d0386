package order_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// anyFact draws a fact, legal in the present state or not.
func anyFact(t *rapid.T) order.Fact {
	id := rapid.SampledFrom([]string{"1", "2"}).Draw(t, "transaction")
	txID := tx1
	if id == "2" {
		txID = tx2
	}
	n := rapid.IntRange(1, 3).Draw(t, "attempt")
	return rapid.SampledFrom([]order.Fact{
		order.PaymentSucceeded{Transaction: txID, Amount: total},
		order.PaymentAttemptFailed{Attempt: n},
		order.PaymentNeedsAction{Attempt: n},
		order.PaymentWasClosed{},
		order.MoneyRefunded{Transaction: txID, Amount: total, Sum: rapid.Int64Range(1, total).Draw(t, "sum")},
		order.StockWasReserved{}, order.StockWasRejected{}, order.PersonErased{},
		order.Cancel{Reason: order.ByStaff}, order.Ship{Carrier: "c", TrackingNumber: "t"}, order.Deliver{},
	}).Draw(t, "fact")
}

// Any interleaving of facts, with duplicates, late and foreign ones, keeps what
// must always hold of one order.
func TestAnyInterleaving(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := placed(t)
		history := []order.Transition{{Sequence: 1, To: order.Created}}
		now := start
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			now = now.Add(time.Second)
			fact := anyFact(rt)
			out, err := order.Apply(o, fact, order.Cause{Actor: "test"}, now)
			if err != nil {
				if out.Changed || len(out.Events) > 0 || out.Order.Version != o.Version {
					rt.Fatalf("refused %T and changed the order", fact)
				}
				continue
			}
			checkStep(rt, o, out)
			again, err := order.Apply(out.Order, fact, order.Cause{Actor: "test"}, now)
			if err == nil && again.Changed {
				rt.Fatalf("%T took effect twice: %+v then %+v", fact, out.Order, again.Order)
			}
			history = append(history, out.History...)
			o = out.Order
		}
		checkHistory(rt, o, history)
	})
}

func checkStep(rt *rapid.T, before order.Order, out order.Outcome) {
	after := out.Order
	if before.Status.Ended() && after.Status != before.Status {
		rt.Fatalf("%s became %s", before.Status, after.Status)
	}
	if before.Payment.MoneyMoved() && !after.Payment.MoneyMoved() {
		rt.Fatalf("payment %s became %s", before.Payment, after.Payment)
	}
	if after.Captured() < before.Captured() || after.Refunded() < before.Refunded() {
		rt.Fatal("a sum of money shrank")
	}
	switch before.Stock {
	case order.StockReleased, order.StockRejected, order.StockShipped:
		if after.Stock != before.Stock {
			rt.Fatalf("stock %s became %s", before.Stock, after.Stock)
		}
	}
	if after.Status == order.Cancelled && (after.Stock == order.StockHeld || after.Stock == order.StockReserved) {
		rt.Fatalf("a cancelled order has stock %s", after.Stock)
	}
	if len(out.Events) != len(out.History) {
		rt.Fatalf("%d events for %d steps", len(out.Events), len(out.History))
	}
	if (after.Version != before.Version) != out.Changed {
		rt.Fatalf("changed %v, version %d to %d", out.Changed, before.Version, after.Version)
	}
}

func checkHistory(rt *rapid.T, o order.Order, history []order.Transition) {
	at := order.Status("")
	for i, h := range history {
		if h.Sequence != i+1 || h.From != at || !at.MayBecome(h.To) {
			rt.Fatalf("history row %d: %+v after %q", i, h, at)
		}
		at = h.To
	}
	if at != o.Status || len(history) != o.HistoryLength {
		rt.Fatalf("history of %d rows ends %s; order is %s after %d", len(history), at, o.Status, o.HistoryLength)
	}
}

// The facts of the other services come to the same end in whatever order, as
// long as nobody races them with a command.
func TestOrderOfFactsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		facts := []order.Fact{
			order.PaymentNeedsAction{Attempt: 1}, order.PaymentAttemptFailed{Attempt: 1},
			order.PaymentNeedsAction{Attempt: 2}, order.PaymentSucceeded{Transaction: tx1, Amount: total},
			order.MoneyRefunded{Transaction: tx1, Amount: total, Sum: 200},
			order.MoneyRefunded{Transaction: tx1, Amount: total, Sum: 500}, order.StockWasReserved{},
		}
		shuffled := rapid.Permutation(append(facts, facts...)).Draw(rt, "order")
		o := run(t, shuffled...)
		if o.Status != order.Confirmed || o.Payment != order.PaymentPartiallyRefunded || o.Stock != order.StockReserved || o.Refunded() != 500 {
			rt.Fatalf("ended %s, %s, %s, refunded %d", o.Status, o.Payment, o.Stock, o.Refunded())
		}
	})
}

func TestNumberReadAloud(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := [32]byte{}
		copy(seed[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(rt, "seed"))
		n, err := order.NewNumber(rand.NewChaCha8(seed))
		if err != nil {
			rt.Fatal(err)
		}
		if got, ok := order.ParseNumber(strings.ToLower(strings.ReplaceAll(n, "-", " "))); !ok || got != n {
			rt.Fatalf("%s read back as %q, %v", n, got, ok)
		}
		plain := []byte(strings.ReplaceAll(n, "-", ""))
		i := rapid.IntRange(0, len(plain)-1).Draw(rt, "place")
		wrong := bytes.Clone(plain)
		wrong[i] = rapid.SampledFrom([]byte("0123456789ABCDEFGHJKMNPQRSTVWXY")).Draw(rt, "symbol")
		if _, ok := order.ParseNumber(string(wrong)); ok && !bytes.Equal(wrong, plain) {
			rt.Fatalf("%s accepted for %s", wrong, plain)
		}
	})
}

func TestNumberAsPeopleWriteIt(t *testing.T) {
	for written, want := range map[string]bool{
		"7KQX-M2VT-9R6": true, "7kqxm2vt9r6": true, "7kqx m2vt 9r6": true, "7KQX-MZVT-9R6": true,
		"7KQX-M2VT-9R7": false, "7KQX-2MVT-9R6": false, "7KQX-M2VT-9R": false, "": false, "7KQX-M2VT-9RU": false,
	} {
		got, ok := order.ParseNumber(written)
		if ok != want || (ok && got != "7KQX-M2VT-9R6") {
			t.Errorf("%q: got %q, %v; want %v", written, got, ok, want)
		}
	}
}

func TestOrderEventsCarryNoAddress(t *testing.T) {
	out := order.New(order.Placement{ShippingAddress: order.Address{Recipient: "Ada Lovelace"}}, order.Cause{}, start)
	e, ok := out.Events[0].(*events.OrderCreated)
	if !ok || e.Status != "created" || e.Reason != "" {
		t.Fatalf("got %+v", out.Events[0])
	}
}
