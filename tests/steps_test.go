package tests

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/tests/shop"
)

const (
	visa     = "pm_card_visa"
	declined = "pm_card_chargeDeclined"
	patience = 30 * time.Second
)

func topics() []string { return events.Topics() }

// within gives a context for one test.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func shopper(t *testing.T, ctx context.Context) *shop.Shopper {
	t.Helper()
	s, err := shop.Register(ctx, w.http)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func product(t *testing.T, ctx context.Context, pence, stock int64) *shop.Product {
	t.Helper()
	p, err := w.staff.CreateProduct(ctx, pence, stock)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func buy(t *testing.T, ctx context.Context, s *shop.Shopper, productID string, quantity int64, card string) *shop.Order {
	t.Helper()
	o, err := s.Buy(ctx, productID, quantity, card)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// expires waits for PAY_BY to pass, and for what follows from it.
func expires(t *testing.T, ctx context.Context, s *shop.Shopper, id string) {
	t.Helper()
	settlesBy(t, ctx, 2*time.Minute, s, id, "cancelled", "voided", "released")
}

// settles waits until an order reads so; "" leaves a field open.
func settles(t *testing.T, ctx context.Context, s *shop.Shopper, id, status, payment, stock string) *shop.Order {
	t.Helper()
	return settlesBy(t, ctx, patience, s, id, status, payment, stock)
}

func settlesBy(t *testing.T, ctx context.Context, limit time.Duration, s *shop.Shopper, id, status, payment, stock string) *shop.Order {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last *shop.Order
	err := shop.Eventually(ctx, func() error {
		o, err := s.Order(ctx, id)
		if err != nil {
			return err
		}
		last = o
		for _, c := range [][2]string{{o.Status, status}, {o.PaymentStatus, payment}, {o.StockStatus, stock}} {
			if c[1] != "" && c[0] != c[1] {
				return fmt.Errorf("order is %s/%s/%s, want %s/%s/%s", o.Status, o.PaymentStatus, o.StockStatus, status, payment, stock)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// mailed waits for a mail whose kind its Message-ID or subject does not tell: by count.
func mailed(t *testing.T, ctx context.Context, to string, want int) []shop.Mail {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var mails []shop.Mail
	err := shop.Eventually(ctx, func() (err error) {
		if mails, err = w.stack.Mails(ctx, to); err == nil && len(mails) < want {
			err = fmt.Errorf("%d mails to %s, want %d", len(mails), to, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return mails
}

// inventory is a product's counters in the database.
type inventory struct{ OnHand, Held, Reserved int64 }

func stockOf(t *testing.T, ctx context.Context, productID string) inventory {
	t.Helper()
	var i inventory
	query(t, ctx, "product", `SELECT on_hand, held, reserved FROM product_inventory WHERE product_id = $1`, []any{productID}, &i.OnHand, &i.Held, &i.Reserved)
	return i
}

func stockBecomes(t *testing.T, ctx context.Context, productID string, want inventory) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := shop.Eventually(ctx, func() error {
		if diff := cmp.Diff(want, stockOf(t, ctx, productID)); diff != "" {
			return fmt.Errorf("stock (-want +got): %s", diff)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, ctx context.Context, service, sql string, args []any, into ...any) {
	t.Helper()
	conn, err := pgx.Connect(ctx, w.stack.Postgres[service])
	if err != nil {
		t.Fatalf("read-only connection to %s: %v", service, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := conn.QueryRow(ctx, sql, args...).Scan(into...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// charged sums what the sandbox's own ledger holds of an order.
func charged(t *testing.T, ctx context.Context, orderID string) (captured, refunded int64, captures int) {
	t.Helper()
	l, err := w.stack.Ledger(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, pi := range l.PaymentIntents {
		if pi.OrderID == orderID && pi.Status == "succeeded" {
			captured, refunded, captures = captured+pi.Amount, refunded+pi.AmountRefunded, captures+1
		}
	}
	return captured, refunded, captures
}

// totalsAddUp holds an order to invariant 6.
func totalsAddUp(t *testing.T, o *shop.Order) {
	t.Helper()
	var lines int64
	for _, i := range o.Items {
		if i.LineTotal.Amount != i.Quantity*i.UnitPrice.Amount {
			t.Errorf("line %s: got %d, want %d × %d", i.SKU, i.LineTotal.Amount, i.Quantity, i.UnitPrice.Amount)
		}
		lines += i.LineTotal.Amount
	}
	sum := lines + o.Totals.Shipping.Amount + o.Totals.Tax.Amount - o.Totals.Discount.Amount
	if sum != o.Totals.Total.Amount || lines != o.Totals.Subtotal.Amount {
		t.Errorf("totals do not add up: %+v with lines of %d", o.Totals, lines)
	}
}
