package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
	"github.com/caravan-shop/caravan/services/payment/internal/postgres"
)

func open(t *testing.T) (*postgres.Store, *pg.DB) {
	t.Helper()
	db := pgtest.Open(t, postgres.Migrations())
	return postgres.New(db, outbox.New(db, service.NewID, time.Now), time.Now, service.NewID), db
}

func apply(t *testing.T, s *postgres.Store, id uuid.UUID, ins ...payment.Input) payment.Order {
	t.Helper()
	var o payment.Order
	for _, in := range ins {
		var err error
		if o, err = s.Apply(context.Background(), id, in); err != nil {
			t.Fatalf("apply %T: %v", in, err)
		}
	}
	return o
}

func prepared(user uuid.UUID, token string) payment.Prepared {
	return payment.Prepared{UserID: user, Means: payment.Means{Kind: payment.KindCard, Token: token, Customer: "cus_1", SavedID: service.NewID()}}
}

func placed(user uuid.UUID) payment.Placed {
	return payment.Placed{UserID: user, Number: "N-1", Amount: 1000, Currency: "GBP", At: time.Now().UTC().Truncate(time.Microsecond)}
}

func TestSchema(t *testing.T) {
	_, db := open(t)
	pgtest.Golden(t, db, "testdata/schema.golden")
	pgtest.UpDownUp(t, postgres.Migrations())
}

// Whatever Apply answers is what Find reads: every field of every row goes there and back.
func TestRowsKeepEverything(t *testing.T) {
	ctx := context.Background()
	s, _ := open(t)
	id, user := service.NewID(), service.NewID()
	half := int64(400)
	stories := []func(o payment.Order) payment.Input{
		func(payment.Order) payment.Input { return prepared(user, "pm_card_visa") },
		func(payment.Order) payment.Input { return placed(user) },
		func(o payment.Order) payment.Input {
			return payment.IntentRead{TransactionID: o.Attempts[0].ID, Intent: payment.Intent{ID: "pi_1", State: payment.IntentAction,
				NextAction: &payment.NextAction{Type: "redirect_to_url", RedirectToURL: &payment.RedirectToURL{URL: "https://bank.example/x"}}}}
		},
		func(o payment.Order) payment.Input {
			return payment.IntentRead{TransactionID: o.Attempts[0].ID, Intent: payment.Intent{ID: "pi_1", State: payment.IntentCaptured}}
		},
		func(payment.Order) payment.Input {
			return payment.RefundAsked{ID: service.NewID(), Amount: &half, Currency: "GBP", Reason: "broken", By: service.NewID()}
		},
		func(payment.Order) payment.Input { return payment.Cancelled{} },
		func(o payment.Order) payment.Input {
			return payment.RefundRead{RefundID: o.Refunds[0].ID, Refund: payment.ProviderRefund{ID: "re_1", Status: payment.RefundSucceeded}}
		},
		func(o payment.Order) payment.Input {
			return payment.RefundRefused{RefundID: o.Refunds[1].ID, Code: payment.FailRefundRefused}
		},
	}
	var o payment.Order
	for _, next := range stories {
		o = apply(t, s, id, next(o))
		found, err := s.Find(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, found); diff != "" {
			t.Fatalf("after %T (-applied +found):\n%s", next(o), diff)
		}
	}
	row, err := s.Transaction(ctx, o.Attempts[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	want := payment.Transaction{Attempt: o.Attempts[0], OrderID: id, UserID: user, Number: "N-1", Kind: payment.KindCard}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Errorf("transaction (-want +got):\n%s", diff)
	}
	refunds, err := s.Refunds(ctx, payment.RefundFilter{Status: string(payment.RefundFailed), Limit: 10})
	if err != nil || len(refunds) != 1 || refunds[0].ID != o.Refunds[1].ID {
		t.Errorf("failed refunds: got %v, %v; want the cancellation's", refunds, err)
	}
}

func TestUnknownRows(t *testing.T) {
	ctx := context.Background()
	s, _ := open(t)
	_, err := s.Find(ctx, service.NewID())
	wantCode(t, err, payment.ErrOrderUnknown)
	_, err = s.Transaction(ctx, service.NewID())
	wantCode(t, err, payment.ErrTransactionUnknown)
	_, err = s.Refund(ctx, service.NewID())
	wantCode(t, err, payment.ErrRefundUnknown)
	if _, known, err := s.OrderOf(ctx, service.NewID()); known || err != nil {
		t.Errorf("order of an unknown transaction: got %v, %v", known, err)
	}
}

func wantCode(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error: got %v, want %v", err, want)
	}
}

// What the domain decides, the database holds even against a mistake in it.
func TestLastLinesOfDefence(t *testing.T) {
	ctx := context.Background()
	s, db := open(t)
	id, user := service.NewID(), service.NewID()
	o := apply(t, s, id, prepared(user, "pm_card_visa"), placed(user))
	tx := o.Attempts[0].ID
	o = apply(t, s, id, payment.IntentRead{TransactionID: tx, Intent: payment.Intent{ID: "pi_1", State: payment.IntentCaptured}}, payment.Cancelled{})

	const copyRefund = `
INSERT INTO refunds (id, order_id, transaction_id, kind, amount, currency, status, created_at, updated_at)
SELECT gen_random_uuid(), order_id, transaction_id, kind, amount, currency, status, now(), now() FROM refunds WHERE order_id = $1`
	const copyAttempt = `
INSERT INTO transactions (id, order_id, user_id, number, attempt, payment_method_id, amount, currency, status, idempotency_key, intent, created_at, updated_at)
SELECT gen_random_uuid(), order_id, user_id, number, attempt + 1, payment_method_id, amount, currency, $2, gen_random_uuid()::text, 'none', now(), now()
FROM transactions WHERE id = $1`
	for name, try := range map[string]struct {
		sql  string
		args []any
	}{
		"refunds_cancellation_once": {copyRefund, []any{id}},
		"transactions_one_capture":  {copyAttempt, []any{tx, "captured"}},
	} {
		_, err := db.Conn(ctx).Exec(ctx, try.sql, try.args...)
		if got, _ := pg.ConstraintOf(err); got != name {
			t.Errorf("constraint: got %q (%v), want %q", got, err, name)
		}
	}
	if len(o.Refunds) != 1 {
		t.Errorf("refunds: got %d, want 1", len(o.Refunds))
	}
}

func TestWallet(t *testing.T) {
	ctx := context.Background()
	s, db := open(t)
	user, other := service.NewID(), service.NewID()
	save := func(owner uuid.UUID, provider string) payment.SavedMethod {
		now := time.Now().UTC().Truncate(time.Microsecond)
		m, _, err := s.Save(ctx, payment.SavedMethod{ID: service.NewID(), UserID: owner, ProviderID: provider, Brand: "visa", Last4: "4242",
			ExpMonth: 12, ExpYear: 2034, Version: 1, CreatedAt: now, UpdatedAt: now}, "cus_"+owner.String())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	a, b := save(user, "pm_a"), save(user, "pm_b")
	if !a.Default || b.Default {
		t.Errorf("default: got %v and %v, want the first one", a.Default, b.Default)
	}
	if again := save(user, "pm_a"); again.ID != a.ID {
		t.Errorf("saved again: got %s, want %s", again.ID, a.ID)
	}
	_, err := s.Means(ctx, other, a.ID)
	wantCode(t, err, payment.ErrMethodUnknown)
	means, err := s.Means(ctx, user, a.ID)
	want := payment.Means{Kind: payment.KindCard, Token: "pm_a", Customer: "cus_" + user.String(), SavedID: a.ID}
	if diff := cmp.Diff(want, means); err != nil || diff != "" {
		t.Errorf("means: %v (-want +got):\n%s", err, diff)
	}
	if _, err := s.SetDefault(ctx, user, b.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.SetDefault(ctx, other, b.ID)
	wantCode(t, err, payment.ErrSavedMethodUnknown)
	wantCode(t, s.Remove(ctx, other, b.ID), payment.ErrSavedMethodUnknown)
	if err := s.Remove(ctx, user, b.ID); err != nil {
		t.Fatal(err)
	}
	saved, err := s.Saved(ctx, user)
	if err != nil || len(saved) != 1 || saved[0].ID != a.ID || !saved[0].Default {
		t.Errorf("left: got %+v, %v; want %s as the default", saved, err, a.ID)
	}
	if id, err := s.NextDetachment(ctx); err != nil || id != "pm_b" {
		t.Errorf("detachment: got %q, %v; want pm_b", id, err)
	}
	if id, err := s.NextDetachment(ctx); err != nil || id != "" {
		t.Errorf("leased detachment: got %q, %v; want none", id, err)
	}
	if err := s.InTx(ctx, func(ctx context.Context) error { return s.Erase(ctx, user) }); err != nil {
		t.Fatal(err)
	}
	if saved, _ := s.Saved(ctx, user); len(saved) != 0 {
		t.Errorf("after erasing: got %d saved methods", len(saved))
	}
	var customers int
	if err := db.Conn(ctx).QueryRow(ctx, `SELECT count(*) FROM provider_customers WHERE user_id = $1`, user).Scan(&customers); err != nil || customers != 0 {
		t.Errorf("after erasing: got %d customers, %v", customers, err)
	}
}

// Fifty writers at once leave exactly one default.
func TestOneDefault(t *testing.T) {
	ctx := context.Background()
	s, _ := open(t)
	user := service.NewID()
	now := time.Now().UTC()
	errs := make(chan error, 10)
	for i := range 10 {
		go func() {
			m, _, err := s.Save(ctx, payment.SavedMethod{ID: service.NewID(), UserID: user, ProviderID: "pm_" + string(rune('a'+i)), Brand: "visa",
				Last4: "4242", ExpMonth: 1, ExpYear: 2030, Version: 1, CreatedAt: now, UpdatedAt: now}, "")
			if err == nil {
				_, err = s.SetDefault(ctx, user, m.ID)
			}
			errs <- err
		}()
	}
	for range 10 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	saved, err := s.Saved(ctx, user)
	if err != nil {
		t.Fatal(err)
	}
	defaults := 0
	for _, m := range saved {
		if m.Default {
			defaults++
		}
	}
	if len(saved) != 10 || defaults != 1 {
		t.Errorf("got %d methods and %d defaults, want 10 and 1", len(saved), defaults)
	}
}
