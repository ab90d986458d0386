package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/caravan-shop/caravan/services/events"
)

// arrivals notes when inventory.reserved of an order was seen on Kafka.
type arrivals struct {
	client *kgo.Client
	done   chan struct{}

	mu   sync.Mutex
	seen map[string]chan time.Time
}

func watchReserved(ctx context.Context, brokers []string) (*arrivals, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(events.TopicInventoryReserved),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	if err := client.Ping(ctx); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	a := &arrivals{client: client, done: make(chan struct{}), seen: map[string]chan time.Time{}}
	go a.run()
	return a, nil
}

func (a *arrivals) run() {
	defer close(a.done)
	for {
		fetches := a.client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		now := time.Now()
		fetches.EachRecord(func(r *kgo.Record) {
			select {
			case a.slot(string(r.Key)) <- now:
			default: // a second delivery
			}
		})
	}
}

func (a *arrivals) slot(orderID string) chan time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen[orderID] == nil {
		a.seen[orderID] = make(chan time.Time, 1)
	}
	return a.seen[orderID]
}

// wait gives the time at which the order's stock was seen reserved.
func (a *arrivals) wait(ctx context.Context, orderID string) (time.Time, error) {
	defer func() {
		a.mu.Lock()
		delete(a.seen, orderID)
		a.mu.Unlock()
	}()
	select {
	case at := <-a.slot(orderID):
		return at, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("stock was not seen reserved: %w", ctx.Err())
	}
}

func (a *arrivals) close() {
	a.client.Close()
	<-a.done
}

// quantiles says p50, p95 and p99.
func quantiles(ds []time.Duration) string {
	if len(ds) == 0 {
		return "no figure"
	}
	sorted := slices.Sorted(slices.Values(ds))
	at := func(q float64) time.Duration {
		return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %s  p95 %s  p99 %s", at(.50), at(.95), at(.99))
}
