package orders_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/notification/internal/orders"
)

type order struct {
	answer string
	err    error
}

func (o order) Invoke(_ context.Context, app, path string, _, out any) error {
	if app+path != "order/internal/orders/states" {
		return errors.New("asked " + app + path)
	}
	if o.err != nil {
		return o.err
	}
	return json.Unmarshal([]byte(o.answer), out)
}

func TestAwaitsPayment(t *testing.T) {
	id := uuid.MustParse("0195942a-3c48-7000-8000-000000000004")
	states := map[string]bool{
		`"status":"created","payment_status":"failed"`:          true,
		`"status":"created","payment_status":"pending"`:         true,
		`"status":"created","payment_status":"requires_action"`: true,
		`"status":"created"`:                                    true,
		`"status":"created","payment_status":"captured"`:        false,
		`"status":"created","payment_status":"voided"`:          false,
		`"status":"confirmed","payment_status":"captured"`:      false,
		`"status":"cancelled","payment_status":"failed"`:        false,
		`"status":"placing"`:                                    false,
		`"status":"unknown"`:                                    false,
	}
	for state, want := range states {
		client := orders.New(order{answer: `{"orders":[{"order_id":"` + id.String() + `",` + state + `}]}`}, time.Second)
		got, err := client.AwaitsPayment(t.Context(), id)
		if err != nil || got != want {
			t.Errorf("%s: got %v, want %v, error %v", state, got, want, err)
		}
	}
}

func TestAwaitsPaymentWithoutAnAnswer(t *testing.T) {
	for name, o := range map[string]order{"away": {err: errors.New("away")}, "another": {answer: `{"orders":[]}`}} {
		if got, err := orders.New(o, time.Second).AwaitsPayment(t.Context(), uuid.New()); err == nil || got {
			t.Errorf("%s: got %v, error %v", name, got, err)
		}
	}
}
