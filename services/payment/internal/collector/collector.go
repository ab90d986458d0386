// Package collector does at the provider what package payment has decided: it
// leases orders that are due, makes one call at a time and records what the
// provider said before it makes the next. Killed at any point, another one
// reads the provider and goes on.
package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/caravan-shop/caravan/services/internal/crashpoint"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
	"github.com/caravan-shop/caravan/services/payment/internal/postgres"
)

// Queue is what a collector needs of the store.
type Queue interface {
	Claim(ctx context.Context) (postgres.Job, bool, error)
	// Record fails with postgres.ErrLeaseLost when another worker has the order.
	Record(ctx context.Context, job *postgres.Job, in payment.Input, seen payment.Seen) (payment.Step, error)
	Defer(ctx context.Context, job postgres.Job, wait time.Duration, cause error) error
	Woken() <-chan struct{}
}

// Collector works orders off with a fixed number of goroutines. Any number of
// processes may run one on the same database.
type Collector struct {
	queue   Queue
	gateway payment.Gateway
	refund  payment.Refunder
	log     *slog.Logger
	workers int
	poll    time.Duration
	look    chan struct{} // takes a worker that idles
}

// New makes a collector. poll is how often one worker looks for orders that
// nobody woke it for: those of another replica, and those whose time has come.
func New(queue Queue, gateway payment.Gateway, refund payment.Refunder, log *slog.Logger, workers int, poll time.Duration) *Collector {
	return &Collector{queue: queue, gateway: gateway, refund: refund, log: log, workers: workers, poll: poll, look: make(chan struct{})}
}

// Run works until ctx ends, waits for its workers and returns nil. A call that
// is under way then is given up; its outcome is read by whoever comes next.
func (c *Collector) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range c.workers {
		wg.Go(func() { c.work(ctx) })
	}
	c.remind(ctx)
	wg.Wait()
	return nil
}

// remind sends a worker to look once in a while, until ctx ends.
func (c *Collector) remind(ctx context.Context) {
	tick := time.NewTicker(c.poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.sendOne()
		}
	}
}

// sendOne has an idle worker look for orders, if there is one.
func (c *Collector) sendOne() {
	select {
	case c.look <- struct{}{}:
	default:
	}
}

func (c *Collector) work(ctx context.Context) {
	sent := true // at the start, orders may be waiting
	for ctx.Err() == nil {
		found, err := c.Once(ctx)
		if err != nil && ctx.Err() == nil {
			c.log.Warn("payment work interrupted", "error", err)
		}
		if found && err == nil {
			if sent { // where nobody was woken for one order, there may be many
				c.sendOne()
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-c.queue.Woken():
			sent = false
		case <-c.look:
			sent = true
		}
	}
}

// Once works off one order that is due; false when there is none.
func (c *Collector) Once(ctx context.Context) (bool, error) {
	job, ok, err := c.queue.Claim(ctx)
	if err != nil || !ok {
		return false, err
	}
	err = c.settle(outbox.WithTraceparent(ctx, job.Traceparent), job)
	if errors.Is(err, postgres.ErrLeaseLost) {
		err = nil
	}
	return true, err
}

// mostCalls bounds one run on an order; a longer one goes on in the next.
const mostCalls = 12

// settle calls and records until nothing is left or the outcome is unknown.
func (c *Collector) settle(ctx context.Context, job postgres.Job) error {
	seen := payment.Seen{}
	step := payment.Next(job.Order, seen)
	if step.Kind == payment.StepNone {
		_, err := c.queue.Record(ctx, &job, nil, seen)
		return err
	}
	for range mostCalls {
		in, err := c.call(ctx, job.Order, step)
		if err != nil {
			return c.giveBack(ctx, job, step, err)
		}
		crashpoint.Hit("collector.before_record", step.Kind.String())
		seen[step.Attempt.ID] = true
		seen[step.Refund.ID] = true
		if step, err = c.queue.Record(ctx, &job, in, seen); err != nil || step.Kind == payment.StepNone {
			return err
		}
	}
	return c.queue.Defer(ctx, job, backOff(job.Tries), errors.New("order does not come to rest"))
}

// call makes the one call of a step and says what came of it. Its error means
// that nobody knows.
func (c *Collector) call(ctx context.Context, o payment.Order, s payment.Step) (payment.Input, error) {
	switch s.Kind {
	case payment.StepCreateRefund, payment.StepReadRefund:
		return c.callRefund(ctx, o, s)
	}
	in, err := c.callIntent(ctx, o, s)
	refusal, refused := payment.RefusalOf(err)
	switch {
	case refused && (s.Kind == payment.StepCreateIntent || s.Kind == payment.StepConfirmIntent):
		return payment.AttemptRefused{TransactionID: s.Attempt.ID, Code: refusal.Code}, nil
	case err != nil:
		return nil, err
	}
	return payment.IntentRead{TransactionID: s.Attempt.ID, Intent: in}, nil
}

func (c *Collector) callIntent(ctx context.Context, o payment.Order, s payment.Step) (payment.Intent, error) {
	switch s.Kind {
	case payment.StepCreateIntent:
		return c.gateway.CreateIntent(ctx, o, s.Attempt)
	case payment.StepReadIntent:
		return c.gateway.ReadIntent(ctx, s.Attempt.ProviderID)
	case payment.StepConfirmIntent:
		return c.gateway.ConfirmIntent(ctx, o, s.Attempt)
	case payment.StepCaptureIntent:
		return c.gateway.CaptureIntent(ctx, s.Attempt.ProviderID)
	case payment.StepCancelIntent:
		return c.gateway.CancelIntent(ctx, s.Attempt.ProviderID)
	}
	return payment.Intent{}, fmt.Errorf("collector: step %d is no call on an intent", s.Kind)
}

func (c *Collector) callRefund(ctx context.Context, o payment.Order, s payment.Step) (payment.Input, error) {
	var r payment.ProviderRefund
	var err error
	if s.Kind == payment.StepCreateRefund {
		r, err = c.refund.CreateRefund(ctx, o, s.Attempt, s.Refund)
	} else {
		r, err = c.refund.ReadRefund(ctx, s.Refund.ProviderID)
	}
	if refusal, refused := payment.RefusalOf(err); refused {
		c.log.Error("refund was refused and waits for staff", "order_id", o.ID, "refund_id", s.Refund.ID, "error", refusal)
		return payment.RefundRefused{RefundID: s.Refund.ID, Code: payment.FailRefundRefused}, nil
	}
	if err != nil {
		return nil, err
	}
	return payment.RefundRead{RefundID: s.Refund.ID, Refund: r}, nil
}

// giveBack leaves the order to a later try, by anyone.
func (c *Collector) giveBack(ctx context.Context, job postgres.Job, s payment.Step, cause error) error {
	// Also on shutdown: else the order would wait for the lease to pass.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	wait := backOff(job.Tries)
	c.log.Warn("provider's answer is not known", "order_id", job.ID, "transaction_id", s.Attempt.ID,
		"step", int(s.Kind), "tries", job.Tries+1, "wait", wait, "error", cause)
	return c.queue.Defer(ctx, job, wait, cause)
}

const (
	shortestWait = 250 * time.Millisecond
	longestWait  = 15 * time.Second
)

// backOff doubles from a quarter of a second; jitter keeps a crowd apart.
func backOff(tries int) time.Duration {
	wait := longestWait
	if tries < 6 {
		wait = shortestWait << tries
	}
	return wait + rand.N(wait/4)
}
