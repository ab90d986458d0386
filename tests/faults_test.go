package tests

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/caravan-shop/caravan/tests/shop"
)

func TestOrderCompletesThoughASidecarIsKilled(t *testing.T) {
	ctx := within(t)
	p := product(t, ctx, 1500, 20)
	for _, app := range []string{"payment", "product", "order"} {
		t.Run(app, func(t *testing.T) {
			s := shopper(t, ctx)
			o := buy(t, ctx, s, p.ID, 1, visa)
			kill(t, ctx, "daprd-"+app)
			settlesBy(t, ctx, time.Minute, s, o.ID, "confirmed", "captured", "reserved")
		})
	}
}

func TestOrderCompletesThoughAServiceIsKilled(t *testing.T) {
	ctx := within(t)
	p := product(t, ctx, 1500, 20)
	for _, app := range []string{"payment", "product", "order"} {
		t.Run(app, func(t *testing.T) {
			s := shopper(t, ctx)
			o := buy(t, ctx, s, p.ID, 1, visa)
			kill(t, ctx, app)
			settlesBy(t, ctx, time.Minute, s, o.ID, "confirmed", "captured", "reserved")
		})
	}
}

// TestEveryEventTwiceChangesNothing puts each record on Kafka a second time, as
// a replay from the start would, and compares every business row, mail and
// ledger entry before and after. Not parallel: the shop must be at rest.
func TestEveryEventTwiceChangesNothing(t *testing.T) {
	ctx := within(t)
	p, marker := product(t, ctx, 1500, 20), product(t, ctx, 100, 1)
	s, prober := shopper(t, ctx), shopper(t, ctx)
	done := buy(t, ctx, s, p.ID, 2, visa)
	settles(t, ctx, s, done.ID, "confirmed", "captured", "reserved")
	ship(t, done.ID)
	cancelled := buy(t, ctx, s, p.ID, 3, visa)
	settles(t, ctx, s, cancelled.ID, "confirmed", "captured", "reserved")
	if _, err := s.Want(ctx, http.StatusOK, nil, "POST", "order", "/v1/orders/"+cancelled.ID+"/cancel", nil, s.Token()); err != nil {
		t.Fatal(err)
	}
	settles(t, ctx, s, cancelled.ID, "cancelled", "refunded", "released")
	open := buy(t, ctx, s, p.ID, 1, declined)
	settles(t, ctx, s, open.ID, "created", "failed", "held")
	expires(t, ctx, s, open.ID)

	before := atRest(t, ctx)
	records := w.watch.All()
	producer, err := kgo.NewClient(kgo.SeedBrokers(w.stack.Kafka...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for _, r := range records {
		rec := &kgo.Record{Topic: r.Topic, Key: []byte(r.Key), Partition: r.Partition, Value: r.Raw,
			Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}}}
		if err := producer.ProduceSync(ctx, rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	// A marker that goes through after all copies tells that they were handled.
	probe := buy(t, ctx, prober, marker.ID, 1, visa)
	settlesBy(t, ctx, time.Minute, prober, probe.ID, "confirmed", "captured", "reserved")
	after := atRest(t, ctx)
	if len(records) < 20 { // the three orders above alone make more
		t.Errorf("only %d records were doubled", len(records))
	}
	dropMarker(before, marker.ID, probe.ID, prober.Email)
	dropMarker(after, marker.ID, probe.ID, prober.Email)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("after every event came twice (-before +after):\n%s", diff)
	}
}

// snapshot maps each thing that an event may change to what it holds.
type snapshot map[string]string

// businessRows reads rows by order, so that the probe's own can be left out.
var businessRows = map[string][]string{
	"order": {
		`SELECT 'orders ' || id, concat_ws('|', status, payment_status, stock_status, total_amount) FROM orders`,
		`SELECT 'history ' || order_id, count(*)::text FROM order_status_history GROUP BY order_id`,
	},
	"payment": {
		`SELECT 'transactions ' || order_id, string_agg(concat_ws('|', id, status, amount, refunded_amount), ',' ORDER BY id) FROM transactions GROUP BY order_id`,
	},
	"product": {
		`SELECT 'inventory ' || product_id, concat_ws('|', on_hand, held, reserved) FROM product_inventory`,
	},
	"user": {
		`SELECT 'users ' || id, coalesce(email::text, '') FROM users`,
	},
}

func takeSnapshot(t *testing.T, ctx context.Context) snapshot {
	t.Helper()
	got := snapshot{}
	for service, statements := range businessRows {
		conn, err := pgx.Connect(ctx, w.stack.Postgres[service])
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range statements {
			rows, err := conn.Query(ctx, sql)
			if err != nil {
				t.Fatal(err)
			}
			var id, value string
			if _, err := pgx.ForEachRow(rows, []any{&id, &value}, func() error { got[id] = value; return nil }); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		_ = conn.Close(ctx)
	}
	ledger, err := w.stack.Ledger(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, pi := range ledger.PaymentIntents {
		got["ledger "+pi.OrderID+" "+pi.ID] = fmt.Sprintf("%s|%d|%d", pi.Status, pi.Amount, pi.AmountRefunded)
	}
	mails, err := w.stack.AllMails(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mails {
		got["mail "+m.To[0].Address+" "+m.MessageID+" "+m.ID] = m.Subject
	}
	return got
}

// atRest gives the snapshot once two in a row are the same and all outboxes are
// empty, with the count of mails a recipient.
func atRest(t *testing.T, ctx context.Context) snapshot {
	t.Helper()
	last := takeSnapshot(t, ctx)
	same := 0
	if err := shop.Eventually(ctx, func() error {
		time.Sleep(300 * time.Millisecond)
		now := takeSnapshot(t, ctx)
		if cmp.Equal(last, now) && waiting(t, ctx) == 0 {
			same++
		} else {
			same = 0
		}
		last = now
		if same < 5 {
			return fmt.Errorf("the shop has not come to rest")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return last
}

func waiting(t *testing.T, ctx context.Context) int {
	t.Helper()
	sum := 0
	for service := range businessRows {
		var n int
		query(t, ctx, service, `SELECT count(*) FROM outbox WHERE published_at IS NULL`, nil, &n)
		sum += n
	}
	return sum
}

// dropMarker takes the marker's product and order out of a snapshot.
func dropMarker(s snapshot, ids ...string) {
	for name := range s {
		for _, id := range ids {
			if strings.Contains(name, id) {
				delete(s, name)
			}
		}
	}
}
