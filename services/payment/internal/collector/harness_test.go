package collector_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/payment/internal/collector"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
	"github.com/caravan-shop/caravan/services/payment/internal/postgres"
	"github.com/caravan-shop/caravan/services/payment/internal/providertest"
)

// shop is a database with the use cases on it and a provider to charge at.
type shop struct {
	*testing.T
	ctx      context.Context
	db       *pg.DB
	store    *postgres.Store
	checkout *payment.Checkout
	refunds  *payment.Refunds
	provider *providertest.Provider
}

func newShop(t *testing.T) *shop {
	t.Helper()
	db := pgtest.Open(t, postgres.Migrations())
	store := newStore(db)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return &shop{
		T: t, ctx: ctx, db: db, store: store, provider: providertest.New(),
		checkout: payment.NewCheckout(store, store, store, store, time.Now, time.Hour),
		refunds:  payment.NewRefunds(store, service.NewID),
	}
}

func newStore(db *pg.DB) *postgres.Store {
	return postgres.New(db, outbox.New(db, service.NewID, time.Now), time.Now, service.NewID)
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func (s *shop) collector(queue collector.Queue, workers int) *collector.Collector {
	return collector.New(queue, s.provider, s.provider, quiet(), workers, 20*time.Millisecond)
}

func (s *shop) order(token string) (id, user uuid.UUID) {
	s.Helper()
	id, user = service.NewID(), service.NewID()
	s.must(s.checkout.Prepare(s.ctx, id, user, payment.Choice{Kind: payment.KindCard, Token: token}))
	s.must(s.place(id, user))
	return id, user
}

func (s *shop) place(id, user uuid.UUID) error {
	return s.checkout.Place(s.ctx, id, payment.Placed{UserID: user, Number: "N", Amount: 1000, Currency: "GBP", At: time.Now()})
}

func (s *shop) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shop) find(id uuid.UUID) payment.Order {
	s.Helper()
	o, err := s.store.Find(s.ctx, id)
	s.must(err)
	return o
}

// drain works everything off that is due now, at the pace of one worker.
func (s *shop) drain() {
	s.Helper()
	c := s.collector(s.store, 1)
	for {
		found, err := c.Once(s.ctx)
		s.must(err)
		if !found {
			return
		}
	}
}

// hurry makes what waits for a later time, or for a lease, due now.
func (s *shop) hurry() {
	s.Helper()
	_, err := s.db.Conn(s.ctx).Exec(s.ctx, `UPDATE payment_orders SET due_at = now(), leased_until = NULL WHERE due_at IS NOT NULL`)
	s.must(err)
}

func (s *shop) wantStatus(id uuid.UUID, want ...payment.Status) {
	s.Helper()
	var got []payment.Status
	for _, a := range s.find(id).Attempts {
		got = append(got, a.Status)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("statuses (-want +got):\n%s", diff)
	}
}

// wantAgreement compares the provider's ledger with transactions, both ways.
func (s *shop) wantAgreement() {
	s.Helper()
	rows, err := s.db.Conn(s.ctx).Query(s.ctx, `
SELECT id::text, provider_payment_id, amount, refunded_amount, status IN ('captured', 'partially_refunded', 'refunded') FROM transactions
WHERE provider_payment_id IS NOT NULL ORDER BY provider_payment_id`)
	s.must(err)
	type line struct {
		Transaction, Intent string
		Amount, Refunded    int64
		Captured            bool
	}
	ours, err := pgx.CollectRows(rows, pgx.RowToStructByPos[line])
	s.must(err)
	theirs := map[string]line{}
	for _, i := range s.provider.Intents() {
		theirs[i.ID] = line{i.Transaction, i.ID, i.Amount, i.Refunded, i.State == payment.IntentCaptured}
	}
	for _, o := range ours {
		if diff := cmp.Diff(theirs[o.Intent], o); diff != "" {
			s.Errorf("intent %s (-provider +ours):\n%s", o.Intent, diff)
		}
		delete(theirs, o.Intent)
	}
	if len(theirs) > 0 {
		s.Errorf("the provider has intents that we do not: %v", theirs)
	}
}

func (s *shop) topics() []string {
	s.Helper()
	rows, err := s.db.Conn(s.ctx).Query(s.ctx, `SELECT topic FROM outbox ORDER BY position`)
	s.must(err)
	topics, err := pgx.CollectRows(rows, pgx.RowTo[string])
	s.must(err)
	return topics
}

func (s *shop) count(sql string) (n int) {
	s.Helper()
	s.must(s.db.Conn(s.ctx).QueryRow(s.ctx, sql).Scan(&n))
	return n
}

func (s *shop) until(ok func() bool) {
	s.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatal("it did not happen within 20 s")
		}
	}
}

func (s *shop) settle() {
	s.Helper()
	for range 3 {
		s.drain()
		s.hurry()
	}
}
