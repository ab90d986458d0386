package invariants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// Option adds to what Check knows.
type Option func(*expectations)

type expectations struct {
	acknowledged []string
	grace        time.Duration
}

// Acknowledged names orders that a client was told of with a 2xx.
func Acknowledged(orderIDs ...string) Option {
	return func(e *expectations) { e.acknowledged = append(e.acknowledged, orderIDs...) }
}

// Grace is how long after its time to pay an unpaid order may still stand:
// PAY_GRACE and what a timer takes. 45 s if not given.
func Grace(d time.Duration) Option { return func(e *expectations) { e.grace = d } }

// Check holds the shop to invariants 1 to 6 of the contract, once it is at rest
// (see Rest). An error means that something could not be read.
func Check(ctx context.Context, s *shop.Stack, options ...Option) (Report, error) {
	e := expectations{grace: 45 * time.Second}
	for _, o := range options {
		o(&e)
	}
	b, err := read(ctx, s, e.grace)
	if err != nil {
		return Report{}, err
	}
	return b.audit(e.acknowledged), nil
}

// audit holds the books to every rule.
func (b *books) audit(acknowledged []string) Report {
	a := &audit{}
	b.placing(a, acknowledged)
	b.lives(a)
	b.money(a)
	b.shelves(a)
	b.holding(a)
	b.delivery(a)
	b.totals(a)
	r := a.report()
	for _, letters := range b.dead {
		r.DeadLetters += len(letters)
	}
	return r
}

// Rest waits until nothing moves any more: every outbox is empty, everything on
// the topics was taken in, no checkout runs, no payment work is due, and the
// books were read twice alike. It fails with what still moves when ctx ends.
func Rest(ctx context.Context, s *shop.Stack) error {
	var before string
	for {
		now, err := state(ctx, s)
		if err == nil && now == before {
			return nil
		}
		if err == nil {
			err = errors.New("the books still change")
		}
		before = now
		t := time.NewTimer(500 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("the shop has not come to rest: %w", err)
		case <-t.C:
		}
	}
}

// state is a fingerprint of the books; an error names what is under way.
func state(ctx context.Context, s *shop.Stack) (string, error) {
	b, err := read(ctx, s, 0)
	if err != nil {
		return "", err
	}
	var moving error
	for service, outbox := range b.outbox {
		for _, row := range outbox {
			if !row.Published {
				moving = fmt.Errorf("the outbox of %s holds %s of %s", service, row.Topic, row.Key)
			}
		}
	}
	for _, c := range b.checkouts {
		if c.State == "running" || c.State == "undoing" {
			moving = fmt.Errorf("checkout %s is %s", c.Order, c.State)
		}
	}
	for _, r := range b.topics {
		for _, app := range consumers()[r.Topic] {
			if r.ID != "" && !b.taken(app, r.ID) {
				moving = fmt.Errorf("%s has not taken %s of %s", app, r.Topic, r.Key)
			}
		}
	}
	for _, t := range b.transactions {
		if t.Status == "initiated" {
			moving = fmt.Errorf("transaction %s is initiated", t.ID)
		}
	}
	ended := index(b.transactions, func(t transactionRow) string { return t.ID })
	for _, pi := range b.ledger.PaymentIntents {
		t := ended[pi.TransactionID]
		if (t.Status == "failed" || t.Status == "voided") && pi.Status != "succeeded" && pi.Status != "canceled" {
			moving = fmt.Errorf("intent %s of an attempt that has ended is %s", pi.ID, pi.Status)
		}
	}
	for _, r := range b.refunds {
		if r.Status == "requested" || r.Status == "pending" {
			moving = fmt.Errorf("a refund of transaction %s is %s", r.Transaction, r.Status)
		}
	}
	for _, o := range b.orders {
		if o.Status == "cancelled" && (o.Payment == "pending" || o.Payment == "failed" || o.Payment == "requires_action" || o.Payment == "captured") {
			moving = fmt.Errorf("order %s is cancelled and its payment %s", o.ID, o.Payment)
		}
		if o.Status == "confirmed" && o.Stock == "held" {
			moving = fmt.Errorf("order %s is confirmed and its stock held", o.ID)
		}
	}
	if moving != nil {
		return "", moving
	}
	return fmt.Sprint(b.orders, b.transactions, b.refunds, b.stock, len(b.movements), b.holds, len(b.topics), b.ledger), nil
}

// consumers are the services with an inbox that subscribe to a topic.
func consumers() map[string][]string {
	return map[string][]string{
		"order.created": {"payment"}, "order.confirmed": {"product"}, "order.shipped": {"product"},
		"order.cancelled": {"payment", "product"}, "user.deleted": {"payment", "product", "order"},
		"payment.success": {"order"}, "payment.failed": {"order"}, "payment.requires_action": {"order"}, "payment.refunded": {"order"},
		"inventory.reserved": {"order"}, "inventory.rejected": {"order"},
		"product.created": {"product"}, "product.updated": {"product"}, "product.out_of_stock": {"product"},
	}
}
