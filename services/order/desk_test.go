package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/order/internal/httpapi"
)

func staff() string { return service.NewID().String() + " staff" }

// confirmed is a placed order that is paid and whose stock is reserved.
func (s *shop) confirmed() (user uuid.UUID, o httpapi.Order) {
	user, o = s.placed()
	s.twice("payment", &events.PaymentSuccess{PaymentData: payment(o, service.NewID(), 1)})
	s.twice("product", &events.InventoryReserved{InventoryData: events.InventoryData{OrderID: o.Id}})
	return user, s.get(o.Id)
}

func (s *shop) ship(id uuid.UUID) *httptest.ResponseRecorder {
	return s.call("POST", "/v1/orders/"+id.String()+"/ship", staff(), "", object{"carrier": "Royal Mail", "tracking_number": "QX1"})
}

func TestWholePathWithEveryEventTwice(t *testing.T) {
	s := open(t)
	user, o := s.placed()
	if got := codeOf(s.ship(o.Id)); got != "409 order_not_confirmed" {
		t.Errorf("ship before payment: got %s", got)
	}
	s.twice("payment", &events.PaymentRequiresAction{PaymentData: payment(o, service.NewID(), 1)})
	if got := s.get(o.Id); got.PaymentStatus != "requires_action" || got.Status != "created" {
		t.Errorf("3-D Secure: got %s, %s", got.Status, got.PaymentStatus)
	}
	s.twice("payment", &events.PaymentFailed{PaymentData: payment(o, service.NewID(), 1)})
	if got := s.get(o.Id); got.PaymentStatus != "failed" || got.Status != "created" {
		t.Errorf("declined: got %s, %s", got.Status, got.PaymentStatus)
	}
	paid := payment(o, service.NewID(), 2)
	s.twice("payment", &events.PaymentSuccess{PaymentData: paid})
	if got := codeOf(s.ship(o.Id)); got != "409 stock_not_reserved" {
		t.Errorf("ship before the reservation: got %s", got)
	}
	s.twice("product", &events.InventoryReserved{InventoryData: events.InventoryData{OrderID: o.Id}})
	if got := codeOf(s.call("POST", "/v1/orders/"+o.Id.String()+"/deliver", staff(), "", nil)); got != "409 order_not_shipped" {
		t.Errorf("deliver before shipping: got %s", got)
	}
	if rec := s.ship(o.Id); rec.Code != 200 {
		t.Fatalf("ship: got %d %s", rec.Code, rec.Body)
	}
	if rec := s.call("POST", "/v1/orders/"+o.Id.String()+"/deliver", staff(), "", nil); rec.Code != 200 {
		t.Fatalf("deliver: got %d %s", rec.Code, rec.Body)
	}
	part := money(100)
	refund := payment(o, paid.TransactionID, 2)
	refund.RefundedAmount = &part
	s.twice("payment", &events.PaymentRefunded{PaymentData: refund})
	got := s.get(o.Id)
	if got.Status != "delivered" || got.PaymentStatus != "partially_refunded" || got.StockStatus != "shipped" || got.Refunded.Amount != 100 || *got.Carrier != "Royal Mail" {
		t.Errorf("at the end: got %+v", got)
	}
	if got, want := s.topics(o.Id), "order.created order.confirmed order.shipped order.delivered"; got != want {
		t.Errorf("events: got %s, want %s", got, want)
	}
	if got, want := s.history(o.Id), "1:>created 2:created>confirmed 3:confirmed>shipped 4:shipped>delivered"; got != want {
		t.Errorf("history: got %s, want %s", got, want)
	}
	rec := s.call("GET", "/v1/orders/"+o.Id.String()+"/history", user.String(), "", nil)
	h := decode[httpapi.History](t, rec)
	if len(h.Items) != 4 || h.Items[0].FromStatus != nil || h.Items[1].Actor != "payment" || h.Items[1].EventId == nil {
		t.Errorf("history route: got %s", rec.Body)
	}
}

func TestOutOfStockAfterAll(t *testing.T) {
	s := open(t)
	_, o := s.placed()
	tx := service.NewID()
	s.twice("payment", &events.PaymentSuccess{PaymentData: payment(o, tx, 1)})
	s.twice("product", &events.InventoryRejected{InventoryData: events.InventoryData{OrderID: o.Id}})
	got := s.get(o.Id)
	if got.Status != "cancelled" || *got.CancelReason != "out_of_stock" || got.StockStatus != "rejected" {
		t.Errorf("got %s, %v, %s", got.Status, got.CancelReason, got.StockStatus)
	}
	refund := payment(o, tx, 1)
	refund.RefundedAmount = &refund.Amount
	s.twice("payment", &events.PaymentRefunded{PaymentData: refund})
	if got := s.get(o.Id); got.PaymentStatus != "refunded" {
		t.Errorf("payment: got %s, want refunded", got.PaymentStatus)
	}
}

func TestEventsThatCanNeverSucceed(t *testing.T) {
	s := open(t)
	unknown := &events.PaymentSuccess{PaymentData: events.PaymentData{OrderID: uuid.Max, TransactionID: uuid.Max, Amount: money(1)}}
	if got := s.deliver("e1", "payment", unknown); got != "DROP" {
		t.Errorf("unknown order: got %s, want DROP", got)
	}
	_, o := s.placed()
	if got := s.deliver("e2", "payment", &events.PaymentRefunded{PaymentData: payment(o, service.NewID(), 1)}); got != "DROP" {
		t.Errorf("refund without a sum: got %s, want DROP", got)
	}
}

func TestCancel(t *testing.T) {
	s := open(t)
	user, o := s.confirmed()
	path := "/v1/orders/" + o.Id.String() + "/cancel"
	if got := codeOf(s.call("POST", path, service.NewID().String(), "", nil)); got != "404 order_not_found" {
		t.Errorf("somebody else: got %s", got)
	}
	first := s.call("POST", path, user.String(), "k", object{"reason": "Ordered twice"})
	again := s.call("POST", path, user.String(), "k", object{"reason": "Ordered twice"})
	if first.Code != 200 || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("got %d %s, then %d %s", first.Code, first.Body, again.Code, again.Body)
	}
	if got := codeOf(s.call("POST", path, user.String(), "other", nil)); got != "409 order_not_cancellable" {
		t.Errorf("again under another key: got %s", got)
	}
	got := s.get(o.Id)
	if got.Status != "cancelled" || *got.CancelReason != "customer" || got.StockStatus != "released" {
		t.Errorf("got %+v", got)
	}
	// Late facts change nothing but the money.
	s.twice("product", &events.InventoryReserved{InventoryData: events.InventoryData{OrderID: o.Id}})
	if got := s.get(o.Id); got.StockStatus != "released" {
		t.Errorf("stock after a late reservation: got %s, want released", got.StockStatus)
	}
	user, o = s.placed()
	s.call("POST", "/v1/orders/"+o.Id.String()+"/cancel", staff(), "", nil)
	h := decode[httpapi.History](t, s.call("GET", "/v1/orders/"+o.Id.String()+"/history", user.String(), "", nil))
	if h.Items[1].Actor != "staff" {
		t.Errorf("a customer reads %q, want staff without the id", h.Items[1].Actor)
	}
	s.twice("payment", &events.PaymentSuccess{PaymentData: payment(o, service.NewID(), 1)})
	if got := s.get(o.Id); got.Status != "cancelled" || *got.CancelReason != "staff" || got.PaymentStatus != "captured" {
		t.Errorf("captured after the cancellation: got %s, %s, %s", got.Status, *got.CancelReason, got.PaymentStatus)
	}
	if _, o = s.confirmed(); s.ship(o.Id).Code != 200 {
		t.Fatal("ship")
	}
	if got := codeOf(s.call("POST", "/v1/orders/"+o.Id.String()+"/cancel", staff(), "", nil)); got != "409 order_not_cancellable" {
		t.Errorf("once shipped: got %s", got)
	}
}

func TestWhoSeesWhat(t *testing.T) {
	s := open(t)
	user, o := s.placed()
	path := "/v1/orders/" + o.Id.String()
	other := service.NewID().String()
	for _, c := range []struct{ method, path, token, want string }{
		{"GET", path, user.String(), "200 "}, {"GET", path, staff(), "200 "}, {"GET", path, other, "404 order_not_found"},
		{"GET", path + "/history", other, "404 order_not_found"}, {"POST", path + "/cancel", other, "404 order_not_found"},
		{"POST", path + "/ship", user.String(), "403 role_required"}, {"POST", path + "/deliver", user.String(), "403 role_required"},
		{"GET", "/v1/orders/" + uuid.Max.String(), staff(), "404 order_not_found"}, {"GET", path, "", "401 token_missing"},
		{"GET", "/v1/orders?status=lost", user.String(), "400 malformed_parameter"},
		{"GET", "/v1/orders?limit=101", user.String(), "400 bad_limit"}, {"GET", "/v1/orders?cursor=x", user.String(), "400 bad_cursor"},
	} {
		if got := codeOf(s.call(c.method, c.path, c.token, "", nil)); got != c.want {
			t.Errorf("%s %s as %q: got %s, want %s", c.method, c.path, c.token, got, c.want)
		}
	}
	list := func(query, token string) []httpapi.Order {
		return decode[httpapi.OrderPage](t, s.call("GET", "/v1/orders"+query, token, "", nil)).Items
	}
	for _, c := range []struct {
		query, token string
		want         int
	}{
		{"", user.String(), 1}, {"", other, 0}, {"", staff(), 1}, {"?status=created", user.String(), 1}, {"?status=shipped", user.String(), 0},
		{"?user_id=" + user.String(), other, 0}, {"?user_id=" + user.String(), staff(), 1}, {"?user_id=" + other, staff(), 0},
		{"?number=" + o.Number, staff(), 1}, {"?payment_status=pending&stock_status=held", staff(), 1},
	} {
		if got := list(c.query, c.token); len(got) != c.want {
			t.Errorf("list %s as %s: got %d orders, want %d", c.query, c.token, len(got), c.want)
		}
	}
}

func TestListPages(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 100)
	user := service.NewID()
	for i := range 5 {
		s.world.fill(user, product, 1)
		if rec := s.place(user, fmt.Sprint(i), total(1000, 1)); rec.Code != 201 {
			t.Fatalf("place: %s", rec.Body)
		}
	}
	seen, cursor := map[uuid.UUID]bool{}, ""
	for pages := 1; ; pages++ {
		page := decode[httpapi.OrderPage](t, s.call("GET", "/v1/orders?limit=2"+cursor, user.String(), "", nil))
		for _, o := range page.Items {
			if seen[o.Id] || len(o.Items) != 1 {
				t.Errorf("order %s twice or without items", o.Id)
			}
			seen[o.Id] = true
		}
		if page.NextCursor == nil {
			if pages != 3 || len(seen) != 5 {
				t.Errorf("got %d orders on %d pages, want 5 on 3", len(seen), pages)
			}
			return
		}
		cursor = "&cursor=" + *page.NextCursor
	}
}

func TestUnpaidOrders(t *testing.T) {
	cases := []struct{ closing, status, payment string }{
		{"closed", "cancelled", "voided"}, {"captured", "confirmed", "captured"}, {"open", "created", "pending"},
	}
	s := open(t)
	for _, c := range cases {
		t.Run(c.closing, func(t *testing.T) {
			_, o := s.placed()
			s.world.closing[o.Id], s.world.closeTx = c.closing, service.NewID()
			s.exec(`UPDATE orders SET payment_due_at = now() WHERE id = $1`, o.Id)
			s.world.fault("/internal/payments/close", away, nil)
			if err := s.desk.SettlePayments(context.Background()); err == nil {
				t.Error("settled although Payment is away")
			}
			if got := s.get(o.Id); got.Status != "created" {
				t.Errorf("no answer: got %s, want created", got.Status)
			}
			s.world.fault("/internal/payments/close", nil, nil)
			s.exec(`UPDATE orders SET payment_due_at = now() WHERE id = $1`, o.Id)
			if err := s.desk.SettlePayments(context.Background()); err != nil {
				t.Fatal(err)
			}
			got := s.get(o.Id)
			if string(got.Status) != c.status || string(got.PaymentStatus) != c.payment {
				t.Errorf("got %s, %s; want %s, %s", got.Status, got.PaymentStatus, c.status, c.payment)
			}
			if c.status == "cancelled" && *got.CancelReason != "unpaid" {
				t.Errorf("reason: got %s, want unpaid", *got.CancelReason)
			}
			// The same word by Payment's own event changes nothing more.
			before := s.topics(o.Id)
			if c.closing == "closed" {
				p := payment(o, service.NewID(), 1)
				p.FailureCode = "order_closed"
				s.twice("payment", &events.PaymentFailed{PaymentData: p})
			}
			if after := s.topics(o.Id); after != before {
				t.Errorf("events: got %s after %s", after, before)
			}
		})
	}
}

func TestErase(t *testing.T) {
	s := open(t)
	user, o := s.confirmed()
	s.world.fill(user, s.world.product(1000, 50), 2)
	second := decode[httpapi.Order](t, s.place(user, "second", total(1000, 2)))
	shipped := s.call("POST", "/v1/orders/"+o.Id.String()+"/ship", staff(), "by staff", object{"carrier": "Royal Mail", "tracking_number": "QX1"})
	if shipped.Code != 200 {
		t.Fatal(shipped.Body)
	}
	s.twice("user", &events.UserDeleted{UserData: events.UserData{UserID: user}})
	if got := s.get(second.Id); got.Status != "cancelled" || *got.CancelReason != "erased" || got.ShippingAddress != nil || got.BillingAddress != nil {
		t.Errorf("not shipped: got %+v", got)
	}
	if got := s.get(o.Id); got.Status != "shipped" || got.ShippingAddress == nil {
		t.Errorf("on its way: got %s with address %v", got.Status, got.ShippingAddress)
	}
	s.call("POST", "/v1/orders/"+o.Id.String()+"/deliver", staff(), "", nil)
	if got := s.get(o.Id); got.Status != "delivered" || got.ShippingAddress != nil {
		t.Errorf("delivered: got %s with address %v", got.Status, got.ShippingAddress)
	}
	if left := s.column(`SELECT convert_from(body, 'UTF8') FROM idempotency_keys WHERE position('Lovelace' IN convert_from(body, 'UTF8')) > 0`); len(left) != 0 {
		t.Errorf("kept answers that show the person: %d", len(left))
	}
	if got := codeOf(s.place(user, "third", total(1000, 2))); got != "403 account_not_active" {
		t.Errorf("an order after the erasure: got %s", got)
	}
}

// A person who is erased while a checkout runs gets no order from it.
func TestErasedDuringCheckout(t *testing.T) {
	s := open(t)
	product := s.world.product(1000, 9)
	user := s.buyer(product, 2)
	hook, arrived, resume := stall()
	s.world.fault("/internal/carts/take", nil, hook)
	answer := make(chan *httptest.ResponseRecorder, 1)
	go func() { answer <- s.place(user, "k", total(1000, 2)) }()
	<-arrived
	s.twice("user", &events.UserDeleted{UserData: events.UserData{UserID: user}})
	close(resume)
	if got := codeOf(<-answer); got != "403 account_not_active" {
		t.Errorf("got %s", got)
	}
	s.world.untouched(t, user, product, 2, 9)
}

func TestNeighboursQuestions(t *testing.T) {
	s := open(t)
	user, o := s.placed()
	verify := func() string {
		return s.call("POST", "/internal/purchases/verify", "", "", object{"user_id": user, "product_id": o.Items[0].ProductId}).Body.String()
	}
	if got := verify(); got != "{\"purchased\":false}\n" {
		t.Errorf("not paid: got %s", got)
	}
	s.twice("payment", &events.PaymentSuccess{PaymentData: payment(o, service.NewID(), 1)})
	if got := verify(); got != "{\"purchased\":true}\n" {
		t.Errorf("paid: got %s", got)
	}
	out := decode[httpapi.Export](t, s.call("POST", "/internal/export", "", "", object{"user_id": user}))
	if out.Service != "order" || len(out.Data.Orders) != 1 || len(out.Data.Orders[0].History) != 2 {
		t.Errorf("export: got %+v", out)
	}
}

// Payment's word that a cancelled order's attempt is over settles the payment;
// where there was no attempt to end, Order asks soon.
func TestCancelledBeforePayment(t *testing.T) {
	s := open(t)
	for _, attempted := range []bool{true, false} {
		user, o := s.placed()
		s.call("POST", "/v1/orders/"+o.Id.String()+"/cancel", user.String(), "", nil)
		if attempted {
			p := payment(o, service.NewID(), 1)
			p.FailureCode = "order_cancelled"
			s.twice("payment", &events.PaymentFailed{PaymentData: p})
		} else {
			s.exec(`UPDATE orders SET payment_due_at = payment_due_at - interval '5 seconds' WHERE id = $1`, o.Id)
			if err := s.desk.SettlePayments(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		got := s.get(o.Id)
		if got.Status != "cancelled" || *got.CancelReason != "customer" || got.PaymentStatus != "voided" {
			t.Errorf("with an attempt %v: got %s, %s, %s", attempted, got.Status, *got.CancelReason, got.PaymentStatus)
		}
	}
}
