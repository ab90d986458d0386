package tests

import (
	"strings"
	"testing"

	"github.com/caravan-shop/caravan/tests/flashsale"
)

// TestFlashSale is a launch in small: the whole checkout, for six times as many
// buyers as there are units. `make bench BENCH="-what flash"` is the large one.
func TestFlashSale(t *testing.T) {
	ctx := within(t)
	sale, err := flashsale.Open(ctx, w.stack, w.staff, 50, 300)
	if err != nil {
		t.Fatal(err)
	}
	out, err := sale.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("all knew after %s, all orders were confirmed and reserved after %s; asked again: %v", out.Answered, out.Settled, out.Again)
	wrong, err := sale.Check(ctx, out)
	if err != nil {
		t.Fatal(err)
	}
	if len(wrong) > 0 {
		t.Error(strings.Join(wrong, "\n"))
	}
}
