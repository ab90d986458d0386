package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/tests/shop"
)

// TestReconcileFindsWhatDiffersAndRepairs makes a cart that outlives its person,
// as a lost event would leave it, and has it found and mended. Not parallel:
// reconcile looks at a shop at rest.
func TestReconcileFindsWhatDiffersAndRepairs(t *testing.T) {
	ctx := within(t)
	p, s := product(t, ctx, 1000, 5), shopper(t, ctx)
	o := buy(t, ctx, s, p.ID, 1, visa)
	settles(t, ctx, s, o.ID, "confirmed", "captured", "reserved")
	leaver := shopper(t, ctx)
	if _, err := leaver.Want(ctx, http.StatusNoContent, nil, "DELETE", "user", "/v1/users/me", nil, leaver.Token()); err != nil {
		t.Fatal(err)
	}
	took(t, ctx, "order", eventOf(t, ctx, leaver.User.ID), leaver.User.ID)

	out := reconciled(t, ctx)
	for _, kind := range []string{"orders.user_id", "orders.shipping_address_id", "orders.billing_address_id", "order_items.product_id",
		"transactions.order_id", "transactions.user_id", "user_saved_payment_methods.user_id", "carts.user_id", "carts.items.product_id", "product_reviews.user_id"} {
		if !strings.Contains(out, kind) {
			t.Errorf("%s is not looked at:\n%s", kind, out)
		}
	}
	// What Cart would hold had user.deleted never reached it; and a line of no product.
	stray := "refers to " + leaver.User.ID
	writeCart(t, ctx, leaver.User.ID, uuid.NewString())
	if out, err := caravan(t, "reconcile"); err == nil || !strings.Contains(out, stray) {
		t.Fatalf("a cart of an erased user: got %v\n%s", err, out)
	}
	_, _ = caravan(t, "reconcile", "--repair", "erased")
	if err := shop.Eventually(ctx, func() error {
		if out, _ := caravan(t, "reconcile"); strings.Contains(out, stray) {
			return errors.New("the cart of an erased user is still there")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// eventOf waits for the event of an erased user and gives its id.
func eventOf(t *testing.T, ctx context.Context, user string) string {
	t.Helper()
	r, err := w.watch.Find(ctx, "user.deleted", user)
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// reconciled waits for a look that finds no drift; what other tests have left under way ends by itself.
func reconciled(t *testing.T, ctx context.Context) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var out string
	if err := shop.Eventually(ctx, func() (err error) {
		out, err = caravan(t, "reconcile")
		return err
	}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// writeCart puts a cart into Cart's state store behind Cart's back, through its own sidecar.
func writeCart(t *testing.T, ctx context.Context, user, product string) {
	t.Helper()
	now, later := time.Now().UTC().Format(time.RFC3339Nano), time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)
	body := []map[string]any{{"key": user, "metadata": map[string]string{"ttlInSeconds": "3600"}, "value": map[string]any{
		"user_id": user, "version": 1, "subtotal_amount": 100, "currency": "GBP", "created_at": now, "updated_at": now, "expires_at": later,
		"items": []map[string]any{{"product_id": product, "quantity": 1, "unit_price_amount": 100, "added_at": now}},
	}}}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	sidecar := w.stack.Sidecars["cart"]
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, sidecar.HTTP+"/v1.0/state/carts", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("dapr-api-token", sidecar.APIToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("write a cart: status %d", resp.StatusCode)
	}
}
