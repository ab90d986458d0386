package postgres_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/product/internal/postgres"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

func (b bench) catalogue() *postgres.Catalogue {
	return postgres.NewCatalogue(b.db, outbox.New(b.db, newID, time.Now), newID, time.Now, nil)
}

// tellAll drains the queue as the worker does.
func (b bench) tellAll(t *testing.T, c *postgres.Catalogue) {
	t.Helper()
	for {
		n, err := postgres.NewProjections(b.db).Drain(context.Background(), postgres.ProjectionAlerts, 50, c.TellWaiting)
		must(t, err)
		if n == 0 {
			return
		}
	}
}

func (b bench) told(t *testing.T, product uuid.UUID) []string {
	t.Helper()
	rows, err := b.db.Conn(context.Background()).Query(context.Background(),
		`SELECT payload ->> 'user_id' FROM outbox WHERE topic = 'product.back_in_stock' AND key = $1`, product.String())
	must(t, err)
	defer rows.Close()
	var users []string
	for rows.Next() {
		var u string
		must(t, rows.Scan(&u))
		users = append(users, u)
	}
	slices.Sort(users)
	return users
}

// Everyone who waits is told once, however many they are and however often the
// product comes and goes.
func TestWhoWaitsIsToldOnce(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	c, queue := b.catalogue(), postgres.NewProjections(b.db)
	ids := b.shelve(t, 0, 0)
	var want []string
	for range 450 {
		user := newID()
		_, isNew, err := c.AddAlert(ctx, ids[0], user)
		must(t, err)
		if _, again, err := c.AddAlert(ctx, ids[0], user); err != nil || !isNew || again {
			t.Fatalf("new %v, again new %v, %v", isNew, again, err)
		}
		want = append(want, user.String())
	}
	_, _, err := c.AddAlert(ctx, ids[1], newID())
	must(t, err)
	must(t, queue.MarkAlerts(ctx, ids[0]))
	b.tellAll(t, c)
	if got := b.told(t, ids[0]); len(got) != 0 {
		t.Fatalf("%d were told while there is none", len(got))
	}
	for range 3 {
		_, err = b.svc.Adjust(ctx, ids[0], 1, "delivery", "test")
		must(t, err)
		must(t, queue.MarkAlerts(ctx, ids[0]))
		must(t, queue.MarkAlerts(ctx, ids[1]))
		b.tellAll(t, c)
		_, err = b.svc.Adjust(ctx, ids[0], -1, "sold", "test")
		must(t, err)
	}
	slices.Sort(want)
	if got := b.told(t, ids[0]); !slices.Equal(got, want) {
		t.Errorf("%d were told, want each of %d once", len(got), len(want))
	}
	if got := b.told(t, ids[1]); got != nil {
		t.Errorf("told of a product that is still out: %v", got)
	}
}

// Whoever asks while the product comes back is either refused or told.
func TestNobodyWaitsForWhatIsThere(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	c := b.catalogue()
	for range 20 {
		id := b.shelve(t, 0)[0]
		var waiting []string
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				user := newID()
				_, _, err := c.AddAlert(ctx, id, user)
				switch {
				case err == nil:
					mu.Lock()
					waiting = append(waiting, user.String())
					mu.Unlock()
				case !errors.Is(err, product.ErrInStock):
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			_, err := b.svc.Adjust(ctx, id, 1, "delivery", "test")
			if err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		must(t, postgres.NewProjections(b.db).MarkAlerts(ctx, id))
		b.tellAll(t, c)
		slices.Sort(waiting)
		if got := b.told(t, id); !slices.Equal(got, waiting) {
			t.Fatalf("told %v, want %v", got, waiting)
		}
	}
}

func TestErasedUsersWaitForNothing(t *testing.T) {
	b, ctx := newBench(t, time.Hour), context.Background()
	c := b.catalogue()
	ids, user := b.shelve(t, 0, 0), newID()
	_, _, err := c.AddAlert(ctx, ids[0], user)
	must(t, err)
	must(t, c.Erase(ctx, user))
	if left, err := c.AlertsOf(ctx, user); err != nil || len(left) != 0 {
		t.Errorf("%v, %v: want no alert of an erased user", left, err)
	}
	if _, _, err := c.AddAlert(ctx, ids[1], user); !errors.Is(err, product.ErrUserErased) {
		t.Errorf("got %v, want user_erased", err)
	}
	if _, _, err := c.AddAlert(ctx, newID(), newID()); !errors.Is(err, product.ErrNotFound) {
		t.Errorf("got %v, want product_not_found", err)
	}
}
