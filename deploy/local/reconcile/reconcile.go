// Package reconcile is the operator's look across the services of a running
// stack: the logical relationships that no database can enforce, and what the
// owners' own commands say of stock, money and index. It reads by the read-only
// roles and changes nothing itself; repairs are done by the owners.
package reconcile

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/tests/shop"
)

// Drift is one thing that refers to what is not there, or not any more.
type Drift struct {
	Kind   string
	What   string // which row or document
	Refers string // to which id
	User   string // whose erasure was missed, for a repair
}

// Result is one kind with how many references were looked at.
type Result struct {
	Kind    string
	Checked int
	Drifts  []Drift
}

// Kinds of drift that a repair can mend: the user is gone, and somebody has not heard.
const (
	orderUser       = "orders.user_id"
	orderShipping   = "orders.shipping_address_id"
	orderBilling    = "orders.billing_address_id"
	itemProduct     = "order_items.product_id"
	txOrder         = "transactions.order_id"
	txUser          = "transactions.user_id"
	savedMethodUser = "user_saved_payment_methods.user_id"
	cartUser        = "carts.user_id"
	cartProduct     = "carts.items.product_id"
	reviewUser      = "product_reviews.user_id"
)

// Kinds lists the ten relationships.
func Kinds() []string {
	return []string{orderUser, orderShipping, orderBilling, itemProduct, txOrder, txUser, savedMethodUser, cartUser, cartProduct, reviewUser}
}

// Mendable tells whether telling the owner again that a user is gone can mend a kind.
func Mendable(kind string) bool {
	return slices.Contains([]string{savedMethodUser, cartUser, reviewUser, orderUser}, kind)
}

// reference is a row that names another service's row.
type reference struct{ what, id, user string }

// parents is what there is to refer to.
type parents struct {
	users     map[string]string // id → status
	addresses map[string]string // id → user
	products  map[string]bool
	orders    map[string]bool
}

// Relationships checks all ten. Children are read before parents: what is made meanwhile has its parent by then.
func Relationships(ctx context.Context, stack *shop.Stack) ([]Result, error) {
	children, err := readChildren(ctx, stack)
	if err != nil {
		return nil, err
	}
	p, err := readParents(ctx, stack)
	if err != nil {
		return nil, err
	}
	var all []Result
	for _, kind := range Kinds() {
		r := Result{Kind: kind, Checked: len(children[kind])}
		for _, c := range children[kind] {
			if d, wrong := p.judge(kind, c); wrong {
				r.Drifts = append(r.Drifts, d)
			}
		}
		all = append(all, r)
	}
	return all, nil
}

// judge holds one reference to its rule. A user or an address that was erased keeps its bare id, so that figures can
// still refer to it; a cart, a saved card or a signed review may not outlive its person.
func (p *parents) judge(kind string, c reference) (Drift, bool) {
	d := Drift{Kind: kind, What: c.what, Refers: c.id}
	switch kind {
	case orderShipping, orderBilling:
		owner, there := p.addresses[c.id]
		return d, !there || owner != c.user
	case itemProduct, cartProduct:
		return d, !p.products[c.id]
	case txOrder:
		return d, !p.orders[c.id]
	case orderUser:
		// what is told of an order: the person is still in it
		status, there := p.users[c.id]
		d.User = erasedOnly(c.id, status)
		return d, !there || (status == "erased" && c.user == personKept)
	case savedMethodUser, cartUser, reviewUser:
		status, there := p.users[c.id]
		d.User = erasedOnly(c.id, status)
		return d, !there || status == "erased"
	default:
		_, there := p.users[c.id]
		return d, !there
	}
}

func erasedOnly(id, status string) string {
	if status == "erased" {
		return id
	}
	return ""
}

// personKept marks an ended order that still holds its person's address.
const personKept = "kept"

// references are read as (what, id, user or mark).
var references = map[string]struct{ service, sql string }{
	orderUser: {"order", `SELECT 'order ' || number, user_id::text,
	    CASE WHEN shipping_address IS NOT NULL AND status IN ('cancelled', 'delivered') THEN 'kept' ELSE '' END FROM orders`},
	orderShipping:   {"order", `SELECT 'order ' || number, shipping_address_id::text, user_id::text FROM orders`},
	orderBilling:    {"order", `SELECT 'order ' || number, billing_address_id::text, user_id::text FROM orders`},
	itemProduct:     {"order", `SELECT 'order ' || order_id || ' line ' || position, product_id::text, '' FROM order_items`},
	txOrder:         {"payment", `SELECT 'transaction ' || id, order_id::text, '' FROM transactions`},
	txUser:          {"payment", `SELECT 'transaction ' || id, user_id::text, '' FROM transactions`},
	savedMethodUser: {"payment", `SELECT 'saved method ' || id, user_id::text, '' FROM user_saved_payment_methods`},
	reviewUser:      {"product", `SELECT 'review ' || id, user_id::text, '' FROM product_reviews WHERE user_id IS NOT NULL`},
}

func readChildren(ctx context.Context, stack *shop.Stack) (map[string][]reference, error) {
	all := map[string][]reference{}
	for kind, from := range references {
		err := each(ctx, stack.Postgres[from.service], from.sql, func(what, id, user string) {
			all[kind] = append(all[kind], reference{what, id, user})
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
	}
	carts, err := readCarts(ctx, stack.Mongo)
	if err != nil {
		return nil, err
	}
	all[cartUser], all[cartProduct] = carts.users, carts.products
	return all, nil
}

func readParents(ctx context.Context, stack *shop.Stack) (*parents, error) {
	p := &parents{users: map[string]string{}, addresses: map[string]string{}, products: map[string]bool{}, orders: map[string]bool{}}
	for _, read := range []struct {
		service, sql string
		take         func(id, second, _ string)
	}{
		{"user", `SELECT id::text, status, '' FROM users`, func(id, status, _ string) { p.users[id] = status }},
		{"user", `SELECT id::text, user_id::text, '' FROM user_addresses`, func(id, user, _ string) { p.addresses[id] = user }},
		{"product", `SELECT id::text, '', '' FROM products`, func(id, _, _ string) { p.products[id] = true }},
		{"order", `SELECT id::text, '', '' FROM orders`, func(id, _, _ string) { p.orders[id] = true }},
	} {
		if err := each(ctx, stack.Postgres[read.service], read.sql, read.take); err != nil {
			return nil, fmt.Errorf("read %s: %w", read.service, err)
		}
	}
	return p, nil
}

func each(ctx context.Context, dsn, sql string, take func(a, b, c string)) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return err
	}
	var a, b, c string
	_, err = pgx.ForEachRow(rows, []any{&a, &b, &c}, func() error { take(a, b, c); return nil })
	return err
}
