package cache_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/product/internal/cache"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

const server = "CARAVAN_TEST_REDIS"

// database is a fake that counts its loads and may be held up.
type database struct {
	mu    sync.Mutex
	rows  map[uuid.UUID]product.Product
	loads atomic.Int64
	gate  chan struct{} // when not nil, a load reads first and then waits here
	delay func() time.Duration
}

func (d *database) Product(_ context.Context, id uuid.UUID) (product.Product, error) {
	d.loads.Add(1)
	d.mu.Lock()
	p, ok := d.rows[id]
	gate := d.gate
	d.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if d.delay != nil {
		time.Sleep(d.delay())
	}
	if !ok {
		return product.Product{}, product.ErrNotFound
	}
	return p, nil
}

func (d *database) put(p product.Product) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows[p.ID] = p
}

func open(t *testing.T, url string) (*cache.Products, *database) {
	t.Helper()
	rdb, err := cache.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	db := &database{rows: map[uuid.UUID]product.Product{}}
	return cache.New(rdb, db, time.Now), db
}

func redisURL(t *testing.T) string {
	t.Helper()
	url := os.Getenv(server)
	if url == "" {
		t.Fatalf("%s is not set: run the tests by `make test`", server)
	}
	return url
}

func mug(revision int64) product.Product {
	return product.Product{ID: uuid.Must(uuid.NewV7()), SKU: "A", Name: "Mug", Price: money.New(250, "GBP"), Revision: revision,
		Attributes: map[string]any{"size": 1.5}, Images: []product.Image{{URL: "https://x.example/a.png"}}}
}

func read(t *testing.T, c *cache.Products, id uuid.UUID) product.Product {
	t.Helper()
	p, err := c.Product(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestManyWaitersOneLoad(t *testing.T) {
	c, db := open(t, redisURL(t))
	p := mug(1)
	db.put(p)
	db.gate = make(chan struct{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, _ = c.Product(context.Background(), p.ID)
		}()
	}
	time.Sleep(100 * time.Millisecond)
	close(db.gate)
	wg.Wait()
	if got := read(t, c, p.ID); got.Name != "Mug" || len(got.Images) != 1 || got.Attributes["size"] != 1.5 {
		t.Errorf("copy %+v", got)
	}
	if n := db.loads.Load(); n != 1 {
		t.Errorf("%d loads, want 1", n)
	}
}

func TestSlowReaderNeverPutsAnOldCopyOverANewOne(t *testing.T) {
	c, db := open(t, redisURL(t))
	old := mug(1)
	db.put(old)
	db.gate = make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.Product(context.Background(), old.ID) // has read revision 1, and stalls
	}()
	time.Sleep(50 * time.Millisecond)
	changed := old
	changed.Name, changed.Revision = "Bigger mug", 2
	db.put(changed)
	if err := c.Fence(context.Background(), map[uuid.UUID]int64{old.ID: 2}); err != nil {
		t.Fatal(err)
	}
	close(db.gate)
	<-done
	if got := read(t, c, old.ID); got.Revision != 2 {
		t.Errorf("read revision %d after the change, want 2", got.Revision)
	}
}

func TestMissIsRememberedBriefly(t *testing.T) {
	c, db := open(t, redisURL(t))
	p := mug(1)
	for range 3 {
		if _, err := c.Product(context.Background(), p.ID); !errors.Is(err, product.ErrNotFound) {
			t.Fatalf("got %v, want product_not_found", err)
		}
	}
	if n := db.loads.Load(); n != 1 {
		t.Errorf("%d loads of an unknown id, want 1", n)
	}
	db.put(p)
	if err := c.Fence(context.Background(), map[uuid.UUID]int64{p.ID: 1}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c, p.ID); got.ID != p.ID {
		t.Errorf("created product is not seen: %+v", got)
	}
}

func TestWithoutRedisReadsGoOn(t *testing.T) {
	c, db := open(t, "redis://127.0.0.1:1/0")
	p := mug(1)
	db.put(p)
	start := time.Now()
	for range 100 {
		read(t, c, p.ID)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("100 reads without Redis took %v", d)
	}
	if err := c.Fence(context.Background(), map[uuid.UUID]int64{p.ID: 1}); err == nil {
		t.Error("a fence that could not be set told nothing")
	}
}
