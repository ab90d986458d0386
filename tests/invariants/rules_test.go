package invariants

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caravan-shop/caravan/tests/shop"
)

// sound gives the books of one shipped and one cancelled order, without fault.
func sound() *books {
	event := func(id, topic, key, source, data string) shop.Record {
		return shop.Record{Topic: topic, Key: key, ID: id, Source: source, Data: json.RawMessage(data)}
	}
	told := `{"order_id":"o1","totals":{"total":{"amount":240}},"sequence":1}`
	told2 := `{"order_id":"o2","totals":{"total":{"amount":240}},"sequence":1}`
	b := &books{
		orders: []orderRow{
			{ID: "o1", UserID: "u", Status: "shipped", Payment: "partially_refunded", Stock: "shipped", Subtotal: 200, Tax: 40, Total: 240, Captured: 240, Refunded: 100, Length: 3},
			{ID: "o2", UserID: "u", Status: "cancelled", Payment: "refunded", Stock: "released", Subtotal: 200, Tax: 40, Total: 240, Captured: 240, Refunded: 240, Length: 2},
		},
		items: group([]itemRow{{"o1", "p", 2, 100, 200}, {"o2", "p", 2, 100, 200}}, func(r itemRow) string { return r.Order }),
		history: group([]stepRow{{"o1", 1, "", "created"}, {"o1", 2, "created", "confirmed"}, {"o1", 3, "confirmed", "shipped"},
			{"o2", 1, "", "created"}, {"o2", 2, "created", "cancelled"}}, func(r stepRow) string { return r.Order }),
		checkouts: []checkoutRow{{"o1", "u", "k1", "placed"}, {"o2", "u", "k2", "placed"}, {"o3", "u", "k3", "undone"}},
		transactions: []transactionRow{{ID: "t1", Order: "o1", Status: "partially_refunded", Provider: "pi1", Amount: 240, Refunded: 100},
			{ID: "t2", Order: "o2", Status: "refunded", Provider: "pi2", Amount: 240, Refunded: 240}},
		refunds: []refundRow{{"t1", "staff", "succeeded", "re1", 100}, {"t2", "cancellation", "succeeded", "re2", 240}},
		stock:   []stockRow{{"p", 8, 0, 0}},
		movements: []movementRow{{"p", "adjust", "", 10, 0, 0}, {"p", "hold", "o1", 0, 2, 0}, {"p", "hold", "o2", 0, 2, 0}, {"p", "release", "o2", 0, -2, 0},
			{"p", "reserve", "o1", 0, -2, 2}, {"p", "ship", "o1", -2, 0, -2}},
		holds:  map[string]holdRow{"o1": {"o1", "shipped", false}, "o2": {"o2", "released", true}},
		lines:  group([]lineRow{{"o1", "p", 2, 100}, {"o2", "p", 2, 100}}, func(r lineRow) string { return r.Order }),
		outbox: map[string][]outboxRow{"order": {{"e1", "order.created", "o1", told, true}, {"e2", "order.created", "o2", told2, true}}},
		inbox:  map[string]map[string]bool{"payment": {"e1": true, "e2": true}},
		topics: []shop.Record{event("e1", "order.created", "o1", "order", told), event("e2", "order.created", "o2", "order", told2)},
	}
	_ = json.Unmarshal([]byte(`{"payment_intents":[
		{"id":"pi1","amount":240,"amount_refunded":100,"status":"succeeded","order_id":"o1","transaction_id":"t1"},
		{"id":"pi2","amount":240,"amount_refunded":240,"status":"succeeded","order_id":"o2","transaction_id":"t2"}],
		"refunds":[{"id":"re1","payment_intent":"pi1","amount":100},{"id":"re2","payment_intent":"pi2","amount":240}]}`), &b.ledger)
	return b
}

func TestSoundBooksHold(t *testing.T) {
	if r := sound().audit([]string{"o1", "o2"}); len(r.Violations()) > 0 {
		t.Errorf("sound books: %s", strings.Join(r.Violations(), "\n"))
	}
}

// TestEachRuleSeesItsFault breaks one thing at a time.
func TestEachRuleSeesItsFault(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(b *books)
		want   string
	}{
		"acknowledged order lost":  {func(b *books) { b.orders = b.orders[1:] }, "1 an order that got a 2xx exists"},
		"order without a checkout": {func(b *books) { b.checkouts = b.checkouts[1:] }, "1 an order has a checkout"},
		"undone checkout holds":    {func(b *books) { b.holds["o3"] = holdRow{"o3", "held", false} }, "1 an undone checkout"},
		"two orders under a key":   {func(b *books) { b.checkouts[1].Key = "k1" }, "1 one order an idempotency key"},
		"gap in a history":         {func(b *books) { b.history["o1"][1].Sequence = 3 }, "2 an order's history"},
		"illegal step":             {func(b *books) { b.history["o1"][1].To = "delivered" }, "2 an order's history"},
		"stuck order":              {func(b *books) { b.orders[0].Status, b.orders[0].Stock = "confirmed", "held" }, "2 an order has ended"},
		"charged, not known to us": {func(b *books) { b.transactions = b.transactions[:1] }, "3 the provider's ledger"},
		"captured here alone":      {func(b *books) { b.ledger.PaymentIntents[0].Status = "canceled" }, "3 the provider's ledger"},
		"failed and chargeable": {func(b *books) {
			b.transactions[0].Status = "failed"
			b.ledger.PaymentIntents[0].Status = "requires_action"
		}, "3 the provider's ledger"},
		"refund that is not ours":     {func(b *books) { b.refunds[0].Provider = "re9" }, "3 every refund"},
		"cancelled and kept":          {func(b *books) { b.transactions[1].Refunded = 0 }, "3 captured − refunded"},
		"refunded twice by itself":    {func(b *books) { b.refunds = append(b.refunds, refundRow{"t2", "cancellation", "failed", "", 240}) }, "3 a capture that may not stand"},
		"two captures":                {func(b *books) { b.transactions[1].Order = "o1" }, "3 at most one capture"},
		"order knows other money":     {func(b *books) { b.orders[0].Refunded = 0 }, "3 order and payment agree"},
		"oversold":                    {func(b *books) { b.movements[0].OnHand, b.stock[0].OnHand = 3, 1 }, "4 available, held and reserved were"},
		"counter drifts":              {func(b *books) { b.stock[0].OnHand = 9 }, "4 counters are the sums"},
		"negative now":                {func(b *books) { b.stock[0].Held = -1 }, "4 available, held and reserved are"},
		"released twice":              {func(b *books) { b.movements = append(b.movements, movementRow{"p", "release", "o2", 0, -2, 0}) }, "4 an order moved exactly"},
		"cancelled, still held":       {func(b *books) { b.holds["o2"] = holdRow{"o2", "held", false} }, "4 what is held or reserved"},
		"published before the commit": {func(b *books) { b.outbox["order"] = b.outbox["order"][:1] }, "5 nothing reached a topic"},
		"never published":             {func(b *books) { b.topics = b.topics[1:] }, "5 each outbox row"},
		"never taken":                 {func(b *books) { delete(b.inbox["payment"], "e1") }, "5 each event was taken in"},
		"gap in a sequence":           {func(b *books) { b.topics[0].Data = json.RawMessage(`{"sequence":2}`) }, "5 the sequence of each key"},
		"totals do not add up":        {func(b *books) { b.orders[0].Shipping = 1 }, "6 Σ lines"},
		"another price":               {func(b *books) { b.lines["o1"][0].Price = 99 }, "6 an order's lines"},
	} {
		t.Run(name, func(t *testing.T) {
			b := sound()
			c.breaks(b)
			for _, v := range b.audit([]string{"o1", "o2"}).Violations() {
				if strings.HasPrefix(v, c.want) {
					return
				}
			}
			t.Errorf("not seen: %s", c.want)
		})
	}
}
