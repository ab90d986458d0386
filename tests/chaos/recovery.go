package chaos

import (
	"context"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// recoveryLimit is how long after kill -9 of one process everything works again.
const recoveryLimit = 30 * time.Second

// Recovery is how long the shop was less than whole after kill -9 of a process.
type Recovery struct {
	Process string
	Took    time.Duration
	Err     error
}

// recoveries kills one process after the other, each in a shop that is whole.
func (r *run) recoveries(ctx context.Context) []Recovery {
	var all []Recovery
	for _, p := range r.stack.Processes {
		if p.Restart != "always" || ctx.Err() != nil {
			continue
		}
		one := r.recovery(ctx, p.Name)
		all = append(all, one)
		if one.Err != nil {
			r.say("kill -9 %-18s not whole again: %v", one.Process, one.Err)
			continue
		}
		r.say("kill -9 %-18s whole again after %.1fs", one.Process, one.Took.Seconds())
	}
	return all
}

func (r *run) recovery(ctx context.Context, name string) Recovery {
	one := Recovery{Process: name}
	s, err := r.register(ctx)
	if err != nil {
		one.Err = err
		return one
	}
	stack, err := shop.Load(r.StackFile)
	if err != nil {
		one.Err = err
		return one
	}
	p, _ := stack.Process(name)
	began := time.Now()
	if one.Err = syscall.Kill(p.PID, syscall.SIGKILL); one.Err != nil {
		return one
	}
	ctx, cancel := context.WithTimeout(ctx, 2*recoveryLimit)
	defer cancel()
	one.Err = shop.Eventually(ctx, func() error { return r.whole(ctx, s) })
	one.Took = time.Since(began)
	return one
}

// whole is a complete visit: found by search, bought, paid, reserved, mailed.
func (r *run) whole(ctx context.Context, s *shop.Shopper) error {
	var found struct {
		Degraded bool `json:"degraded"`
	}
	if _, err := s.Want(ctx, http.StatusOK, &found, "GET", "product", "/v1/search?q=lantern", nil); err != nil {
		return err
	}
	if found.Degraded {
		return fmt.Errorf("search is degraded")
	}
	p := r.shelf.products[0]
	resp, err := s.Do(ctx, "PUT", "cart", "/v1/cart/items/"+p.ID, map[string]any{"quantity": 1}, s.Token())
	if err != nil || resp.Status != http.StatusOK {
		return fmt.Errorf("cart: %s", outcome(resp, err))
	}
	o, err := s.Place(ctx, visa)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, recoveryLimit)
	defer cancel()
	if err := shop.Eventually(ctx, func() error {
		now, err := s.Order(ctx, o.ID)
		if err == nil && (now.Status != "confirmed" || now.StockStatus != "reserved") {
			err = fmt.Errorf("order is %s/%s", now.Status, now.StockStatus)
		}
		return err
	}); err != nil {
		return err
	}
	return shop.Eventually(ctx, func() error {
		mails, err := r.stack.Mails(ctx, s.Email)
		if err == nil && !hasMail(mails, o.Number) {
			err = fmt.Errorf("no mail about order %s", o.Number)
		}
		return err
	})
}
