package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

// BenchmarkHolds measures holds of one unit, by clients, on one product and over
// a thousand: a hot item should not make its buyers queue.
func BenchmarkHolds(b *testing.B) {
	for _, products := range []int{1, 1000} {
		for _, clients := range []int{1, 4, 16, 64} {
			b.Run(fmt.Sprintf("products=%d/clients=%d", products, clients), func(b *testing.B) {
				w := newBench(b, time.Hour)
				units := make([]int64, products)
				for i := range units {
					units[i] = 1_000_000_000
				}
				hold(b, w, w.shelve(b, units...), clients)
			})
		}
	}
}

func hold(b *testing.B, w bench, ids []uuid.UUID, clients int) {
	b.Helper()
	jobs := make(chan struct{})
	var wg sync.WaitGroup
	for range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range jobs {
				p, err := w.svc.Place(context.Background(), newID(), newID(), lines(1, ids[rand.IntN(len(ids))]))
				if err != nil || p.Result != stock.ResultHeld {
					b.Errorf("%v %v", p.Result, err)
				}
			}
		}()
	}
	b.ResetTimer()
	for range b.N {
		jobs <- struct{}{}
	}
	close(jobs)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "holds/s")
}
