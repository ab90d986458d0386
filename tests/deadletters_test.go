package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/caravan-shop/caravan/tests/shop"
)

const partitions = 6

// caravan runs the operator's command on the stack under test.
func caravan(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(within(t), "go", append([]string{"run", "../deploy/local/cmd/caravan"}, args...)...)
	if bin := os.Getenv("CARAVAN_BIN"); bin != "" {
		cmd = exec.CommandContext(within(t), bin, args...)
	}
	cmd.Args = append(cmd.Args, "--dir", filepath.Dir(w.path))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustCaravan(t *testing.T, args ...string) string {
	t.Helper()
	out, err := caravan(t, args...)
	if err != nil {
		t.Fatalf("caravan %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// produce puts CloudEvents on Kafka past every outbox, as only a test does.
func produce(t *testing.T, ctx context.Context, records ...*kgo.Record) {
	t.Helper()
	producer, err := kgo.NewClient(kgo.SeedBrokers(w.stack.Kafka...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func cloudEvent(t *testing.T, topic, id string, partition int32, data any) *kgo.Record {
	t.Helper()
	value, err := json.Marshal(map[string]any{"specversion": "1.0", "id": id, "type": topic, "source": "tests",
		"datacontenttype": "application/json", "data": data})
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{Topic: topic, Key: []byte(id), Partition: partition, Value: value,
		Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}}}
}

// letters waits for the dead letters of an event at an app and gives their lines, oldest first.
func letters(t *testing.T, app, eventID string, want int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(within(t), patience)
	defer cancel()
	var mine []string
	if err := shop.Eventually(ctx, func() error {
		mine = nil
		for line := range strings.SplitSeq(mustCaravan(t, "dead-letters", "list", "--all", "--app", app), "\n") {
			if strings.HasPrefix(line, app+"/") && strings.Contains(line, eventID) {
				mine = append(mine, line)
			}
		}
		if len(mine) != want {
			return fmt.Errorf("%d dead letters of %s at %s, want %d", len(mine), eventID, app, want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return mine
}

func letterID(line string) string { return strings.Fields(line)[0] }

// TestPoisonRestsWithItsReasonAndHoldsUpNothing puts a poison message in front of
// everybody, in each partition, at services with a database and without.
func TestPoisonRestsWithItsReasonAndHoldsUpNothing(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p, s := product(t, ctx, 1000, 5), shopper(t, ctx)
	var unknown, garbled, empty string
	for n := range int32(partitions) {
		unknown, garbled, empty = uuid.NewString(), uuid.NewString(), uuid.NewString()
		produce(t, ctx,
			cloudEvent(t, "payment.success", unknown, n, map[string]any{"order_id": uuid.NewString(), "transaction_id": uuid.NewString(),
				"amount": map[string]any{"amount": 100, "currency": "GBP"}}),
			cloudEvent(t, "product.updated", garbled, n, map[string]any{"product_id": 7}),
			cloudEvent(t, "order.created", empty, n, nil))
	}
	o := buy(t, ctx, s, p.ID, 1, visa)
	settles(t, ctx, s, o.ID, "confirmed", "captured", "reserved")
	for _, c := range []struct{ app, event, topic, reason string }{
		{"order", unknown, "payment.success", "unknown order"},
		{"notification", unknown, "payment.success", "lacks"},
		{"cart", garbled, "product.updated", "cannot unmarshal"},
		{"product", garbled, "product.updated", "cannot unmarshal"},
		{"payment", empty, "order.created", "no data"},
	} {
		line := letters(t, c.app, c.event, 1)[0]
		if !strings.Contains(line, c.topic) || !strings.Contains(line, c.reason) || strings.Fields(line)[1] != "open" {
			t.Errorf("%s: got %q, want it open, from %s, because it %q", c.app, line, c.topic, c.reason)
		}
	}
}

func TestWhatNoServiceCanReadRestsToo(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	mark := shop.Unique("garbage")
	produce(t, ctx, &kgo.Record{Topic: "inventory.reserved", Key: []byte(mark), Value: []byte("{" + mark)})
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := shop.Eventually(wait, func() error {
		for line := range strings.SplitSeq(mustCaravan(t, "dead-letters", "list", "--app", "order"), "\n") {
			if strings.HasPrefix(line, "order/") && strings.Contains(mustCaravan(t, "dead-letters", "show", letterID(line)), mark) {
				return nil
			}
		}
		return fmt.Errorf("no dead letter holds %s", mark)
	}); err != nil {
		t.Fatal(err)
	}
}

func TestPoisonRedrivenComesBackAndDroppedLeavesATrace(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	event := uuid.NewString()
	produce(t, ctx, cloudEvent(t, "inventory.rejected", event, 2, map[string]any{"order_id": uuid.NewString()}))
	first := letterID(letters(t, "order", event, 1)[0])
	mustCaravan(t, "dead-letters", "redrive", first)
	both := letters(t, "order", event, 2)
	second := letterID(both[1])
	if letterID(both[1]) == first {
		second = letterID(both[0])
	}
	if out, err := caravan(t, "dead-letters", "redrive", first); err == nil || !strings.Contains(out, "redriven already") {
		t.Errorf("redriven twice: got %v %q, want a refusal", err, out)
	}
	if out, err := caravan(t, "dead-letters", "drop", second); err == nil {
		t.Errorf("dropped without a reason: %q", out)
	}
	mustCaravan(t, "dead-letters", "drop", second, "--because", "made by a test")
	shown := mustCaravan(t, "dead-letters", "show", second)
	for _, want := range []string{"dropped by", "made by a test", "unknown order", event, "inventory.rejected"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the trace of a dropped letter lacks %q:\n%s", want, shown)
		}
	}
	if open := mustCaravan(t, "dead-letters", "list", "--app", "order"); strings.Contains(open, event) {
		t.Errorf("still open: %s", open)
	}
}

// TestRedriveTakesEffectOnce has an event that was never taken redriven twice,
// and one that was taken long ago once.
func TestRedriveTakesEffectOnce(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p, s := product(t, ctx, 1000, 5), shopper(t, ctx)
	o := buy(t, ctx, s, p.ID, 1, visa)
	settles(t, ctx, s, o.ID, "confirmed", "captured", "reserved")
	mailed(t, ctx, s.Email, 3) // welcome, order received, receipt
	taken, err := w.watch.Find(ctx, "payment.success", o.ID)
	if err != nil {
		t.Fatal(err)
	}
	event, gone := uuid.NewString(), uuid.NewString()
	for n := range int32(2) {
		letter := cloudEvent(t, "user.deleted", event, n, map[string]any{"user_id": gone, "occurred_at": "2026-01-01T00:00:00Z", "sequence": 1})
		letter.Topic = "dead-letter.order"
		produce(t, ctx, letter)
	}
	produce(t, ctx, &kgo.Record{Topic: "dead-letter.order", Key: []byte(taken.Key), Value: taken.Raw,
		Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}}})
	for _, line := range append(letters(t, "order", event, 2), letters(t, "order", taken.ID, 1)...) {
		mustCaravan(t, "dead-letters", "redrive", letterID(line))
	}
	for _, service := range []string{"order", "payment", "product"} {
		took(t, ctx, service, event, gone)
	}
	// A later purchase of the same customer goes the same way, behind what was redriven.
	later := buy(t, ctx, s, p.ID, 1, visa)
	settles(t, ctx, s, later.ID, "confirmed", "captured", "reserved")
	history(t, s, o.ID, "created", "confirmed")
	settles(t, ctx, s, o.ID, "confirmed", "captured", "reserved")
	stockBecomes(t, ctx, p.ID, inventory{OnHand: 5, Reserved: 2})
	if got := len(mailed(t, ctx, s.Email, 5)); got != 5 {
		t.Errorf("mails: got %d, want 5: two about each order and the welcome", got)
	}
}

// took waits until a service remembers the erased user, and that it took the event once.
func took(t *testing.T, ctx context.Context, service, event, user string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := shop.Eventually(ctx, func() error {
		var erased, marks int
		query(t, ctx, service, `SELECT (SELECT count(*) FROM erased_users WHERE user_id = $1), (SELECT count(*) FROM inbox WHERE event_id = $2)`,
			[]any{user, event}, &erased, &marks)
		if erased != 1 || marks != 1 {
			return fmt.Errorf("%s remembers %d users by %d events, want 1 by 1", service, erased, marks)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
