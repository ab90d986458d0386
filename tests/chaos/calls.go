package chaos

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

const (
	callTimeout = 20 * time.Second
	// askAgain is how long a customer goes on to ask for an answer that was lost.
	askAgain = 2 * time.Minute
)

// persist repeats a call until its answer is one that means something: not a
// fault of the moment. Whoever calls it must be safe to repeat: by its key, or
// by what it does.
func (r *run) persist(ctx context.Context, method, app, path string, body any, headers ...shop.Header) (*shop.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, askAgain)
	defer cancel()
	pause := 100 * time.Millisecond
	for {
		resp, err := r.http.Do(ctx, method, app, path, body, headers...)
		if err == nil && !passing(resp) {
			return resp, nil
		}
		r.book.answered(describe(app, resp, err))
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s %s%s: no answer within %s: %s", method, app, path, askAgain, describe(app, resp, err))
		case <-time.After(pause):
			pause = min(2*pause, 2*time.Second)
		}
	}
}

// passing tells whether an answer is of the moment alone.
func passing(resp *shop.Response) bool {
	switch resp.Status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusConflict:
		code := resp.Code()
		return code == "idempotency_in_progress" || code == "checkout_in_progress"
	default:
		return resp.Status >= http.StatusInternalServerError
	}
}

func describe(app string, resp *shop.Response, err error) string {
	if err != nil {
		return app + ": no answer"
	}
	return fmt.Sprintf("%s: %d %s", app, resp.Status, resp.Code())
}
