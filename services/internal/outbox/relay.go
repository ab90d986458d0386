package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Entry is one event on its way to a topic.
type Entry struct {
	ID          string
	Key         string
	Traceparent string
	Data        json.RawMessage
}

// Publisher hands a batch to one topic. It returns the ids that failed; an
// error means that the fate of every entry is unknown. It must not return
// before the broker has acknowledged what it does not report as failed.
type Publisher interface {
	PublishBulk(ctx context.Context, topic string, entries []Entry) (failed map[string]error, err error)
}

const (
	pollInterval   = 100 * time.Millisecond // for events committed by another replica
	leaderInterval = time.Second            // between tries to become the relay
	failurePause   = 700 * time.Millisecond // sarama's own breaker stays open for seconds
	publishTimeout = 15 * time.Second       // above sarama's 10 s of retries
	batchRows      = 256
	batchBytes     = 512 << 10 // below the 1 MiB a Kafka batch may have, with envelopes
	advisoryLock   = int64(0x63617261_76616e01)
)

// Relay publishes a database's outbox. Any number of replicas may run one: a
// session lock lets a single one work at a time, and that lock goes with its
// connection.
type Relay struct {
	box *Box
	pub Publisher
	log *slog.Logger
	lag prometheus.Gauge
}

// Relay makes the relay of this outbox.
func (b *Box) Relay(pub Publisher, log *slog.Logger) *Relay {
	return &Relay{box: b, pub: pub, log: log, lag: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "caravan_outbox_lag_seconds", Help: "Age of the oldest event that waits for Kafka.",
	})}
}

// Collector is the lag metric, for the process that serves /metrics.
func (r *Relay) Collector() prometheus.Collector { return r.lag }

// Run relays until ctx ends. It returns nil then.
func (r *Relay) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := r.lead(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("outbox relay interrupted", "error", err)
		}
		sleep(ctx, leaderInterval)
	}
	return nil
}

// lead takes the lock and publishes for as long as it holds it.
func (r *Relay) lead(ctx context.Context) error {
	conn, err := r.box.db.Pool().Acquire(ctx)
	if err != nil {
		return fmt.Errorf("relay connection: %w", err)
	}
	var got bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, advisoryLock).Scan(&got); err != nil || !got {
		conn.Release()
		return err
	}
	// The lock must go with the session: the connection is closed, not pooled.
	defer func() { _ = conn.Hijack().Close(context.WithoutCancel(ctx)) }()
	for ctx.Err() == nil {
		n, err := r.round(ctx, conn)
		if err != nil {
			if conn.Conn().IsClosed() {
				return err
			}
			r.log.Warn("outbox round failed", "error", err)
			sleep(ctx, failurePause)
			continue
		}
		if n == 0 {
			r.wait(ctx)
		}
	}
	return nil
}

func (r *Relay) wait(ctx context.Context) {
	t := time.NewTimer(pollInterval)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-r.box.wake:
	case <-t.C:
	}
}

// The oldest waiting event of each key: at most one unacknowledged event a key,
// since the producer may reorder what is in flight together.
const selectWaiting = `
WITH w AS (
    SELECT id, topic, key, payload, traceparent, created_at, position,
           row_number() OVER (PARTITION BY key ORDER BY position) AS nth
    FROM (SELECT id, topic, key, payload, traceparent, created_at, position
          FROM outbox WHERE published_at IS NULL ORDER BY position LIMIT $1) AS oldest)
SELECT id, topic, key, payload, traceparent, created_at FROM w WHERE nth = 1 ORDER BY position`

const markPublished = `UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY($1)`

// round publishes one event a key and marks what the broker acknowledged.
func (r *Relay) round(ctx context.Context, conn *pgxpool.Conn) (int, error) {
	topics, n, err := r.waiting(ctx, conn)
	if err != nil || n == 0 {
		return 0, err
	}
	done := make(chan []string, len(topics))
	var g errgroup.Group
	for topic, entries := range topics {
		g.Go(func() error {
			acked, err := r.publish(ctx, topic, entries)
			done <- acked
			return err
		})
	}
	pubErr := g.Wait()
	close(done)
	var acked []string
	for ids := range done {
		acked = append(acked, ids...)
	}
	if len(acked) > 0 {
		if _, err := conn.Exec(ctx, markPublished, acked); err != nil {
			return 0, errors.Join(pubErr, fmt.Errorf("mark published: %w", err))
		}
	}
	return n, pubErr
}

// waiting reads the next round, by topic, bounded by bytes.
func (r *Relay) waiting(ctx context.Context, conn *pgxpool.Conn) (map[string][]Entry, int, error) {
	rows, err := conn.Query(ctx, selectWaiting, batchRows)
	if err != nil {
		return nil, 0, fmt.Errorf("read outbox: %w", err)
	}
	topics, sizes, n := map[string][]Entry{}, map[string]int{}, 0
	var oldest, created time.Time
	var id uuid.UUID
	var topic string
	var e Entry
	_, err = pgx.ForEachRow(rows, []any{&id, &topic, &e.Key, &e.Data, &e.Traceparent, &created}, func() error {
		if oldest.IsZero() {
			oldest = created
		}
		if sizes[topic] > 0 && sizes[topic]+len(e.Data) > batchBytes {
			return nil // the next round takes it
		}
		entry := Entry{ID: id.String(), Key: e.Key, Traceparent: e.Traceparent, Data: append(json.RawMessage(nil), e.Data...)}
		topics[topic] = append(topics[topic], entry)
		sizes[topic] += len(e.Data)
		n++
		return nil
	})
	r.observe(oldest)
	return topics, n, err
}

func (r *Relay) observe(oldest time.Time) {
	if oldest.IsZero() {
		r.lag.Set(0)
		return
	}
	r.lag.Set(r.box.now().Sub(oldest).Seconds())
}

// publish returns the ids that the broker acknowledged.
func (r *Relay) publish(ctx context.Context, topic string, entries []Entry) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	failed, err := r.pub.PublishBulk(ctx, topic, entries)
	if err != nil {
		return nil, fmt.Errorf("publish %s: %w", topic, err)
	}
	acked := make([]string, 0, len(entries))
	for _, e := range entries {
		if ferr, bad := failed[e.ID]; bad {
			err = fmt.Errorf("publish %s %s: %w", topic, e.ID, ferr)
			continue
		}
		acked = append(acked, e.ID)
	}
	return acked, err
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
