package tests

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/tests/invariants"
	"github.com/caravan-shop/caravan/tests/shop"
)

// recovery is how long a service that was killed may keep the shop from going on.
const recovery = 45 * time.Second

// crash is one story in which services die at named points, one point a service.
type crash struct {
	points []string
	story  func(c *crashed)
}

// crashed is a story on its way.
type crashed struct {
	t       *testing.T
	ctx     context.Context
	points  []string
	pids    map[string]int
	product *shop.Product
	shopper *shop.Shopper
	orders  []string // that a client was told of
}

// TestCrashPoints kills services exactly between two steps, waits until the shop
// is at rest and holds it to the invariants. Not parallel: it needs a shop that
// nobody else moves.
func TestCrashPoints(t *testing.T) {
	if w.stack.Crashpoints == "" {
		t.Skip("the stack was not started with --crashpoints")
	}
	before := holdsNow(t)
	var told []string
	for _, c := range crashes() {
		t.Run(strings.Join(c.points, " "), func(t *testing.T) {
			start := time.Now()
			run := &crashed{t: t, ctx: within(t), points: c.points, pids: map[string]int{}}
			run.product, run.shopper = product(t, run.ctx, 1500, 20), shopper(t, run.ctx)
			c.story(run)
			run.died()
			told = append(told, run.orders...)
			after := holdsNow(t, told...)
			for _, v := range after.Violations() {
				if !slices.Contains(before.Violations(), v) {
					t.Error(v)
				}
			}
			before = after
			t.Logf("%s, at rest and checked", time.Since(start).Round(100*time.Millisecond))
		})
	}
	t.Logf("in the end:\n%s", before)
}

func crashes() []crash {
	var all []crash
	for _, point := range []string{
		"order.checkout.begun", "order.checkout.before_take", "order.checkout.before_commit", "order.answer._v1_orders",
		"product.answer._internal_holds_place", "cart.answer._internal_carts_take", "payment.answer._internal_payments_prepare",
	} {
		all = append(all, crash{[]string{point}, placing})
	}
	// Services that do not wait for each other may die in one story: leases of
	// 15 s and 20 s then run out together.
	for _, points := range [][]string{
		{"order.outbox.before_publish", "payment.outbox.before_publish", "product.outbox.before_publish"},
		{"order.outbox.before_mark", "payment.outbox.before_mark", "product.outbox.before_mark"},
		{"payment.collector.before_record.create_intent", "notification.mail.before_send.order-received"},
		{"payment.collector.before_record.confirm_intent", "notification.mail.before_mark.receipt"},
		{"payment.answer._events_order.created", "product.answer._events_order.confirmed", "order.answer._events_payment.success"},
		{"order.answer._events_inventory.reserved"},
	} {
		all = append(all, crash{points, paying})
	}
	return append(all,
		crash{[]string{"payment.collector.before_record.cancel_intent"}, declining},
		crash{[]string{"payment.answer._events_order.cancelled", "product.answer._events_order.cancelled"}, cancelling},
		crash{[]string{"payment.collector.before_record.create_refund", "order.answer._events_payment.refunded"}, cancelling},
		crash{[]string{"payment.answer._v1_refunds"}, refunding},
		crash{[]string{"product.answer._events_order.shipped"}, shipping},
		crash{[]string{"user.outbox.before_publish", "notification.mail.before_mark.welcome"}, registering},
		crash{[]string{"user.outbox.before_mark"}, registering},
	)
}

// arm readies the points and remembers who runs now.
func (c *crashed) arm() {
	c.t.Helper()
	stack, err := shop.Load(w.path)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, point := range c.points {
		app, _, _ := strings.Cut(point, ".")
		p, _ := stack.Process(app)
		c.pids[app] = p.PID
		if err := os.WriteFile(filepath.Join(stack.Crashpoints, point), nil, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
}

// died waits until every point was met and its service runs again.
func (c *crashed) died() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, recovery)
	defer cancel()
	for _, point := range c.points {
		armed := filepath.Join(w.stack.Crashpoints, point)
		if err := shop.Eventually(ctx, func() error {
			if _, err := os.Stat(armed); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s was never passed", point)
			}
			return nil
		}); err != nil {
			_ = os.Remove(armed)
			c.t.Fatal(err)
		}
		app, _, _ := strings.Cut(point, ".")
		restarted(c.t, app, c.pids[app])
		if err := shop.Eventually(ctx, func() error { // it answers again, if only that there is no such thing
			resp, err := w.http.Do(ctx, "GET", app, "/v1/nothing", nil)
			if err == nil && resp.Status >= http.StatusInternalServerError {
				err = fmt.Errorf("%s answers %d", app, resp.Status)
			}
			return err
		}); err != nil {
			c.t.Fatal(err)
		}
	}
}

// insist repeats a request until it is answered with a status, as a client does
// that must know how it ended.
func (c *crashed) insist(status int, out any, app, path string, body any, headers ...shop.Header) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, recovery)
	defer cancel()
	headers = append(headers, c.shopper.Token())
	if err := shop.Eventually(ctx, func() error {
		_, err := c.shopper.Want(ctx, status, out, "POST", app, path, body, headers...)
		return err
	}); err != nil {
		c.t.Fatal(err)
	}
}

// place orders one unit under one key, as often as it takes.
func (c *crashed) place(card string) *shop.Order {
	c.t.Helper()
	if err := c.shopper.AddToCart(c.ctx, c.product.ID, 1); err != nil {
		c.t.Fatal(err)
	}
	totals, err := c.shopper.Quote(c.ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	c.arm()
	var o shop.Order
	c.insist(http.StatusCreated, &o, "order", "/v1/orders", c.shopper.OrderBody(card, totals.Total), shop.IdempotencyKey(shop.Unique("order")))
	c.orders = append(c.orders, o.ID)
	return &o
}

func (c *crashed) settles(o *shop.Order, status, payment, stock string) {
	c.t.Helper()
	settlesBy(c.t, c.ctx, recovery, c.shopper, o.ID, status, payment, stock)
}

func placing(c *crashed) {
	o := c.place(visa)
	c.settles(o, "confirmed", "captured", "reserved")
	var orders int
	query(c.t, c.ctx, "order", `SELECT count(*) FROM orders WHERE user_id = $1`, []any{c.shopper.User.ID}, &orders)
	if lines := cartLines(c.t, c.shopper); orders != 1 || lines != 0 {
		c.t.Errorf("got %d orders and %d lines in the cart, want 1 and 0", orders, lines)
	}
	stockBecomes(c.t, c.ctx, c.product.ID, inventory{OnHand: 20, Reserved: 1})
}

func paying(c *crashed) {
	o := c.place(visa)
	c.settles(o, "confirmed", "captured", "reserved")
	if _, _, n := charged(c.t, c.ctx, o.ID); n != 1 {
		c.t.Errorf("captures: got %d, want 1", n)
	}
	c.mailed("Welcome", "order received", "receipt")
}

// mailed waits until mails of so many occasions have come, and holds each to
// one Message-ID: a kill between sending and marking may repeat one.
func (c *crashed) mailed(occasions ...string) {
	c.t.Helper()
	// The claim of a dead worker has to run out first.
	ctx, cancel := context.WithTimeout(c.ctx, 2*recovery)
	defer cancel()
	if err := shop.Eventually(ctx, func() error {
		mails, err := w.stack.Mails(ctx, c.shopper.Email)
		ids := map[string]bool{}
		for _, m := range mails {
			ids[m.MessageID] = true
		}
		if err == nil && len(ids) != len(occasions) {
			err = fmt.Errorf("%d different mails, want %d: %v", len(ids), len(occasions), occasions)
		}
		return err
	}); err != nil {
		c.t.Error(err)
	}
}

func declining(c *crashed) {
	o := c.place(declined)
	c.settles(o, "created", "failed", "held")
}

// settled places an order with nobody dying, and arms the points then.
func (c *crashed) settled() *shop.Order {
	c.t.Helper()
	o := buy(c.t, c.ctx, c.shopper, c.product.ID, 2, visa)
	c.orders = append(c.orders, o.ID)
	c.settles(o, "confirmed", "captured", "reserved")
	c.arm()
	return o
}

func cancelling(c *crashed) {
	o := c.settled()
	c.insist(http.StatusOK, nil, "order", "/v1/orders/"+o.ID+"/cancel", nil)
	c.settles(o, "cancelled", "refunded", "released")
	stockBecomes(c.t, c.ctx, c.product.ID, inventory{OnHand: 20})
}

func refunding(c *crashed) {
	o := c.settled()
	body := map[string]any{"order_id": o.ID, "amount": shop.Money{Amount: 100, Currency: "GBP"}, "reason": "a dent"}
	customer := c.shopper
	c.shopper = w.staff
	c.insist(http.StatusCreated, nil, "payment", "/v1/refunds", body, shop.IdempotencyKey(shop.Unique("refund")))
	c.shopper = customer
	c.settles(o, "confirmed", "partially_refunded", "reserved")
	if _, refunded, _ := charged(c.t, c.ctx, o.ID); refunded != 100 {
		c.t.Errorf("refunded: got %d, want 100", refunded)
	}
}

func shipping(c *crashed) {
	o := c.settled()
	ship(c.t, o.ID)
	c.settles(o, "shipped", "captured", "shipped")
	stockBecomes(c.t, c.ctx, c.product.ID, inventory{OnHand: 18})
}

// registering may meet a death before its answer: then the address is taken,
// by this very account.
func registering(c *crashed) {
	c.arm()
	email := shop.Unique("crash") + "@example.com"
	body := map[string]string{"email": email, "password": shop.Unique("pw"), "first_name": "Ada", "last_name": "Shopper"}
	ctx, cancel := context.WithTimeout(c.ctx, recovery)
	defer cancel()
	if err := shop.Eventually(ctx, func() error {
		resp, err := w.http.Do(ctx, "POST", "user", "/v1/users", body)
		if err == nil && resp.Status != http.StatusCreated && resp.Code() != "email_taken" {
			err = fmt.Errorf("register: %d %s", resp.Status, resp.Body)
		}
		return err
	}); err != nil {
		c.t.Fatal(err)
	}
	c.shopper = &shop.Shopper{Client: w.http, Email: email}
	c.mailed("Welcome")
}

// holdsNow waits until the shop is at rest and checks it.
func holdsNow(t *testing.T, acknowledged ...string) invariants.Report {
	t.Helper()
	ctx := within(t)
	if err := invariants.Rest(ctx, w.stack); err != nil {
		t.Error(err)
	}
	r, err := invariants.Check(ctx, w.stack, invariants.Acknowledged(acknowledged...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
