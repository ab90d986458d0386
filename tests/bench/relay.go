package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/tests/shop"
)

const (
	relayRate    = 200 // events a second while the shop is otherwise idle
	relayPatient = 2 * time.Minute
)

// relayed measures how soon an event is on Kafka after its commit, at a steady
// rate, and how fast a backlog drains once Kafka is back.
func (b *bench) relayed(ctx context.Context, backlog int, spell time.Duration) error {
	stack, err := shop.Load(os.Getenv("CARAVAN_STACK"))
	if err != nil {
		return err
	}
	account := stack.Accounts["admin"]
	staff, err := shop.SignIn(ctx, b.http, account.Email, account.Password)
	if err != nil {
		return err
	}
	if err := b.soon(ctx, stack, staff, spell); err != nil {
		return err
	}
	return b.drained(ctx, stack, staff, backlog)
}

// soon changes prices at a steady rate: each is a transaction with one event.
// What is measured begins when the event was made, a little before its commit.
func (b *bench) soon(ctx context.Context, stack *shop.Stack, staff *shop.Shopper, spell time.Duration) error {
	ours := map[string]bool{}
	for _, p := range b.products {
		ours[p.ID] = true
	}
	w, err := watchTopic(ctx, stack.Kafka, events.TopicProductUpdated, func(key string) bool { return ours[key] })
	if err != nil {
		return err
	}
	defer w.close()
	n := 0
	next := func() func(context.Context) error {
		n++
		path, price := "/v1/products/"+b.products[n%len(b.products)].ID, shop.Money{Amount: int64(1000 + n), Currency: "GBP"}
		return func(ctx context.Context) error {
			_, err := b.http.Want(ctx, http.StatusOK, nil, "PATCH", "product", path, map[string]any{"price": price},
				staff.Token(), shop.Header{Name: "If-Match", Value: "*"})
			return err
		}
	}
	pace(ctx, relayRate, 3*time.Second, next) // caches and connections warm up
	if _, _, err := w.wait(ctx, n); err != nil {
		return err
	}
	warm := n
	calls := pace(ctx, relayRate, spell, next)
	_, sooner, err := w.wait(ctx, n)
	if err != nil {
		return err
	}
	fmt.Printf("%d price changes a second for %s: %s\n  from the event to its record on Kafka: %s (%d events)\n",
		relayRate, spell, calls, quantiles(sooner[warm:]), n-warm)
	return nil
}

// drained imports products while Kafka stands still, then lets it go on.
func (b *bench) drained(ctx context.Context, stack *shop.Stack, staff *shop.Shopper, backlog int) error {
	w, err := watchTopic(ctx, stack.Kafka, events.TopicProductCreated, func(string) bool { return true })
	if err != nil {
		return err
	}
	defer w.close()
	kafka, found := stack.Process("kafka")
	if !found {
		return fmt.Errorf("the stack has no process kafka that could be frozen")
	}
	if err := syscall.Kill(kafka.PID, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("freeze kafka: %w", err)
	}
	thaw := sync.OnceFunc(func() { _ = syscall.Kill(kafka.PID, syscall.SIGCONT) })
	defer thaw()
	took, answer, err := b.importLines(ctx, staff, shop.Unique("R"), backlog)
	if err != nil {
		return err
	}
	thaw()
	back := time.Now()
	at, _, err := w.wait(ctx, backlog)
	if err != nil {
		return err
	}
	first, last := at[0], at[backlog-1]
	fmt.Printf("backlog of %d events, made in %s while Kafka stood still (%s)\n  first on Kafka %s after it went on, then %.0f events a second\n",
		backlog, took.Round(100*time.Millisecond), answer, first.Sub(back).Round(100*time.Millisecond), float64(backlog)/last.Sub(first).Seconds())
	return nil
}

// watched collects when records of one topic came, each event once.
type watched struct {
	client *kgo.Client
	ours   func(key string) bool
	done   chan struct{}

	mu   sync.Mutex
	seen map[string]bool
	at   []time.Time
	took []time.Duration // since the event was made
}

func watchTopic(ctx context.Context, brokers []string, topic string, ours func(string) bool) (*watched, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	w := &watched{client: client, ours: ours, done: make(chan struct{}), seen: map[string]bool{}}
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("kafka: %w", err)
	}
	// A first look makes the client ask where the topic ends now.
	look, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	client.PollFetches(look)
	go w.run(ctx)
	return w, nil
}

func (w *watched) run(ctx context.Context) {
	defer close(w.done)
	for {
		fetches := w.client.PollFetches(ctx)
		if fetches.IsClientClosed() || ctx.Err() != nil {
			return
		}
		now := time.Now()
		w.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) { w.note(r, now) })
		w.mu.Unlock()
	}
}

func (w *watched) note(r *kgo.Record, now time.Time) {
	var event struct {
		ID   string `json:"id"`
		Data struct {
			OccurredAt time.Time `json:"occurred_at"`
		} `json:"data"`
	}
	if !w.ours(string(r.Key)) || json.Unmarshal(r.Value, &event) != nil || w.seen[event.ID] {
		return
	}
	w.seen[event.ID] = true
	w.at, w.took = append(w.at, now), append(w.took, now.Sub(event.Data.OccurredAt))
}

// wait until so many events have come, and give when each did and how long
// after it was made.
func (w *watched) wait(ctx context.Context, n int) (at []time.Time, took []time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, relayPatient)
	defer cancel()
	err = shop.Eventually(ctx, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.at) < n {
			return fmt.Errorf("%d of %d events are on Kafka", len(w.at), n)
		}
		at, took = slices.Clone(w.at), slices.Clone(w.took)
		return nil
	})
	return at, took, err
}

func (w *watched) close() {
	w.client.Close()
	<-w.done
}
