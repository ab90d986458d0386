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

	"github.com/caravan-shop/caravan/services/internal/crashpoint"
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
	failurePause   = 500 * time.Millisecond // after a round that got nothing through
	publishTimeout = 15 * time.Second       // above sarama's 10 s of retries
	queryTimeout   = 10 * time.Second       // shows a connection that died without a word
	roundKeys      = 1024
	batchRows      = 256
	batchBytes     = 512 << 10 // below the 1 MiB a Kafka batch may have, with envelopes
	aloneTries     = 3         // events of a suspicious topic that may fail in one round
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
	off backoff
	// rows is how many waiting rows the next round looks at.
	rows int
}

// Relay makes the relay of this outbox.
func (b *Box) Relay(pub Publisher, log *slog.Logger) *Relay {
	return &Relay{box: b, pub: pub, log: log, off: newBackoff(b.now), rows: leastRows, lag: prometheus.NewGauge(prometheus.GaugeOpts{
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
	got, err := tryLead(ctx, conn)
	if err != nil || !got {
		conn.Release()
		return err
	}
	// The lock must go with the session: the connection is closed, not pooled.
	defer func() { _ = conn.Hijack().Close(context.WithoutCancel(ctx)) }()
	for ctx.Err() == nil {
		n, more, err := r.round(ctx, conn)
		switch {
		case err != nil && conn.Conn().IsClosed():
			return err
		case err != nil:
			r.log.Warn("outbox round failed", "error", err)
			sleep(ctx, failurePause)
		case n == 0 || !more:
			r.wait(ctx)
		}
	}
	return nil
}

// However the table grows, what waits is found by an index. A mark that a crash
// of the server forgets costs a second delivery, so its commit need not wait for
// the disk. Its array of ids would be planned for anew each time.
const leaderSettings = `SET enable_seqscan = off; SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan`

func tryLead(ctx context.Context, conn *pgxpool.Conn) (got bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, advisoryLock).Scan(&got); err != nil {
		return false, fmt.Errorf("relay lock: %w", err)
	}
	if got {
		_, err = conn.Exec(ctx, leaderSettings)
	}
	return got, err
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
// since the producer may reorder what is in flight together. What rests is left
// out only then, or a key's next event would overtake the one that rests. Each
// row tells how many were looked at and how old they are; where none has its
// turn, one row without an event does.
const selectWaiting = `
WITH oldest AS MATERIALIZED (
    SELECT id, key, topic, position, created_at FROM outbox WHERE published_at IS NULL ORDER BY position LIMIT $4),
heads AS (
    SELECT DISTINCT ON (key COLLATE "C") id, key, topic, position FROM oldest ORDER BY key COLLATE "C", position),
turn AS MATERIALIZED (
    SELECT id FROM heads WHERE key <> ALL($2) AND topic <> ALL($3) ORDER BY position LIMIT $1)
SELECT waiting.n, waiting.since, o.id, coalesce(o.topic, ''), coalesce(o.key, ''), o.payload, coalesce(o.traceparent, '')
FROM (SELECT count(*) AS n, min(created_at) AS since FROM oldest) AS waiting
LEFT JOIN (turn JOIN outbox AS o ON o.id = turn.id) ON true
ORDER BY o.position`

// A round looks at the oldest waiting rows. Where they belong to few keys it
// looks further the next time, so that a hot key hides nobody behind it.
const (
	leastRows = 1 << 14
	mostRows  = 1 << 24
	fewKeys   = roundKeys / 8
)

func further(rows, found int) int {
	if found < fewKeys {
		return min(rows*8, mostRows)
	}
	return leastRows
}

const markPublished = `UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY($1)`

// turn is what one round does for one topic.
type turn struct {
	topic         string
	entries       []Entry
	acked, failed []Entry
	err           error
}

// round publishes one event a key, marks what the broker acknowledged, and
// counts that; more tells that events waited which had no turn. It fails if
// nothing got through.
func (r *Relay) round(ctx context.Context, conn *pgxpool.Conn) (published int, more bool, err error) {
	turns, more, err := r.waiting(ctx, conn)
	if err != nil {
		return 0, false, err
	}
	if len(turns) > 0 {
		crashpoint.Hit("outbox.before_publish", "")
	}
	var g errgroup.Group
	for _, t := range turns {
		alone := r.off.suspicious(t.topic)
		g.Go(func() error {
			r.publish(ctx, t, alone)
			return nil
		})
	}
	_ = g.Wait()
	var acked []string
	var failures error
	for _, t := range turns {
		r.off.note(t.topic, keysOf(t.acked), keysOf(t.failed))
		for _, e := range t.acked {
			acked = append(acked, e.ID)
		}
		failures = errors.Join(failures, t.err)
	}
	if len(acked) == 0 {
		return 0, more, failures
	}
	if failures != nil {
		r.log.Warn("events not published", "error", failures)
	}
	crashpoint.Hit("outbox.before_mark", "")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
	defer cancel()
	if _, err := conn.Exec(ctx, markPublished, acked); err != nil {
		return 0, false, fmt.Errorf("mark published: %w", err)
	}
	return len(acked), more, nil
}

func keysOf(entries []Entry) []string {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	return keys
}

// waiting reads the next round, by topic, and sets the lag to the age of the
// oldest event, resting ones too.
func (r *Relay) waiting(ctx context.Context, conn *pgxpool.Conn) (turns map[string]*turn, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	restingKeys, restingTopics := r.off.resting()
	rows, err := conn.Query(ctx, selectWaiting, roundKeys, restingKeys, restingTopics, r.rows)
	if err != nil {
		return nil, false, fmt.Errorf("read outbox: %w", err)
	}
	turns = map[string]*turn{}
	var looked, found int
	var since *time.Time
	var id *uuid.UUID
	var topic string
	var e Entry
	_, err = pgx.ForEachRow(rows, []any{&looked, &since, &id, &topic, &e.Key, &e.Data, &e.Traceparent}, func() error {
		if id == nil {
			return nil
		}
		found++
		if turns[topic] == nil {
			turns[topic] = &turn{topic: topic}
		}
		e.ID = id.String()
		turns[topic].entries = append(turns[topic].entries, e)
		e.Data = nil // the next row gets bytes of its own
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("read outbox: %w", err)
	}
	r.rows = further(r.rows, found)
	r.observe(since)
	return turns, looked > found, nil
}

func (r *Relay) observe(oldest *time.Time) {
	if oldest == nil {
		r.lag.Set(0)
		return
	}
	r.lag.Set(r.box.now().Sub(*oldest).Seconds())
}

// publish sends a topic's entries in batches, or one by one, and notes in the
// turn what became of each. A batch that fails as a whole ends the turn.
func (r *Relay) publish(ctx context.Context, t *turn, alone bool) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	for rest := t.entries; len(rest) > 0 && ctx.Err() == nil; {
		n := batchOf(rest)
		if alone {
			n = 1
		}
		batch := rest[:n]
		rest = rest[n:]
		failed, err := r.pub.PublishBulk(ctx, t.topic, batch)
		if err != nil {
			t.failed = append(t.failed, batch...)
			t.err = fmt.Errorf("publish %s: %w", t.topic, err)
			if !alone || len(t.failed) >= aloneTries {
				return
			}
			continue
		}
		t.sort(batch, failed)
	}
}

// batchOf counts the entries that go together: at least one, whatever its size.
func batchOf(entries []Entry) int {
	size := 0
	for i, e := range entries {
		if size += len(e.Data); i > 0 && (i == batchRows || size > batchBytes) {
			return i
		}
	}
	return len(entries)
}

func (t *turn) sort(batch []Entry, failed map[string]error) {
	for _, e := range batch {
		if err, bad := failed[e.ID]; bad {
			t.failed = append(t.failed, e)
			t.err = fmt.Errorf("publish %s %s: %w", t.topic, e.ID, err)
			continue
		}
		t.acked = append(t.acked, e)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
