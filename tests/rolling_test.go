package tests

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// TestRollingRestart restarts one process of each service after the other, as a new version is rolled out, while
// customers buy: each sidecar goes first and comes back, so that nobody asks a service that is away. No call may fail.
func TestRollingRestart(t *testing.T) {
	if _, two := w.stack.Process("order-2"); !two {
		t.Skip("this stack has one process of each service; make test-two starts one with two")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	product, err := w.staff.CreateProduct(ctx, 1250, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	var calls, orders atomic.Int64
	loadCtx, end := context.WithCancel(ctx)
	defer end()
	var load sync.WaitGroup
	for range 3 {
		load.Go(func() { buyOnAndOn(t, loadCtx, product.ID, &calls, &orders) })
	}
	for _, suffix := range []string{"-2", ""} {
		for _, service := range []string{"user", "product", "cart", "order", "payment", "notification"} {
			if err := restartPair(ctx, service+suffix); err != nil {
				t.Fatalf("restart %s: %v", service+suffix, err)
			}
		}
	}
	time.Sleep(2 * time.Second) // and a while with all of them new
	end()
	load.Wait()
	t.Logf("%d calls, %d orders during twelve restarts", calls.Load(), orders.Load())
	if orders.Load() == 0 {
		t.Error("nobody bought anything: the test tested nothing")
	}
}

// buyOnAndOn registers people who put a product into their carts and order it. Every answer but the expected one fails the test.
func buyOnAndOn(t *testing.T, ctx context.Context, productID string, calls, orders *atomic.Int64) {
	client := shop.NewClient(w.stack.Edge)
	client.Observe = func(method, app, path string, status int, _ time.Duration) {
		calls.Add(1)
		if status >= http.StatusInternalServerError {
			t.Errorf("%s %s%s during a restart: got %d", method, app, path, status)
		}
	}
	for ctx.Err() == nil {
		// A person's steps are not cut short: what a client gives up by itself is no failure of the shop.
		steps := context.WithoutCancel(ctx)
		person, err := shop.Register(steps, client)
		if err != nil {
			t.Errorf("register during a restart: %v", err)
			return
		}
		for range 3 {
			if _, err := person.Buy(steps, productID, 1, "pm_card_visa"); err != nil {
				t.Errorf("buy during a restart: %v", err)
				return
			}
			orders.Add(1)
		}
	}
}

// restartPair ends a service's process and its sidecar and waits until both are back under the supervisor.
func restartPair(ctx context.Context, instance string) error {
	stack, err := shop.Load(w.path)
	if err != nil {
		return err
	}
	app, _ := stack.Process(instance)
	sidecar, ok := stack.Process("daprd-" + instance)
	if !ok || app.PID == 0 {
		return fmt.Errorf("no such processes in stack.json")
	}
	// The sidecar signs off, lets calls end and goes; then nobody is with the service.
	if err := syscall.Kill(sidecar.PID, syscall.SIGTERM); err != nil {
		return err
	}
	if err := shop.Eventually(ctx, func() error {
		if syscall.Kill(sidecar.PID, 0) == nil {
			return fmt.Errorf("sidecar %d still runs", sidecar.PID)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := syscall.Kill(app.PID, syscall.SIGTERM); err != nil {
		return err
	}
	return shop.Eventually(ctx, func() error {
		now, err := shop.Load(w.path)
		if err != nil {
			return err
		}
		newApp, _ := now.Process(instance)
		newSidecar, _ := now.Process("daprd-" + instance)
		if newApp.PID == app.PID || newSidecar.PID == sidecar.PID || newApp.PID == 0 || newSidecar.PID == 0 {
			return fmt.Errorf("not back yet")
		}
		return nil
	})
}
