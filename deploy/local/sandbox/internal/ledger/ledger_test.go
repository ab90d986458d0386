package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// counter is a Random that never repeats itself.
func counter() Random {
	n := 0
	return func(width int) string {
		n++
		return fmt.Sprintf("%0*d", width, n)
	}
}

func fixedNow() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

func open(t interface {
	Fatalf(string, ...any)
	Helper()
}, dir string, random Random) *Ledger {
	t.Helper()
	l, err := Open(dir, fixedNow, random)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return l
}

// state is everything that a ledger holds, for comparison.
func state(l *Ledger) map[string]any {
	return map[string]any{
		"intents": l.intents, "order": l.intentOrder, "refunds": l.refunds, "refundOrder": l.refundOrder, "methods": l.methods,
		"methodOrder": l.methodOrder, "customers": l.customers, "charges": l.charges,
	}
}

// step does one random operation; a refusal changes nothing but what it stages.
func step(rt *rapid.T, tx *Tx) {
	pick := func(n int, label string) int { return rapid.IntRange(0, n-1).Draw(rt, label) }
	tokens := []string{"pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired", "pm_card_refundFail", "pm_card_pendingRefund"}
	ids := tx.ledger.intentOrder
	if len(ids) == 0 || pick(4, "new") == 0 {
		capture := []string{"automatic", "manual"}[pick(2, "capture")]
		tx.PutIntent(Intent{ID: tx.NewID("pi"), Amount: int64(30 + pick(100, "amount")), Currency: "gbp", CaptureMethod: capture, Status: RequiresPaymentMethod})
		return
	}
	i, _ := tx.Intent(ids[pick(len(ids), "intent")])
	var refused *Error
	switch pick(7, "operation") {
	case 0:
		m, _ := tx.ResolveMethod(tokens[pick(len(tokens), "token")], "payment_method")
		i, refused = i.SetMethod(m)
	case 1:
		i, refused = tx.Confirm(i, pick(4, "off session") == 0)
	case 2:
		i, refused = tx.Authenticate(i, pick(2, "passed") == 0)
	case 3:
		i, refused = i.Capture(int64(pick(140, "capture amount")))
	case 4:
		i, refused = tx.Cancel(i, "abandoned")
	case 5:
		var r Refund
		if i, r, refused = tx.NewRefund(i, int64(pick(140, "refund amount")), "", nil, ""); refused == nil {
			tx.PutRefund(r)
		}
	case 6:
		for _, r := range tx.Unsettled(fixedNow().Add(time.Hour)) {
			if r.Intent == i.ID {
				i, r = i.Settle(r)
				tx.PutRefund(r)
			}
		}
	}
	if refused == nil || refused.Type == "card_error" {
		tx.PutIntent(i)
	}
}

// check holds the books against themselves.
func check(rt *rapid.T, before, after *Ledger) {
	refunds := map[string]int64{}
	for _, r := range after.refunds {
		if r.Amount < 1 {
			rt.Fatalf("refund %+v of nothing", r)
		}
		if r.Status != RefundFailed {
			refunds[r.Intent] += r.Amount
		}
	}
	for id, i := range after.intents {
		switch {
		case i.Refunded != refunds[id]:
			rt.Fatalf("intent %+v: refunds are %d", i, refunds[id])
		case i.Refunded < 0 || i.Refunded > i.Received || i.Received > i.Amount:
			rt.Fatalf("intent %+v: amounts out of order", i)
		case (i.Received > 0) != (i.Status == Succeeded):
			rt.Fatalf("intent %+v: money and status disagree", i)
		case (i.Capturable > 0) != (i.Status == RequiresCapture):
			rt.Fatalf("intent %+v: authorization and status disagree", i)
		case i.Status == RequiresConfirmation && i.Method == "":
			rt.Fatalf("intent %+v: nothing to confirm with", i)
		}
		if was := before.intents[id]; was != nil && (was.Status == Succeeded || was.Status == Canceled) && i.Status != was.Status {
			rt.Fatalf("intent %s went from %s to %s", id, was.Status, i.Status)
		}
	}
}

func TestBooksBalanceWhateverHappens(t *testing.T) {
	root := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		dir := filepath.Join(root, fmt.Sprint(runs))
		random := counter()
		l := open(rt, dir, random)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			before := &Ledger{intents: map[string]*Intent{}}
			for id, i := range l.intents {
				before.intents[id] = i
			}
			if err := l.Update(func(tx *Tx) error { step(rt, tx); return nil }); err != nil {
				rt.Fatalf("update: %v", err)
			}
			check(rt, before, l)
		}
		want := state(l)
		if err := l.Close(); err != nil {
			rt.Fatalf("close: %v", err)
		}
		again := open(rt, dir, random)
		if diff := cmp.Diff(want, state(again)); diff != "" {
			rt.Fatalf("after a restart (-before +after):\n%s", diff)
		}
		if err := again.compact(filepath.Join(dir, "journal.jsonl")); err != nil {
			rt.Fatalf("compact: %v", err)
		}
		_ = again.Close()
		small := open(rt, dir, random)
		if diff := cmp.Diff(want, state(small)); diff != "" {
			rt.Fatalf("after compacting (-before +after):\n%s", diff)
		}
		_ = small.Close()
		_ = os.RemoveAll(dir)
	})
}

func TestCompactingKeepsAnswersAndUndeliveredEvents(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.jsonl")
	l := open(t, dir, counter())
	for n := range 5 {
		err := l.Update(func(tx *Tx) error {
			tx.Emit(Event{ID: fmt.Sprintf("evt_%d", n), Type: "x", Payload: `{"a":"<b>"}`})
			tx.Keep(Answer{Key: fmt.Sprintf("k%d", n), Hash: "h", At: fixedNow().Add(-time.Duration(n) * 10 * time.Hour), Status: 200, Body: "<body>\n"})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Delivered("evt_1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, counter())
	if err := l.compact(path); err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	l = open(t, dir, counter())
	defer l.Close()
	events, err := l.TakeEvents()
	if err != nil || len(events) != 4 || events[1].ID != "evt_2" || events[0].Payload != `{"a":"<b>"}` {
		t.Errorf("events: got %+v, %v", events, err)
	}
	for key, kept := range map[string]bool{"k0": true, "k2": true, "k3": false, "k9": false} {
		a, err := l.Answer(key)
		if err != nil || (a != nil) != kept || kept && a.Body != "<body>\n" {
			t.Errorf("answer %s: got %+v, %v", key, a, err)
		}
	}
}

func TestAFailedUpdateLeavesNothing(t *testing.T) {
	l := open(t, t.TempDir(), counter())
	defer l.Close()
	sentinel := fmt.Errorf("no")
	err := l.Update(func(tx *Tx) error {
		tx.PutIntent(Intent{ID: "pi_1"})
		tx.Emit(Event{ID: "evt_1"})
		return sentinel
	})
	if err != sentinel || len(l.intents) != 0 || len(l.undelivered) != 0 {
		t.Errorf("got %v, %d intents, %d events", err, len(l.intents), len(l.undelivered))
	}
}

func TestNothingIsAcknowledgedOnceTheDiskFails(t *testing.T) {
	l := open(t, t.TempDir(), counter())
	if err := l.journal.file.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Update(func(tx *Tx) error { tx.PutIntent(Intent{ID: "pi_1"}); return nil }); err == nil {
			t.Error("an update was acknowledged that is not on disk")
		}
	}
	if l.Err() == nil {
		t.Error("the ledger still calls itself well")
	}
	if err := l.View(func(*Tx) error { return nil }); err == nil {
		t.Error("a view was answered from what is not on disk")
	}
}

func TestWritersShareAnFsync(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, counter())
	var group sync.WaitGroup
	for w := range 50 {
		group.Go(func() {
			for n := range 20 {
				id := fmt.Sprintf("pi_%d_%d", w, n)
				if err := l.Update(func(tx *Tx) error { tx.PutIntent(Intent{ID: id}); return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, counter())
	defer l.Close()
	if len(l.intents) != 1000 {
		t.Errorf("intents: got %d, want 1000", len(l.intents))
	}
}
