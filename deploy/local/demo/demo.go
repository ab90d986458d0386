// Package demo replays real baskets through the public API of a running shop
// and shows what happens: each HTTP call, the events as they pass on Kafka, the
// stock before and after, the mails. It uses nothing that a client could not.
package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/tests/shop"
)

// Options say what to replay.
type Options struct {
	Stack   *shop.Stack
	Baskets []Basket
	Out     io.Writer
}

// Basket is one real order: units by SKU, in the order of its lines.
type Basket struct {
	Invoice string
	Lines   []Line
}

// Line is one line of a basket.
type Line struct {
	SKU      string
	Quantity int64
}

const (
	cardGood     = "pm_card_visa"
	cardDeclined = "pm_card_chargeDeclined"
	patience     = 30 * time.Second
)

// teller prints from several goroutines, a line at a time.
type teller struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
}

func (t *teller) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = fmt.Fprintf(t.out, "%6.2fs  "+format+"\n", append([]any{time.Since(t.start).Seconds()}, args...)...)
}

func (t *teller) title(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = fmt.Fprintf(t.out, "\n── "+format+"\n", args...)
}

// show is one demonstration.
type show struct {
	*teller
	stack *shop.Stack
	me    *shop.Shopper
	watch *shop.Watch
	shown map[string]int // events told so far, by order
}

// Run replays the baskets with the demo customer's account: the first is paid
// at once, the second after a declined card, the third is cancelled once paid,
// and so on in turn.
func Run(ctx context.Context, o Options) error {
	t := &teller{out: o.Out, start: time.Now()}
	client := shop.NewClient(o.Stack.Edge)
	client.Observe = func(method, app, path string, status int, took time.Duration) {
		t.say("HTTP   %-5s %-8s %-60s %d in %s", method, app, path, status, took.Round(100*time.Microsecond))
	}
	account := o.Stack.Accounts["customer"]
	t.title("%s signs in; the password is in stack.json, so you can follow along", account.Email)
	me, err := shop.SignIn(ctx, client, account.Email, account.Password)
	if err != nil {
		return err
	}
	watch, err := shop.NewWatch(o.Stack.Kafka, events.Topics()...)
	if err != nil {
		return err
	}
	defer watch.Close()
	s := &show{teller: t, stack: o.Stack, me: me, watch: watch, shown: map[string]int{}}
	if err := s.address(ctx); err != nil {
		return err
	}
	stories := []func(context.Context, Basket) error{s.paid, s.declinedFirst, s.cancelled}
	for i, b := range o.Baskets {
		if err := stories[i%len(stories)](ctx, b); err != nil {
			return fmt.Errorf("basket %s: %w", b.Invoice, err)
		}
	}
	t.title("done: read the mails at %s", o.Stack.Mail.HTTP)
	return nil
}

// address uses the customer's first address, or makes one.
func (s *show) address(ctx context.Context) error {
	var list struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	if _, err := s.me.Want(ctx, http.StatusOK, &list, "GET", "user", "/v1/users/me/addresses", nil, s.me.Token()); err != nil {
		return err
	}
	if len(list.Items) > 0 {
		s.me.AddressID = list.Items[0].ID
		return nil
	}
	var made struct {
		ID string `json:"id"`
	}
	_, err := s.me.Want(ctx, http.StatusCreated, &made, "POST", "user", "/v1/users/me/addresses", map[string]any{
		"recipient": "Demo Customer", "line1": "221B Baker Street", "city": "London", "postal_code": "NW1 6XE",
		"country": "GB", "is_default_shipping": true, "is_default_billing": true}, s.me.Token())
	s.me.AddressID = made.ID
	return err
}

func (s *show) paid(ctx context.Context, b Basket) error {
	s.title("invoice %s, %d lines: ordered and paid", b.Invoice, len(b.Lines))
	return s.order(ctx, b, cardGood, func(ctx context.Context, o *shop.Order) error {
		return s.await(ctx, o, events.TopicInventoryReserved)
	})
}

func (s *show) declinedFirst(ctx context.Context, b Basket) error {
	s.title("invoice %s, %d lines: the first card is declined", b.Invoice, len(b.Lines))
	return s.order(ctx, b, cardDeclined, func(ctx context.Context, o *shop.Order) error {
		if err := s.await(ctx, o, events.TopicPaymentFailed); err != nil {
			return err
		}
		if err := s.reads(ctx, o.ID, func(o *shop.Order) bool { return o.PaymentStatus == "failed" }); err != nil {
			return err
		}
		_, err := s.me.Want(ctx, http.StatusCreated, nil, "POST", "payment", "/v1/orders/"+o.ID+"/payment-attempts",
			map[string]any{"payment": map[string]string{"method": "card", "token": cardGood}}, s.me.Token(), shop.IdempotencyKey(shop.Unique("demo")))
		if err != nil {
			return err
		}
		return s.await(ctx, o, events.TopicInventoryReserved)
	})
}

func (s *show) cancelled(ctx context.Context, b Basket) error {
	s.title("invoice %s, %d lines: paid, then cancelled and refunded", b.Invoice, len(b.Lines))
	return s.order(ctx, b, cardGood, func(ctx context.Context, o *shop.Order) error {
		if err := s.await(ctx, o, events.TopicInventoryReserved); err != nil {
			return err
		}
		_, err := s.me.Want(ctx, http.StatusOK, nil, "POST", "order", "/v1/orders/"+o.ID+"/cancel",
			map[string]string{"reason": "changed my mind"}, s.me.Token())
		if err != nil {
			return err
		}
		return s.await(ctx, o, events.TopicPaymentRefunded)
	})
}

// order fills the cart, places the order, and tells stock and mails around it.
func (s *show) order(ctx context.Context, b Basket, card string, then func(context.Context, *shop.Order) error) error {
	ids, err := s.fill(ctx, b)
	if err != nil {
		return err
	}
	mails, err := s.stack.Mails(ctx, s.me.Email)
	if err != nil {
		return err
	}
	s.stock(ctx, "before", ids)
	o, err := s.me.Place(ctx, card)
	if err != nil {
		return err
	}
	s.say("ORDER  %s  total %s", o.Number, pounds(o.Totals.Total))
	if err := then(ctx, o); err != nil {
		return err
	}
	if err := s.reads(ctx, o.ID, func(o *shop.Order) bool { return o.StockStatus != "held" }); err != nil {
		return err
	}
	s.stock(ctx, "after", ids)
	return s.mailed(ctx, len(mails))
}

// fill empties the cart and puts the basket in; it returns the product ids.
func (s *show) fill(ctx context.Context, b Basket) ([]string, error) {
	if _, err := s.me.Do(ctx, "DELETE", "cart", "/v1/cart", nil, s.me.Token()); err != nil {
		return nil, err
	}
	var ids []string
	for _, l := range b.Lines {
		var p shop.Product
		resp, err := s.me.Do(ctx, "GET", "product", "/v1/products/by-sku/"+url.PathEscape(l.SKU), nil)
		if err != nil {
			return nil, err
		}
		if resp.Status != http.StatusOK || resp.Into(&p) != nil {
			s.say("       %s is not in the catalogue: left out", l.SKU)
			continue
		}
		resp, err = s.me.Do(ctx, "PUT", "cart", "/v1/cart/items/"+p.ID, map[string]int64{"quantity": l.Quantity}, s.me.Token())
		if err != nil {
			return nil, err
		}
		if resp.Status != http.StatusOK {
			s.say("       %s is left out: %s", l.SKU, resp.Code())
			continue
		}
		ids = append(ids, p.ID)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("none of its products can be ordered; is the catalogue imported?")
	}
	return ids, nil
}

// stock tells the first few products' availability.
func (s *show) stock(ctx context.Context, when string, ids []string) {
	quiet := shop.NewClient(s.stack.Edge)
	var counts []string
	for _, id := range ids[:min(len(ids), 8)] {
		var i struct {
			Available int64 `json:"available"`
		}
		if _, err := quiet.Want(ctx, http.StatusOK, &i, "GET", "product", "/v1/products/"+id+"/inventory", nil); err != nil {
			counts = append(counts, "?")
			continue
		}
		counts = append(counts, fmt.Sprint(i.Available))
	}
	s.say("STOCK  %-6s available %s", when, strings.Join(counts, " "))
}

// await prints the order's events as they pass until one of the topic did.
func (s *show) await(ctx context.Context, o *shop.Order, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return shop.Eventually(ctx, func() error {
		of := s.watch.Of(o.ID)
		for _, r := range of[s.shown[o.ID]:] {
			s.say("KAFKA  %-24s partition %d offset %d  id %s", r.Topic, r.Partition, r.Offset, r.ID)
		}
		s.shown[o.ID] = len(of)
		for _, r := range of {
			if r.Topic == topic {
				return nil
			}
		}
		return fmt.Errorf("%s of order %s has not come", topic, o.Number)
	})
}

func (s *show) reads(ctx context.Context, id string, good func(*shop.Order) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	quiet := *s.me
	quiet.Client = shop.NewClient(s.stack.Edge)
	return shop.Eventually(ctx, func() error {
		o, err := quiet.Order(ctx, id)
		if err == nil && !good(o) {
			err = fmt.Errorf("order is %s/%s/%s", o.Status, o.PaymentStatus, o.StockStatus)
		}
		return err
	})
}

// mailed tells the mails that came since, once it has been quiet for a moment.
func (s *show) mailed(ctx context.Context, before int) error {
	var mails []shop.Mail
	for quiet, seen := 0, before; quiet < 4; quiet++ {
		var err error
		if mails, err = s.stack.Mails(ctx, s.me.Email); err != nil {
			return err
		}
		if len(mails) > seen {
			quiet, seen = 0, len(mails)
		}
		time.Sleep(250 * time.Millisecond)
	}
	for _, m := range mails[min(before, len(mails)):] {
		s.say("MAIL   %s", m.Subject)
	}
	return nil
}

func pounds(m shop.Money) string {
	return fmt.Sprintf("%d.%02d %s", m.Amount/100, m.Amount%100, m.Currency)
}
