package main

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/order/internal/postgres"
)

// A week after it was undone a checkout is forgotten. One that became an order stays, and so does one that is still to be undone.
func TestCheckoutsThatWereUndoneLongAgoAreSwept(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 9)
	placed, old, recent, stuck := s.buyer(product, 2), s.buyer(product, 2), s.buyer(product, 2), s.buyer(product, 2)
	if got := codeOf(s.place(placed, "k", total(1000, 2))); got != "201 " {
		t.Fatalf("got %s", got)
	}
	for _, user := range []uuid.UUID{old, recent} {
		if got := codeOf(s.place(user, "k", total(1000, 1))); got != "409 price_changed" {
			t.Fatalf("got %s", got)
		}
	}
	s.world.fault("/internal/holds/release", away, nil)
	s.world.fault("/internal/holds/place", nil, away)
	if got := codeOf(s.place(stuck, "k", total(1000, 2))); got != "503 neighbour_unavailable" {
		t.Fatalf("got %s", got)
	}
	for _, user := range []uuid.UUID{placed, old, stuck} {
		s.column(`UPDATE checkouts SET created_at = now() - interval '8 days', ended_at = ended_at - interval '8 days' WHERE user_id = $1 RETURNING state`, user)
	}
	store := postgres.New(s.db, outbox.New(s.db, service.NewID, time.Now), idempotency.New(s.db, time.Now))
	if err := store.SweepCheckouts(t.Context()); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[uuid.UUID]string{placed: "placed", old: "", recent: "undone", stuck: "undoing"} {
		got := s.column(`SELECT state FROM checkouts WHERE user_id = $1`, user)
		if (want == "" && len(got) > 0) || (want != "" && (len(got) != 1 || got[0] != want)) {
			t.Errorf("checkouts of %s: got %v, want %q", user, got, want)
		}
	}
}
