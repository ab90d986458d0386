package chaos

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// row is an order as it stands.
type row struct {
	user, status string
	total        int64
}

// promises holds the stores to what customers and staff were told.
func (r *run) promises(ctx context.Context) ([]Line, error) {
	orders, err := r.orders(ctx)
	if err != nil {
		return nil, err
	}
	refunds, err := sums(ctx, r.stack.Postgres["payment"],
		`SELECT order_id::text, sum(amount)::bigint FROM refunds WHERE kind = 'staff' GROUP BY order_id`)
	if err != nil {
		return nil, err
	}
	double, err := askAll(ctx, r.stack.Postgres["order"],
		`SELECT 'two orders for key ' || key, user_id::text FROM checkouts WHERE state = 'placed' GROUP BY key, user_id HAVING count(*) > 1`)
	if err != nil {
		return nil, err
	}
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	exist := Line{Name: "promised: an order that got a 2xx exists as it was told"}
	ended := Line{Name: "promised: an order said to be cancelled is"}
	for id, t := range r.book.orders {
		exist.Checked++
		o, found := orders[id]
		if !found || o.total != t.Total || o.user != t.UserID {
			exist.Violated = append(exist.Violated, fmt.Sprintf("order %s of key %s: told %d, stands %+v (found: %t)", id, t.Key, t.Total, o, found))
		}
		if t.Cancelled {
			ended.Checked++
			if o.status != "cancelled" {
				ended.Violated = append(ended.Violated, fmt.Sprintf("order %s is %s", id, o.status))
			}
		}
	}
	back := Line{Name: "promised: refunds that staff were told of are in the books"}
	for id, told := range r.book.refunds {
		back.Checked++
		if refunds[id] < told {
			back.Violated = append(back.Violated, fmt.Sprintf("order %s: told %d, stands %d", id, told, refunds[id]))
		}
	}
	answers := Line{Name: "promised: no answer but success, a known refusal or \"later\"", Checked: len(r.book.orders), Violated: r.book.broken}
	return []Line{exist, r.keys(orders, double), ended, back, answers}, nil
}

// keys holds each user to at most as many orders as there were keys.
func (r *run) keys(orders map[string]row, double []string) Line {
	line := Line{Name: "promised: one order an idempotency key", Violated: double}
	count := map[string]int{}
	for _, o := range orders {
		count[o.user]++
	}
	for user, keys := range r.book.attempts {
		line.Checked += len(keys)
		if count[user] > len(keys) {
			line.Violated = append(line.Violated, fmt.Sprintf("user %s has %d orders for %d keys", user, count[user], len(keys)))
		}
	}
	return line
}

func (r *run) orders(ctx context.Context) (map[string]row, error) {
	conn, err := pgx.Connect(ctx, r.stack.Postgres["order"])
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `SELECT id::text, user_id::text, status, total_amount FROM orders`)
	if err != nil {
		return nil, err
	}
	all := map[string]row{}
	var id string
	var one row
	_, err = pgx.ForEachRow(rows, []any{&id, &one.user, &one.status, &one.total}, func() error {
		all[id] = one
		return nil
	})
	return all, err
}

func sums(ctx context.Context, dsn, sql string) (map[string]int64, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	all := map[string]int64{}
	var id string
	var sum int64
	_, err = pgx.ForEachRow(rows, []any{&id, &sum}, func() error { all[id] = sum; return nil })
	return all, err
}
