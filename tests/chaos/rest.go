package chaos

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/caravan-shop/caravan/tests/shop"
)

// unrest counts what has not come to its end yet; each statement names some.
var unrest = map[string][]string{
	"order": {
		`SELECT 'order waits: ' || status || '/' || payment_status || '/' || stock_status, id::text FROM orders
		 WHERE status = 'created'
		    OR status = 'confirmed' AND (stock_status NOT IN ('reserved') OR payment_status NOT IN ('captured', 'partially_refunded', 'refunded'))
		    OR status = 'cancelled' AND (stock_status NOT IN ('released', 'rejected') OR payment_status NOT IN ('refunded', 'voided', 'failed'))`,
		`SELECT 'checkout is ' || state, order_id::text FROM checkouts WHERE state IN ('running', 'undoing')`,
	},
	"payment": {
		`SELECT 'transaction is ' || status, id::text FROM transactions WHERE status IN ('initiated', 'requires_action')`,
		`SELECT 'refund is ' || status, id::text FROM refunds WHERE status NOT IN ('succeeded', 'failed')`,
		`SELECT 'payment has work: ' || state || ' ' || last_error, order_id::text FROM payment_orders WHERE due_at <= now()`,
	},
	"product": {
		`SELECT 'hold still holds', order_id::text FROM holds WHERE state = 'held'`,
		`SELECT 'copy of a product waits', product_id::text FROM projection_queue`,
	},
	"user": {},
}

const waitingEvents = `SELECT 'event waits: ' || topic, id::text FROM outbox WHERE published_at IS NULL`

// rest waits until nothing moves any more, and gives what is stuck if it never does.
func (r *run) rest(ctx context.Context) []string {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.Rest)
	defer cancel()
	r.say("wait until the shop has come to rest")
	var last []string
	quiet, told := 0, time.Now()
	for {
		look, done := context.WithTimeout(ctx, 20*time.Second)
		now := r.moving(look)
		done()
		if ctx.Err() != nil {
			return last
		}
		last = now
		if quiet++; len(now) > 0 {
			quiet = 0
		}
		if quiet >= 5 {
			r.say("at rest after %s", time.Since(began).Round(time.Second))
			return nil
		}
		if time.Since(told) > 15*time.Second && len(now) > 0 {
			told = time.Now()
			r.say("%d things still move, as %s", len(now), now[0])
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(time.Second):
		}
	}
}

// moving lists what has not come to rest.
func (r *run) moving(ctx context.Context) []string {
	var all []string
	for _, service := range []string{"order", "payment", "product", "user"} {
		some, err := askAll(ctx, r.stack.Postgres[service], append(slices.Clone(unrest[service]), waitingEvents)...)
		if err != nil {
			return []string{service + ": " + err.Error()}
		}
		for _, s := range some {
			all = append(all, service+": "+s)
		}
	}
	lag, err := lags(ctx, r.stack)
	if err != nil {
		return append(all, "kafka: "+err.Error())
	}
	return append(all, lag...)
}

// askAll reads rows of two texts.
func askAll(ctx context.Context, dsn string, statements ...string) ([]string, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var all []string
	for _, sql := range statements {
		rows, err := conn.Query(ctx, sql)
		if err != nil {
			return nil, err
		}
		var what, id string
		if _, err := pgx.ForEachRow(rows, []any{&what, &id}, func() error {
			all = append(all, what+" ("+id+")")
			return nil
		}); err != nil {
			return nil, fmt.Errorf("%s: %w", sql, err)
		}
	}
	return all, nil
}

// lags lists the topics that a service has not read to the end.
func lags(ctx context.Context, stack *shop.Stack) ([]string, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(stack.Kafka...))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	groups, err := kadm.NewClient(client).Lag(ctx, "product", "cart", "order", "payment", "notification")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, g := range groups.Sorted() {
		if err := g.Error(); err != nil {
			return nil, fmt.Errorf("group %s: %w", g.Group, err)
		}
		for _, l := range g.Lag.Sorted() {
			if l.Lag > 0 {
				all = append(all, fmt.Sprintf("%s is %d behind on %s/%d", g.Group, l.Lag, l.Topic, l.Partition))
			}
		}
	}
	return all, nil
}
