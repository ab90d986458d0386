// Package ordertwin is Order for the simulator: the real core, checkout saga,
// desk and subscriber over a database in memory. Only the simulator may import
// it.
package ordertwin

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/delivery"
	"github.com/caravan-shop/caravan/services/internal/idempotency"
	"github.com/caravan-shop/caravan/services/internal/twin"
	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/desk"
	"github.com/caravan-shop/caravan/services/order/internal/order"
	"github.com/caravan-shop/caravan/services/order/internal/pricing"
	"github.com/caravan-shop/caravan/services/order/internal/subscriber"
)

// Line is a quantity of a product; Item besides at a price.
type Line struct {
	Product  uuid.UUID
	Quantity int64
}

// Item is a line as a hold answered it.
type Item struct {
	Line
	SKU, Name, TaxClass string
	Price               int64
}

// Held is the answer to a hold: items, what is short, or neither if it was undone.
type Held struct {
	Items []Item
	Short []Line
}

// Neighbours are the services that Order asks. An error means that nobody knows
// what came of the call. The first three of a checkout, and the three undoing
// ones, are called at once from several goroutines.
type Neighbours interface {
	ReadCart(user uuid.UUID) (version int64, lines []Line, err error)
	Account(user uuid.UUID) (active bool, err error)
	Prepare(order, user uuid.UUID, token string) (known bool, err error)
	Hold(order, user uuid.UUID, lines []Line) (Held, error)
	TakeCart(user, order uuid.UUID, version int64) (result string, err error)

	RestoreCart(user, order uuid.UUID) error
	Release(order uuid.UUID) error
	Discard(order uuid.UUID) error

	Close(order uuid.UUID) (answer string, transaction uuid.UUID, err error)
}

// Config is how long things last.
type Config struct {
	PayBy, Lease time.Duration
	Random       io.Reader
	// Step is told before each use of the database by a checkout: where a
	// process may wait or die between two steps.
	Step func(point string)
}

// Twin is the service. Not safe for concurrent use.
type Twin struct {
	*twin.DB
	cfg     Config
	places  *checkout.Service
	desk    *desk.Desk
	table   map[string]delivery.Handler
	tariffs *pricing.Tariffs

	orders    map[uuid.UUID]order.Order
	history   map[uuid.UUID][]order.Transition
	checkouts map[uuid.UUID]checkoutRow
	keys      map[string]keyRow
	erased    map[uuid.UUID]bool
}

// New makes a service without orders.
func New(db *twin.DB, n Neighbours, cfg Config) (*Twin, error) {
	tariffs, err := pricing.Default()
	if err != nil {
		return nil, err
	}
	t := &Twin{DB: db, cfg: cfg, tariffs: tariffs, orders: map[uuid.UUID]order.Order{}, history: map[uuid.UUID][]order.Transition{},
		checkouts: map[uuid.UUID]checkoutRow{}, keys: map[string]keyRow{}, erased: map[uuid.UUID]bool{}}
	log := slog.New(slog.DiscardHandler)
	t.places = &checkout.Service{
		Store: t, Carts: carts{n}, Accounts: accounts{n}, Payments: payments{n}, Catalog: catalog{n}, Tariffs: tariffs,
		NewID: db.NewID, Now: db.Now, Random: cfg.Random, Log: log, Lease: cfg.Lease, PayBy: cfg.PayBy,
	}
	t.desk = &desk.Desk{Reader: t, Writer: t, Payments: payments{n}, Now: db.Now, Log: log}
	t.table = subscriber.Table(t.desk)
	return t, nil
}

// Take takes an event in.
func (t *Twin) Take(ctx context.Context, id, source string, e events.Event) error {
	handle, ok := t.table[e.Topic()]
	if !ok {
		return nil
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return handle(ctx, delivery.Event{ID: id, Type: e.Topic(), Source: source, Data: data})
}

// Quote is what an order of the items costs.
func (t *Twin) Quote(items []Item) int64 {
	totals, err := t.tariffs.Price(inner(items), country)
	if err != nil {
		return 0
	}
	return totals.Total
}

const country = "GB"

// Place runs a checkout under a key, or gives the answer that the key keeps: the
// id of the order. Its error is a refusal, or says that nothing is known.
func (t *Twin) Place(ctx context.Context, user, address uuid.UUID, token, key string, expected int64) (uuid.UUID, error) {
	if k, ok := t.keys[key]; ok && k.answer != uuid.Nil {
		return k.answer, nil
	}
	req := checkout.Request{UserID: user, ShippingAddress: address, BillingAddress: address, Means: checkout.Means{Token: token}, ExpectedTotal: expected}
	a, err := t.places.Place(ctx, req, idempotency.Key{UserID: user, Route: "POST /v1/orders", Key: key},
		func(o order.Order) (idempotency.Answer, error) {
			return idempotency.Answer{Status: 201, Body: []byte(o.ID.String())}, nil
		})
	if err != nil {
		return uuid.Nil, err
	}
	return uuid.ParseBytes(a.Body)
}

// Recover undoes checkouts that are past their lease.
func (t *Twin) Recover(ctx context.Context) error { return t.places.Recover(ctx) }

// SettlePayments asks Payment about orders whose time to pay is over.
func (t *Twin) SettlePayments(ctx context.Context) error { return t.desk.SettlePayments(ctx) }

// Cancel cancels an order, as its customer or as staff.
func (t *Twin) Cancel(ctx context.Context, by, id uuid.UUID) error {
	o, err := t.Get(ctx, id)
	if err != nil {
		return err
	}
	_, err = t.desk.Cancel(ctx, desk.Person{ID: by, Staff: by != o.UserID}, o, "")
	return err
}

// Ship hands the goods to a carrier.
func (t *Twin) Ship(ctx context.Context, id uuid.UUID) error {
	_, err := t.desk.Ship(ctx, desk.Person{Staff: true}, id, order.Ship{Carrier: "Post", TrackingNumber: "1"})
	return err
}

// Deliver notes that they arrived.
func (t *Twin) Deliver(ctx context.Context, id uuid.UUID) error {
	_, err := t.desk.Deliver(ctx, desk.Person{Staff: true}, id)
	return err
}

// Word is what other services are told of orders.
func (t *Twin) Word(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	states, err := t.States(ctx, ids)
	words := map[uuid.UUID]string{}
	for _, s := range states {
		words[s.OrderID] = s.Status
	}
	return words, err
}

func inner(items []Item) []order.Item {
	out := make([]order.Item, len(items))
	for i, it := range items {
		out[i] = order.Item{ProductID: it.Product, SKU: it.SKU, Name: it.Name, Quantity: it.Quantity, UnitPrice: it.Price, TaxClass: it.TaxClass}
	}
	return out
}
