package outbox_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/internal/service"
)

//go:embed schema.sql
var schema string

// broker acknowledges, fails or loses acknowledgements, and watches the order.
type broker struct {
	mu       sync.Mutex
	seen     map[string][]int64 // sequences by key, as they arrived
	ids      map[string]int     // deliveries by id
	inFlight map[string]bool
	overlap  int
	faults   *rand.Rand
}

func newBroker(seed uint64) *broker {
	return &broker{seen: map[string][]int64{}, ids: map[string]int{}, inFlight: map[string]bool{}, faults: rand.New(rand.NewPCG(seed, 1))}
}

func (b *broker) PublishBulk(_ context.Context, _ string, entries []outbox.Entry) (map[string]error, error) {
	b.mu.Lock()
	for _, e := range entries {
		if b.inFlight[e.Key] {
			b.overlap++
		}
		b.inFlight[e.Key] = true
	}
	b.mu.Unlock()
	time.Sleep(time.Millisecond)
	b.mu.Lock()
	defer b.mu.Unlock()
	failed := map[string]error{}
	lost := b.faults.IntN(10) == 0
	for _, e := range entries {
		b.inFlight[e.Key] = false
		if b.faults.IntN(10) == 0 {
			failed[e.ID] = errors.New("not acknowledged")
			continue
		}
		var data struct{ Sequence int64 }
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return nil, err
		}
		if b.ids[e.ID]++; b.ids[e.ID] == 1 {
			b.seen[e.Key] = append(b.seen[e.Key], data.Sequence)
		}
	}
	if lost {
		return nil, errors.New("answer lost after the broker stored the batch")
	}
	return failed, nil
}

func append1(t *testing.T, db *pg.DB, box *outbox.Box, user uuid.UUID) {
	t.Helper()
	err := db.InTx(context.Background(), func(ctx context.Context) error {
		return box.Append(ctx, &events.UserUpdated{UserData: events.UserData{UserID: user}})
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRelayKeepsOrderPerKeyThroughFaultsAndTwoReplicas(t *testing.T) {
	db := pgtest.WithSchemas(t, schema)
	box := outbox.New(db, service.NewID, time.Now)
	b := newBroker(1)
	ctx, stop := context.WithCancel(context.Background())
	var replicas sync.WaitGroup
	for range 2 {
		relay := outbox.New(db, service.NewID, time.Now).Relay(b, slog.New(slog.DiscardHandler))
		replicas.Go(func() { _ = relay.Run(ctx) })
	}
	defer replicas.Wait()
	defer stop()

	const keys, each = 5, 12
	var users [keys]uuid.UUID
	var writers sync.WaitGroup
	for i := range users {
		users[i] = service.NewID()
		for range 3 { // three writers race on one key
			writers.Go(func() {
				for range each / 3 {
					append1(t, db, box, users[i])
				}
			})
		}
	}
	writers.Wait()
	waitPublished(t, db, keys*each)

	b.mu.Lock()
	defer b.mu.Unlock()
	if b.overlap > 0 {
		t.Errorf("%d times a key had two events in flight", b.overlap)
	}
	for _, u := range users {
		if got, want := fmt.Sprint(b.seen[u.String()]), fmt.Sprint(upTo(each)); got != want {
			t.Errorf("sequence of a key: got %s, want %s", got, want)
		}
	}
}

func TestRollbackPublishesNothing(t *testing.T) {
	db := pgtest.WithSchemas(t, schema)
	box := outbox.New(db, service.NewID, time.Now)
	boom := errors.New("boom")
	err := db.InTx(context.Background(), func(ctx context.Context) error {
		if err := box.Append(ctx, &events.UserUpdated{UserData: events.UserData{UserID: service.NewID()}}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v, want %v", err, boom)
	}
	if n := count(t, db, `SELECT count(*) FROM outbox`); n != 0 {
		t.Errorf("outbox rows after rollback: got %d, want 0", n)
	}
}

func upTo(n int64) []int64 {
	var all []int64
	for i := int64(1); i <= n; i++ {
		all = append(all, i)
	}
	return all
}

func waitPublished(t *testing.T, db *pg.DB, want int) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		if count(t, db, `SELECT count(*) FROM outbox WHERE published_at IS NOT NULL`) == want {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("published %d of %d in time", count(t, db, `SELECT count(*) FROM outbox WHERE published_at IS NOT NULL`), want)
}

func count(t *testing.T, db *pg.DB, sql string) int {
	t.Helper()
	var n int
	if err := db.Conn(context.Background()).QueryRow(context.Background(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
