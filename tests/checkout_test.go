package tests

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caravan-shop/caravan/tests/shop"
)

func TestWholePath(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p, s := product(t, ctx, 1250, 10), shopper(t, ctx)
	o := buy(t, ctx, s, p.ID, 2, visa)
	if o.Status != "created" || o.StockStatus != "held" {
		t.Errorf("a new order: got %s/%s, want created/held", o.Status, o.StockStatus)
	}
	o = settles(t, ctx, s, o.ID, "confirmed", "captured", "reserved")
	totalsAddUp(t, o)
	stockBecomes(t, ctx, p.ID, inventory{OnHand: 10, Reserved: 2})
	if captured, _, n := charged(t, ctx, o.ID); captured != o.Totals.Total.Amount || n != 1 {
		t.Errorf("ledger: got %d in %d captures, want %d in 1", captured, n, o.Totals.Total.Amount)
	}
	if resp, err := s.Do(ctx, "POST", "order", "/v1/orders/"+o.ID+"/ship", map[string]string{"carrier": "Royal Mail", "tracking_number": "RM1"}, s.Token()); err != nil || resp.Status != http.StatusForbidden {
		t.Errorf("a customer ships: got %v (%v), want 403", resp, err)
	}
	ship(t, o.ID)
	settles(t, ctx, s, o.ID, "shipped", "captured", "shipped")
	stockBecomes(t, ctx, p.ID, inventory{OnHand: 8})
	if _, err := w.staff.Want(ctx, http.StatusOK, nil, "POST", "order", "/v1/orders/"+o.ID+"/deliver", nil, w.staff.Token()); err != nil {
		t.Fatal(err)
	}
	settles(t, ctx, s, o.ID, "delivered", "captured", "shipped")
	// welcome, order received, receipt, shipped, delivered
	mails := mailed(t, ctx, s.Email, 5)
	if len(mails) != 5 {
		t.Errorf("mails: got %d, want 5", len(mails))
	}
	for _, m := range mails {
		if m.Text == "" || m.HTML == "" || m.MessageID == "" {
			t.Errorf("mail %q lacks text, HTML or Message-ID", m.Subject)
		}
	}
	history(t, s, o.ID, "created", "confirmed", "shipped", "delivered")
}

func ship(t *testing.T, orderID string) {
	t.Helper()
	if _, err := w.staff.Want(within(t), http.StatusOK, nil, "POST", "order", "/v1/orders/"+orderID+"/ship",
		map[string]string{"carrier": "Royal Mail", "tracking_number": "RM1"}, w.staff.Token()); err != nil {
		t.Fatal(err)
	}
}

// history holds an order's path of statuses, gap-free from sequence 1.
func history(t *testing.T, s *shop.Shopper, orderID string, want ...string) {
	t.Helper()
	var list struct {
		Items []struct {
			Sequence int    `json:"sequence"`
			ToStatus string `json:"to_status"`
		} `json:"items"`
	}
	if _, err := s.Want(within(t), http.StatusOK, &list, "GET", "order", "/v1/orders/"+orderID+"/history", nil, s.Token()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, entry := range list.Items {
		if entry.Sequence != i+1 {
			t.Errorf("history entry %d has sequence %d", i+1, entry.Sequence)
		}
		got = append(got, entry.ToStatus)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got): %s", diff)
	}
}

func TestDeclinedCardThenASecondAttempt(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p, s := product(t, ctx, 900, 5), shopper(t, ctx)
	o := buy(t, ctx, s, p.ID, 1, declined)
	settles(t, ctx, s, o.ID, "created", "failed", "held")
	body := map[string]any{"payment": map[string]string{"method": "card", "token": visa}}
	if _, err := s.Want(ctx, http.StatusCreated, nil, "POST", "payment", "/v1/orders/"+o.ID+"/payment-attempts", body,
		s.Token(), shop.IdempotencyKey(shop.Unique("try"))); err != nil {
		t.Fatal(err)
	}
	o = settles(t, ctx, s, o.ID, "confirmed", "captured", "reserved")
	if captured, _, n := charged(t, ctx, o.ID); captured != o.Totals.Total.Amount || n != 1 {
		t.Errorf("ledger: got %d in %d captures, want %d in 1", captured, n, o.Totals.Total.Amount)
	}
	resp, err := s.Do(ctx, "POST", "payment", "/v1/orders/"+o.ID+"/payment-attempts", body, s.Token(), shop.IdempotencyKey(shop.Unique("try")))
	if err != nil || resp.Status != http.StatusConflict {
		t.Errorf("an attempt after a capture: got %v (%v), want 409", resp, err)
	}
}

func TestUnpaidOrderExpires(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p, s := product(t, ctx, 900, 5), shopper(t, ctx)
	o := buy(t, ctx, s, p.ID, 2, declined)
	settles(t, ctx, s, o.ID, "created", "failed", "held")
	expires(t, ctx, s, o.ID)
	stockBecomes(t, ctx, p.ID, inventory{OnHand: 5})
}

func TestOutOfStockLeavesEverythingAsItWas(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p, other, s := product(t, ctx, 700, 3), product(t, ctx, 500, 10), shopper(t, ctx)
	for id, n := range map[string]int64{p.ID: 3, other.ID: 1} {
		if err := s.AddToCart(ctx, id, n); err != nil {
			t.Fatal(err)
		}
	}
	totals, err := s.Quote(ctx)
	if err != nil {
		t.Fatal(err)
	}
	rival := shopper(t, ctx)
	o := buy(t, ctx, rival, p.ID, 2, visa)
	settles(t, ctx, rival, o.ID, "confirmed", "captured", "reserved")
	resp, err := s.Do(ctx, "POST", "order", "/v1/orders", s.OrderBody(visa, totals.Total), s.Token(), shop.IdempotencyKey("k"))
	if err != nil || resp.Status != http.StatusConflict || resp.Code() != "out_of_stock" || !strings.Contains(string(resp.Body), p.ID) {
		t.Fatalf("got %v (%v), want 409 out_of_stock that names %s", resp, err, p.ID)
	}
	stockBecomes(t, ctx, p.ID, inventory{OnHand: 3, Reserved: 2})
	stockBecomes(t, ctx, other.ID, inventory{OnHand: 10})
	if n := cartLines(t, s); n != 2 {
		t.Errorf("cart lines after a refusal: got %d, want 2", n)
	}
}

func cartLines(t *testing.T, s *shop.Shopper) int {
	t.Helper()
	var c struct {
		Items []struct{} `json:"items"`
	}
	if _, err := s.Want(within(t), http.StatusOK, &c, "GET", "cart", "/v1/cart", nil, s.Token()); err != nil {
		t.Fatal(err)
	}
	return len(c.Items)
}

func TestPriceChangedIsRefusedAndTheNewTotalIsTaken(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p, s := product(t, ctx, 700, 3), shopper(t, ctx)
	if err := s.AddToCart(ctx, p.ID, 1); err != nil {
		t.Fatal(err)
	}
	totals, err := s.Quote(ctx)
	if err != nil {
		t.Fatal(err)
	}
	totals.Total.Amount++
	resp, err := s.Do(ctx, "POST", "order", "/v1/orders", s.OrderBody(visa, totals.Total), s.Token(), shop.IdempotencyKey("k"))
	if err != nil || resp.Code() != "price_changed" {
		t.Fatalf("got %v (%v), want 409 price_changed", resp, err)
	}
	stockBecomes(t, ctx, p.ID, inventory{OnHand: 3})
	o, err := s.Place(ctx, visa)
	if err != nil {
		t.Fatal(err)
	}
	settles(t, ctx, s, o.ID, "confirmed", "captured", "reserved")
}

func TestCancelAfterPaymentRefunds(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p, s := product(t, ctx, 1100, 4), shopper(t, ctx)
	o := buy(t, ctx, s, p.ID, 3, visa)
	settles(t, ctx, s, o.ID, "confirmed", "captured", "reserved")
	if _, err := s.Want(ctx, http.StatusOK, nil, "POST", "order", "/v1/orders/"+o.ID+"/cancel", map[string]string{"reason": "second thoughts"}, s.Token()); err != nil {
		t.Fatal(err)
	}
	settles(t, ctx, s, o.ID, "cancelled", "refunded", "released")
	stockBecomes(t, ctx, p.ID, inventory{OnHand: 4})
	if captured, refunded, _ := charged(t, ctx, o.ID); captured != refunded || captured != o.Totals.Total.Amount {
		t.Errorf("ledger: got %d captured and %d refunded, want both %d", captured, refunded, o.Totals.Total.Amount)
	}
	// welcome, order received, receipt, cancelled, refund
	mailed(t, ctx, s.Email, 5)
}

func TestReplayedKeyIsOneOrder(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p, s := product(t, ctx, 1100, 50), shopper(t, ctx)
	if err := s.AddToCart(ctx, p.ID, 1); err != nil {
		t.Fatal(err)
	}
	totals, err := s.Quote(ctx)
	if err != nil {
		t.Fatal(err)
	}
	body := s.OrderBody(visa, totals.Total)
	var mu sync.Mutex
	var wg sync.WaitGroup
	bodies := map[string]int{}
	for range 20 {
		wg.Go(func() {
			resp, err := s.Do(ctx, "POST", "order", "/v1/orders", body, s.Token(), shop.IdempotencyKey("same"))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case resp.Status == http.StatusCreated:
				bodies[string(resp.Body)]++
			case resp.Status != http.StatusConflict || resp.Code() != "idempotency_in_progress":
				t.Errorf("got %d %s", resp.Status, resp.Body)
			}
		})
	}
	wg.Wait()
	again, err := s.Want(ctx, http.StatusCreated, nil, "POST", "order", "/v1/orders", body, s.Token(), shop.IdempotencyKey("same"))
	if err != nil {
		t.Fatal(err)
	}
	bodies[string(again.Body)]++
	if len(bodies) != 1 || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("got %d different answers (replayed: %q), want 1", len(bodies), again.Header.Get("Idempotency-Replayed"))
	}
	var orders int
	query(t, ctx, "order", `SELECT count(*) FROM orders WHERE user_id = $1`, []any{s.User.ID}, &orders)
	if orders != 1 {
		t.Errorf("orders: got %d, want 1", orders)
	}
	other := s.OrderBody(declined, totals.Total)
	if resp, err := s.Do(ctx, "POST", "order", "/v1/orders", other, s.Token(), shop.IdempotencyKey("same")); err != nil || resp.Code() != "idempotency_key_reused" {
		t.Errorf("another body: got %v (%v), want 422 idempotency_key_reused", resp, err)
	}
	if resp, err := s.Do(ctx, "POST", "order", "/v1/orders", body, s.Token()); err != nil || resp.Status != http.StatusPreconditionRequired {
		t.Errorf("no key: got %v (%v), want 428", resp, err)
	}
}

func TestTwentyBuyersForFiveUnits(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p := product(t, ctx, 2000, 5)
	var buyers [20]*shop.Shopper
	for i := range buyers {
		buyers[i] = shopper(t, ctx)
		if err := buyers[i].AddToCart(ctx, p.ID, 1); err != nil {
			t.Fatal(err)
		}
	}
	totals, err := buyers[0].Quote(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	placed := map[string]*shop.Shopper{}
	for _, s := range buyers {
		wg.Go(func() {
			resp, err := s.Do(ctx, "POST", "order", "/v1/orders", s.OrderBody(visa, totals.Total), s.Token(), shop.IdempotencyKey("k"))
			mu.Lock()
			defer mu.Unlock()
			var o shop.Order
			switch {
			case err != nil:
				t.Error(err)
			case resp.Status == http.StatusCreated && resp.Into(&o) == nil:
				placed[o.ID] = s
			case resp.Code() != "out_of_stock":
				t.Errorf("got %d %s, want out_of_stock", resp.Status, resp.Body)
			}
		})
	}
	wg.Wait()
	if len(placed) != 5 {
		t.Errorf("orders: got %d, want exactly 5", len(placed))
	}
	var captures int
	for id, s := range placed {
		settles(t, ctx, s, id, "confirmed", "captured", "reserved")
		_, _, n := charged(t, ctx, id)
		captures += n
	}
	if captures != 5 {
		t.Errorf("captures: got %d, want 5", captures)
	}
	stockBecomes(t, ctx, p.ID, inventory{OnHand: 5, Reserved: 5})
}

func TestAnotherCustomersOrderIsNotFound(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	p, s, eve := product(t, ctx, 1000, 5), shopper(t, ctx), shopper(t, ctx)
	o := buy(t, ctx, s, p.ID, 1, visa)
	for _, c := range []struct{ method, app, path string }{
		{"GET", "order", "/v1/orders/" + o.ID},
		{"GET", "order", "/v1/orders/" + o.ID + "/history"},
		{"POST", "order", "/v1/orders/" + o.ID + "/cancel"},
		{"POST", "payment", "/v1/orders/" + o.ID + "/payment-attempts"},
	} {
		resp, err := eve.Do(ctx, c.method, c.app, c.path, bodyFor(c.method), eve.Token(), shop.IdempotencyKey("e"))
		if err != nil || resp.Status != http.StatusNotFound {
			t.Errorf("%s %s: got %v (%v), want 404", c.method, c.path, resp, err)
		}
		resp, err = w.http.Do(ctx, c.method, c.app, c.path, bodyFor(c.method))
		if err != nil || resp.Status != http.StatusUnauthorized {
			t.Errorf("%s %s without a token: got %v (%v), want 401", c.method, c.path, resp, err)
		}
	}
	var list struct {
		Items []shop.Order `json:"items"`
	}
	if _, err := eve.Want(ctx, http.StatusOK, &list, "GET", "order", "/v1/orders", nil, eve.Token()); err != nil || len(list.Items) != 0 {
		t.Errorf("another customer's list: got %d orders (%v), want 0", len(list.Items), err)
	}
}

func bodyFor(method string) any {
	if method == "GET" {
		return nil
	}
	return map[string]any{}
}
