package subscriber_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/product/internal/postgres"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
	"github.com/caravan-shop/caravan/services/product/internal/subscriber"
)

// world records what the handlers asked for.
type world struct {
	did   []string
	lines []stock.Line
	err   error
}

func (w *world) Confirmed(_ context.Context, _ uuid.UUID, lines []stock.Line) error {
	w.did, w.lines = append(w.did, "confirmed"), lines
	return w.err
}

func (w *world) Cancelled(context.Context, uuid.UUID) error {
	w.did = append(w.did, "cancelled")
	return w.err
}

func (w *world) Shipped(context.Context, uuid.UUID, []stock.Line) error {
	w.did = append(w.did, "shipped")
	return w.err
}

func (w *world) Erase(context.Context, uuid.UUID) error {
	w.did = append(w.did, "erased")
	return w.err
}

func (w *world) MarkAlerts(context.Context, uuid.UUID) error { return nil }

func (w *world) MarkAll(context.Context, uuid.UUID) error {
	w.did = append(w.did, "marked")
	return w.err
}

func event(t *testing.T, topic string, data any) delivery.Event {
	t.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return delivery.Event{ID: uuid.NewString(), Type: topic, Data: raw}
}

func TestEventsTakeEffectOnce(t *testing.T) {
	db, w := pgtest.Open(t, postgres.Migrations()), &world{}
	queued := 0
	table := subscriber.Table(db, w, w, w, func() { queued++ })
	id, mug := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	order := events.OrderData{OrderID: id, Items: []events.LineItem{{ProductID: mug, Quantity: 1}, {ProductID: mug, Quantity: 2}}}
	order.OccurredAt = time.Now()
	for _, e := range []delivery.Event{
		event(t, events.TopicOrderConfirmed, order), event(t, events.TopicOrderShipped, order), event(t, events.TopicOrderCancelled, order),
		event(t, events.TopicUserDeleted, events.UserData{UserID: id}), event(t, events.TopicProductUpdated, events.ProductData{ProductID: mug}),
	} {
		for range 2 {
			if err := table[e.Type](t.Context(), e); err != nil {
				t.Fatalf("%s: %v", e.Type, err)
			}
		}
	}
	if want := []string{"confirmed", "shipped", "cancelled", "erased", "marked"}; !slices.Equal(w.did, want) || queued != 1 {
		t.Errorf("did %v and woke %d times, want %v and once", w.did, queued, want)
	}
	if want := []stock.Line{{ProductID: mug, Quantity: 3}}; !slices.Equal(w.lines, want) {
		t.Errorf("lines %v, want those of one product put together: %v", w.lines, want)
	}
}

func TestFailedHandlingIsTriedAgain(t *testing.T) {
	db, w := pgtest.Open(t, postgres.Migrations()), &world{err: context.DeadlineExceeded}
	table := subscriber.Table(db, w, w, w, func() {})
	e := event(t, events.TopicOrderCancelled, events.OrderData{OrderID: uuid.Must(uuid.NewV7())})
	if err := table[e.Type](t.Context(), e); err == nil {
		t.Fatal("the failure was acknowledged")
	}
	w.err = nil
	if err := table[e.Type](t.Context(), e); err != nil || len(w.did) != 2 {
		t.Errorf("second delivery: %v, did %v", err, w.did)
	}
}
