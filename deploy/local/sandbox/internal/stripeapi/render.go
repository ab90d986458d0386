package stripeapi

import (
	"encoding/json"
	"slices"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
)

// viewer renders objects within one transaction.
type viewer struct {
	tx   *ledger.Tx
	base string // this server's URL
	// expand says which ids the request wants as objects; nil is none.
	expand func(path string) bool
}

// intent renders a payment intent.
func (w viewer) intent(i ledger.Intent) intentView {
	v := intentView{
		ID: i.ID, Object: "payment_intent", Amount: i.Amount, AmountCapturable: i.Capturable, AmountReceived: i.Received,
		CanceledAt: orNull(i.CanceledAt), CancellationReason: orNull(i.CancelReason), CaptureMethod: i.CaptureMethod, ClientSecret: i.Secret,
		ConfirmationMethod: "automatic", Created: i.Created, Currency: i.Currency, Customer: orNull(i.Customer), Description: orNull(i.Description),
		LatestCharge: nil, Metadata: orEmpty(i.Metadata), PaymentMethod: orNull(i.Method), PaymentMethodTypes: []string{"card"},
		ReceiptEmail: orNull(i.ReceiptEmail), SetupFutureUsage: orNull(i.SetupUsage), Suffix: orNull(i.Suffix), Status: i.Status,
	}
	if i.Charge != nil {
		v.LatestCharge = i.Charge.ID
	}
	if i.LastError != nil {
		v.LastPaymentError = w.lastError(i.LastError)
	}
	if i.Status == ledger.RequiresAction {
		v.NextAction = &nextAction{Type: "redirect_to_url", Redirect: redirectTo{URL: w.base + "/3ds/" + i.ID, ReturnURL: orNull(i.ReturnURL)}}
	}
	if w.expand == nil {
		return v
	}
	if i.Charge != nil && w.expand("latest_charge") {
		v.LatestCharge = viewCharge(i)
	}
	if m, ok := w.tx.Method(i.Method); ok && w.expand("payment_method") {
		v.PaymentMethod = viewMethod(m)
	}
	if c, ok := w.tx.Customer(i.Customer); ok && w.expand("customer") {
		v.Customer = viewCustomer(c)
	}
	return v
}

// lastError shows the method of the failed attempt, which the intent no longer has.
func (w viewer) lastError(d *ledger.Decline) *errorBody {
	body := errorBody{Charge: d.Charge, Code: d.Code, DeclineCode: d.DeclineCode, DocURL: "https://stripe.com/docs/error-codes/" + d.Code, Message: d.Message, Type: "card_error"}
	if m, ok := w.tx.Method(d.Method); ok {
		v := viewMethod(m)
		body.PaymentMethod = &v
	}
	return &body
}

// viewCharge renders an intent's latest charge.
func viewCharge(i ledger.Intent) chargeView {
	c := i.Charge
	v := chargeView{
		ID: c.ID, Object: "charge", Amount: c.Amount, Captured: c.Captured, Created: c.Created, Currency: i.Currency, Customer: orNull(i.Customer),
		Metadata: orEmpty(i.Metadata), Outcome: outcome{NetworkStatus: "approved_by_network", Type: "authorized"}, Paid: true,
		PaymentIntent: i.ID, PaymentMethod: c.Method, PaymentMethodDetails: methodDetails{Type: "card", Card: viewCard(c.Card)}, Status: "succeeded",
	}
	v.PaymentMethodDetails.Card.DisplayBrand = ""
	if c.Captured {
		v.AmountCaptured, v.AmountRefunded = i.Received, i.Refunded
		v.Refunded = i.Refunded > 0 && i.Refunded == i.Received
	}
	if d := c.Decline; d != nil {
		v.Paid, v.Status = false, "failed"
		v.FailureCode, v.FailureMessage = orNull(d.Code), orNull(d.Message)
		v.Outcome = outcome{NetworkStatus: "declined_by_network", Reason: orNull(d.DeclineCode), Type: "issuer_declined"}
	}
	return v
}

// refund renders a refund.
func (w viewer) refund(r ledger.Refund) refundView {
	v := refundView{
		ID: r.ID, Object: "refund", Amount: r.Amount, Charge: r.Charge, Created: r.Created, Currency: r.Currency, FailureReason: r.FailureReason,
		Metadata: orEmpty(r.Metadata), PaymentIntent: r.Intent, Reason: orNull(r.Reason), Status: r.Status,
	}
	if w.expand == nil {
		return v
	}
	if i, ok := w.tx.Intent(r.Intent); ok {
		if w.expand("payment_intent") {
			v.PaymentIntent = viewer{tx: w.tx, base: w.base}.intent(i)
		}
		if w.expand("charge") {
			v.Charge = viewCharge(i)
		}
	}
	return v
}

// page cuts Stripe's kind of page out of a list that is newest first.
func page[T any](q *request, url string, items []T, idOf func(T) string, view func(T) any) (any, *ledger.Error) {
	limit, refused := q.integer("limit", 10)
	if refused != nil {
		return nil, refused
	}
	if limit < 1 || limit > 100 {
		return nil, ledger.Invalid("parameter_invalid_integer", "limit", "This value must be between 1 and 100.")
	}
	backwards := false
	if after := q.str("starting_after"); after != "" {
		at := slices.IndexFunc(items, func(t T) bool { return idOf(t) == after })
		if at < 0 {
			return nil, ledger.Invalid("resource_missing", "starting_after", "No such object: '%s'", after)
		}
		items = items[at+1:]
	} else if before := q.str("ending_before"); before != "" {
		at := slices.IndexFunc(items, func(t T) bool { return idOf(t) == before })
		if at < 0 {
			return nil, ledger.Invalid("resource_missing", "ending_before", "No such object: '%s'", before)
		}
		items, backwards = items[:at], true
	}
	list := listView{Object: "list", URL: url, Data: []any{}, HasMore: int64(len(items)) > limit}
	if list.HasMore && backwards {
		items = items[int64(len(items))-limit:]
	} else if list.HasMore {
		items = items[:limit]
	}
	for _, t := range items {
		list.Data = append(list.Data, view(t))
	}
	return list, nil
}

// within is expand of list members.
func (q *request) within(path string) bool { return q.expands("data." + path) }

// emit stages an event about an object. The request is nil where none caused it.
func emit(tx *ledger.Tx, q *request, kind, version string, object any) {
	id := tx.NewID("evt")
	if q == nil {
		q = &request{}
	}
	if version == "" {
		version = apiVersion
	}
	payload, err := json.Marshal(map[string]any{
		"id": id, "object": "event", "api_version": version, "created": tx.Now().Unix(), "livemode": false, "pending_webhooks": 1, "type": kind,
		"data":    map[string]any{"object": object},
		"request": map[string]any{"id": orNull(q.reqID), "idempotency_key": orNull(q.key)},
	})
	if err != nil {
		panic(err) // plain structs and strings
	}
	tx.Emit(ledger.Event{ID: id, Type: kind, Payload: string(payload)})
}
