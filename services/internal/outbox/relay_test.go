package outbox_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/internal/service"
)

// script is a broker that refuses what a test says.
type script struct {
	mu     sync.Mutex
	refuse func(topic string, batch []outbox.Entry) (map[string]error, error)
	keys   []string // as acknowledged
}

func (s *script) PublishBulk(_ context.Context, topic string, batch []outbox.Entry) (map[string]error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	failed, err := s.refuse(topic, batch)
	if err != nil {
		return nil, err
	}
	for _, e := range batch {
		if failed[e.ID] == nil {
			s.keys = append(s.keys, e.Key)
		}
	}
	return failed, nil
}

func (s *script) acknowledged() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

var errBroker = errors.New("broker refuses")

func takeAll(string, []outbox.Entry) (map[string]error, error) { return nil, nil }

// fill appends n events of every key at once, as a backlog finds them.
func fill(t testing.TB, db *pg.DB, topic, prefix string, keys, each, size int) {
	t.Helper()
	_, err := db.Conn(context.Background()).Exec(context.Background(), `
INSERT INTO outbox (id, topic, key, payload, created_at)
SELECT gen_random_uuid(), $1, $2 || k, jsonb_build_object('n', n, 'pad', repeat('x', $5::int)), now()
FROM generate_series(1, $4::int) AS n, generate_series(1, $3::int) AS k ORDER BY n, k`, topic, prefix, keys, each, size)
	if err != nil {
		t.Fatal(err)
	}
}

func startRelay(t testing.TB, db *pg.DB, pub outbox.Publisher) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	relay := outbox.New(db, service.NewID, time.Now).Relay(pub, slog.New(slog.DiscardHandler))
	running.Go(func() { _ = relay.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
}

func waitFor(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within %v: %s", within, what)
}

func TestHotKeyStarvesNobody(t *testing.T) {
	db := pgtest.WithSchemas(t, schema)
	fill(t, db, "t", "hot", 1, 20000, 1) // more than a round looks at first
	fill(t, db, "t", "calm", 50, 1, 1)
	s := &script{refuse: func(string, []outbox.Entry) (map[string]error, error) {
		time.Sleep(20 * time.Millisecond)
		return nil, nil
	}}
	startRelay(t, db, s)
	waitFor(t, 5*time.Second, "fifty calm keys pass a hot one", func() bool {
		return len(s.acknowledged()) >= 52
	})
	if calm := slices.DeleteFunc(s.acknowledged()[:52], func(k string) bool { return k == "hot1" }); len(calm) != 50 {
		t.Errorf("calm keys among the first 52: got %d, want 50", len(calm))
	}
}

func TestRefusedEventHoldsUpItsKeyAlone(t *testing.T) {
	db := pgtest.WithSchemas(t, schema)
	fill(t, db, "t", "bad", 1, 2, 1)
	fill(t, db, "t", "good", 40, 25, 1)
	s := &script{refuse: func(_ string, batch []outbox.Entry) (map[string]error, error) {
		failed := map[string]error{}
		for _, e := range batch {
			if e.Key == "bad1" {
				failed[e.ID] = errBroker
			}
		}
		return failed, nil
	}}
	startRelay(t, db, s)
	// With a pause after each round that has a failure this takes 25 pauses.
	waitFor(t, 5*time.Second, "all good ones pass", func() bool { return len(s.acknowledged()) == 1000 })
	if n := count(t, db, `SELECT count(*) FROM outbox WHERE published_at IS NULL AND key = 'bad1'`); n != 2 {
		t.Errorf("waiting of the refused key: got %d, want 2", n)
	}
}

func TestEventThatSpoilsItsBatchIsToldFromTheRest(t *testing.T) {
	db := pgtest.WithSchemas(t, schema)
	fill(t, db, "t", "bad", 1, 1, 1)
	fill(t, db, "t", "good", 100, 1, 1)
	s := &script{refuse: func(_ string, batch []outbox.Entry) (map[string]error, error) {
		if slices.ContainsFunc(batch, func(e outbox.Entry) bool { return e.Key == "bad1" }) {
			return nil, errBroker
		}
		return nil, nil
	}}
	startRelay(t, db, s)
	waitFor(t, 10*time.Second, "the rest of the batch passes", func() bool { return len(s.acknowledged()) == 100 })
}

func TestHugeEventDoesNotHoldUpItsTopic(t *testing.T) {
	db := pgtest.WithSchemas(t, schema)
	fill(t, db, "t", "huge", 1, 1, 600<<10)
	fill(t, db, "t", "small", 100, 1, 1)
	s := &script{refuse: func(_ string, batch []outbox.Entry) (map[string]error, error) {
		failed := map[string]error{}
		for _, e := range batch {
			if strings.HasPrefix(e.Key, "huge") {
				failed[e.ID] = errBroker
			}
		}
		return failed, nil
	}}
	startRelay(t, db, s)
	waitFor(t, 5*time.Second, "small ones pass", func() bool { return len(s.acknowledged()) == 100 })
}

func TestTopicThatIsAwayHoldsUpNoOther(t *testing.T) {
	db := pgtest.WithSchemas(t, schema)
	fill(t, db, "away", "a", 1500, 1, 1)
	fill(t, db, "there", "b", 1000, 3, 1)
	s := &script{refuse: func(topic string, _ []outbox.Entry) (map[string]error, error) {
		if topic == "away" {
			return nil, errBroker
		}
		return nil, nil
	}}
	startRelay(t, db, s)
	waitFor(t, 8*time.Second, "the other topic drains", func() bool { return len(s.acknowledged()) == 3000 })
	s.mu.Lock()
	s.refuse = takeAll
	s.mu.Unlock()
	waitFor(t, 8*time.Second, "the topic drains once it is back", func() bool { return len(s.acknowledged()) == 4500 })
}

func TestRelayLeadsAgainAfterItsConnectionDied(t *testing.T) {
	db := pgtest.WithSchemas(t, schema)
	s := &script{refuse: takeAll}
	startRelay(t, db, s)
	fill(t, db, "t", "before", 1, 1, 1)
	waitFor(t, 5*time.Second, "it leads", func() bool { return len(s.acknowledged()) == 1 })
	killed := count(t, db, `
SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS k`)
	if killed != 1 {
		t.Fatalf("holders of the lock: got %d, want 1", killed)
	}
	fill(t, db, "t", "after", 1, 1, 1)
	waitFor(t, 5*time.Second, "it leads again", func() bool { return slices.Contains(s.acknowledged(), "after1") })
}

// BenchmarkDrain measures a backlog of five events a key against a broker that
// takes 10 ms a batch.
func BenchmarkDrain(b *testing.B) {
	db := pgtest.WithSchemas(b, schema)
	const events = 20000
	for b.Loop() {
		if _, err := db.Conn(context.Background()).Exec(context.Background(), `DELETE FROM outbox`); err != nil {
			b.Fatal(err)
		}
		fill(b, db, "t", uuid.NewString(), events/5, 5, 500)
		s := &script{refuse: func(string, []outbox.Entry) (map[string]error, error) {
			time.Sleep(10 * time.Millisecond)
			return nil, nil
		}}
		start := time.Now()
		drain(b, db.Pool(), s)
		b.ReportMetric(events/time.Since(start).Seconds(), "events/s")
	}
}

func drain(b *testing.B, pool *pgxpool.Pool, s *script) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	db, err := pg.Open(ctx, pool.Config().ConnString(), pg.Options{MaxConns: 2})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var running sync.WaitGroup
	running.Go(func() {
		_ = outbox.New(db, service.NewID, time.Now).Relay(s, slog.New(slog.DiscardHandler)).Run(ctx)
	})
	waitFor(b, time.Minute, "the backlog drains", func() bool { return len(s.acknowledged()) == 20000 })
	stop()
	running.Wait()
}
