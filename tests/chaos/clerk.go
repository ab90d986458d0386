package chaos

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// clerk is the shop's staff: it ships, delivers, gives money back, cancels,
// changes prices and counts stock.
type clerk struct {
	mu      sync.Mutex
	shopper *shop.Shopper
}

func (c *clerk) token() shop.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shopper.Token()
}

// clerks work until the storm is over.
func (r *run) clerks(ctx, weather context.Context, dice *rand.Rand) {
	signedIn := time.Now()
	for weather.Err() == nil {
		if time.Since(signedIn) > 5*time.Minute {
			r.signInAgain(ctx)
			signedIn = time.Now()
		}
		for _, id := range r.book.some(3) {
			r.work(ctx, id, dice)
		}
		if dice.IntN(4) == 0 {
			r.priceChange(ctx, dice)
		}
		select {
		case <-weather.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (r *run) signInAgain(ctx context.Context) {
	resp, err := r.persist(ctx, "POST", "user", "/v1/sessions",
		map[string]string{"email": r.staff.shopper.Email, "password": r.staff.shopper.Password})
	if err != nil || resp.Status != http.StatusCreated {
		r.book.answered("staff signs in: " + outcome(resp, err))
		return
	}
	r.staff.mu.Lock()
	defer r.staff.mu.Unlock()
	if err := resp.Into(&r.staff.shopper.Session); err != nil {
		r.book.breach("staff's session: %v", err)
	}
}

// work does one thing with an order. Refusals are right as often as not: what
// counts is what the stores say in the end.
func (r *run) work(ctx context.Context, id string, dice *rand.Rand) {
	token := r.staff.token()
	switch dice.IntN(5) {
	case 0, 1:
		r.clerical(ctx, "/v1/orders/"+id+"/ship", map[string]string{"carrier": "Royal Mail", "tracking_number": "RM1"}, token)
	case 2:
		r.clerical(ctx, "/v1/orders/"+id+"/deliver", nil, token)
	case 3:
		r.refund(ctx, id, token)
	default:
		if dice.IntN(4) == 0 {
			r.clerical(ctx, "/v1/orders/"+id+"/cancel", map[string]string{"reason": "staff"}, token)
		}
	}
}

func (r *run) clerical(ctx context.Context, path string, body any, token shop.Header) {
	resp, err := r.persist(ctx, "POST", "order", path, body, token, shop.IdempotencyKey(shop.Unique("clerk")))
	if err != nil {
		r.book.answered("staff gave up")
		return
	}
	if resp.Status != http.StatusOK && resp.Status != http.StatusConflict {
		r.book.breach("staff: POST %s: %d %.200s", path, resp.Status, resp.Body)
	}
}

// refund gives a part of the price back.
func (r *run) refund(ctx context.Context, id string, token shop.Header) {
	const some = 100
	resp, err := r.persist(ctx, "POST", "payment", "/v1/refunds", map[string]any{
		"order_id": id, "amount": shop.Money{Amount: some, Currency: "GBP"}, "reason": "late"}, token, shop.IdempotencyKey(shop.Unique("refund")))
	switch {
	case err != nil:
		r.book.answered("staff gave up")
	case resp.Status == http.StatusCreated || resp.Status == http.StatusAccepted:
		r.book.refunded(id, some)
	case resp.Status != http.StatusConflict && resp.Status != http.StatusNotFound:
		r.book.breach("refund: %d %.200s", resp.Status, resp.Body)
	}
}

// priceChange makes a product dearer or cheaper.
func (r *run) priceChange(ctx context.Context, dice *rand.Rand) {
	p := r.shelf.pick(dice)
	read, err := r.http.Do(ctx, "GET", "product", "/v1/products/"+p.ID, nil)
	if err != nil || read.Status != http.StatusOK {
		return
	}
	_, _ = r.http.Do(ctx, "PATCH", "product", "/v1/products/"+p.ID,
		map[string]any{"price": shop.Money{Amount: price + int64(dice.IntN(100)), Currency: "GBP"}},
		r.staff.token(), shop.Header{Name: "If-Match", Value: read.Header.Get("ETag")})
}
