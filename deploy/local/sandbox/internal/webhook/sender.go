// Package webhook delivers the ledger's events: signed, at least once, again
// and again until the receiver answers 2xx. It keeps no state of its own; what it did
// not deliver, the ledger hands out at the next start.
package webhook

import (
	"container/heap"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
)

// Source is where events come from: the ledger.
type Source interface {
	News() <-chan struct{}
	TakeEvents() ([]ledger.Event, error)
	Delivered(id string) error
}

// Options say where and how to deliver.
type Options struct {
	URL    string
	Secret string
	// Delay holds every first delivery back; Copies sends each event so many times.
	// Both are for tests of the receiver.
	Delay  time.Duration
	Copies int
}

const (
	workers     = 8
	callTimeout = 15 * time.Second
	firstPause  = 250 * time.Millisecond
	longestWait = 15 * time.Second
	// quickMisses keeps the pause under 4 s while nobody answers at all, so that a
	// receiver which comes back is soon noticed.
	quickMisses = 6
)

// Sender delivers events until it is told to stop.
type Sender struct {
	source Source
	opts   Options
	client *http.Client
	now    func() time.Time
	log    *slog.Logger
	taken  uint64 // events so far, which orders them; Run's alone
}

// New returns a sender; nothing is sent before Run.
func New(source Source, opts Options, now func() time.Time, log *slog.Logger) *Sender {
	client := &http.Client{
		Timeout:       callTimeout,
		Transport:     &http.Transport{MaxIdleConnsPerHost: workers, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Sender{source: source, opts: opts, client: client, now: now, log: log}
}

// result is what became of one attempt.
type result struct {
	item *item
	err  error
	away bool // nobody was there to judge the event
}

// Run delivers until ctx ends and then waits for the attempts under way. It
// returns an error only when the ledger fails.
func (s *Sender) Run(ctx context.Context) error {
	var (
		waiting queue
		busy    int
		misses  int // attempts in a row that found the receiver away
		resume  time.Time
		results = make(chan result, workers)
		news    = s.source.News()
	)
	if err := s.take(&waiting); err != nil {
		return err
	}
	for {
		// While the receiver is away one attempt at a time asks for it, however
		// many events wait.
		allowed := workers
		if misses > 0 {
			allowed = 1
		}
		for busy < allowed && waiting.due(s.now()) && !s.now().Before(resume) {
			next := heap.Pop(&waiting).(*item)
			busy++
			go func() { results <- s.attempt(ctx, next) }()
		}
		select {
		case <-ctx.Done():
			for ; busy > 0; busy-- {
				<-results
			}
			return nil
		case <-news:
			if err := s.take(&waiting); err != nil {
				return err
			}
		case r := <-results:
			busy--
			if err := s.settle(&waiting, r); err != nil {
				return err
			}
			misses, resume = s.afterMiss(misses, r)
		case <-time.After(s.nextLook(&waiting, busy < allowed, resume)):
		}
	}
}

// afterMiss counts the attempts that found nobody and says when to try next.
func (s *Sender) afterMiss(misses int, r result) (int, time.Time) {
	if !r.away {
		return 0, time.Time{}
	}
	return misses + 1, s.now().Add(pause(min(misses, quickMisses)))
}

// nextLook is how long Run may sleep.
func (s *Sender) nextLook(waiting *queue, free bool, resume time.Time) time.Duration {
	if len(*waiting) == 0 || !free {
		return time.Minute // something will wake it
	}
	at := (*waiting)[0].at
	if resume.After(at) {
		at = resume
	}
	return max(at.Sub(s.now()), time.Millisecond)
}

// take queues what the ledger has committed since.
func (s *Sender) take(waiting *queue) error {
	events, err := s.source.TakeEvents()
	if err != nil {
		return err
	}
	for _, e := range events {
		for range max(s.opts.Copies, 1) {
			s.taken++
			heap.Push(waiting, &item{event: e, at: s.now().Add(s.opts.Delay), order: s.taken})
		}
	}
	return nil
}

// settle marks what was delivered and queues the rest again.
func (s *Sender) settle(waiting *queue, r result) error {
	if r.err == nil {
		return s.source.Delivered(r.item.event.ID)
	}
	if !r.away {
		r.item.failures++
	}
	s.log.Warn("webhook not delivered", "event", r.item.event.ID, "type", r.item.event.Type, "failures", r.item.failures, "error", r.err)
	r.item.at = s.now()
	if r.item.failures > 0 {
		r.item.at = r.item.at.Add(pause(r.item.failures - 1))
	}
	heap.Push(waiting, r.item)
	return nil
}

// pause grows by half each time and is spread, so that retries do not march in step.
func pause(failures int) time.Duration {
	p := firstPause
	for range min(failures, 20) {
		p = min(p*3/2, longestWait)
	}
	return p + rand.N(p/4)
}

func (s *Sender) attempt(ctx context.Context, it *item) result {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.opts.URL, strings.NewReader(it.event.Payload))
	if err != nil {
		return result{item: it, err: err}
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	req.Header.Set("Stripe-Signature", Signature(s.opts.Secret, s.now(), it.event.Payload))
	res, err := s.client.Do(req)
	if err != nil {
		return result{item: it, err: err, away: true}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	_ = res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return result{item: it, err: fmt.Errorf("answered %d", res.StatusCode), away: res.StatusCode == http.StatusServiceUnavailable}
	}
	return result{item: it}
}
