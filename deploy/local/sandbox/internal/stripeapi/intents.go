package stripeapi

import (
	"regexp"
	"strings"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
)

// currency is an ISO code as Stripe takes it.
var currency = regexp.MustCompile(`^[a-zA-Z]{3}$`)

func createIntent(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	i, refused := newIntent(tx, q)
	if refused != nil {
		return nil, refused
	}
	if q.str("payment_method") == "" && q.str("confirm") == "true" {
		return nil, ledger.Invalid("parameter_missing", "payment_method", "You cannot confirm a PaymentIntent as you create it without a payment_method.")
	}
	if i, refused = setMethod(tx, q, i); refused != nil {
		return nil, refused
	}
	tx.PutIntent(i)
	if q.str("confirm") == "true" {
		return confirm(tx, q, i)
	}
	return viewer{tx: tx, base: q.baseURL, expand: q.expands}.intent(i), nil
}

// newIntent checks the parameters that an intent keeps.
func newIntent(tx *ledger.Tx, q *request) (ledger.Intent, *ledger.Error) {
	var none ledger.Intent
	for _, name := range []string{"amount", "currency"} {
		if q.str(name) == "" {
			return none, ledger.Invalid("parameter_missing", name, "Missing required param: %s.", name)
		}
	}
	amount, refused := q.integer("amount", 0)
	if refused != nil {
		return none, refused
	}
	code := strings.ToLower(q.str("currency"))
	if !currency.MatchString(code) {
		return none, ledger.Invalid("", "currency", "Invalid currency: %s.", code)
	}
	if refused := ledger.CheckAmount(amount, code); refused != nil {
		return none, refused
	}
	capture, refused := q.oneOf("capture_method", "automatic_async", "automatic", "manual")
	if refused != nil {
		return none, refused
	}
	metadata, refused := q.metadata()
	if refused != nil {
		return none, refused
	}
	if refused := knownCustomer(tx, q.str("customer")); refused != nil {
		return none, refused
	}
	id := tx.NewID("pi")
	return ledger.Intent{
		ID: id, Secret: id + "_" + tx.NewID("secret"), Amount: amount, Currency: code, CaptureMethod: capture, Status: ledger.RequiresPaymentMethod,
		Customer: q.str("customer"), Description: q.str("description"), ReceiptEmail: q.str("receipt_email"), Suffix: q.str("statement_descriptor_suffix"),
		SetupUsage: q.str("setup_future_usage"), ReturnURL: q.str("return_url"), Metadata: ledger.MergeMetadata(nil, metadata),
		Created: tx.Now().Unix(), Key: q.key, APIVersion: q.version,
	}, nil
}

// setMethod takes the payment_method of a request, if it has one.
func setMethod(tx *ledger.Tx, q *request, i ledger.Intent) (ledger.Intent, *ledger.Error) {
	id := q.str("payment_method")
	if id == "" {
		return i, nil
	}
	m, refused := tx.ResolveMethod(id, "payment_method")
	if refused != nil {
		return i, refused
	}
	return i.SetMethod(m)
}

func knownCustomer(tx *ledger.Tx, id string) *ledger.Error {
	if id == "" {
		return nil
	}
	if c, ok := tx.Customer(id); !ok || c.Deleted {
		return ledger.Missing("customer", id, "customer")
	}
	return nil
}

func getIntent(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	i, ok := tx.Intent(q.id)
	if !ok {
		return nil, ledger.Missing("payment_intent", q.id, "intent")
	}
	return viewer{tx: tx, base: q.baseURL, expand: q.expands}.intent(i), nil
}

func updateIntent(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	i, ok := tx.Intent(q.id)
	if !ok {
		return nil, ledger.Missing("payment_intent", q.id, "intent")
	}
	metadata, refused := q.metadata()
	if refused != nil {
		return nil, refused
	}
	i.Metadata = ledger.MergeMetadata(i.Metadata, metadata)
	if d := q.str("description"); d != "" {
		i.Description = d
	}
	if i, refused = setMethod(tx, q, i); refused != nil {
		return nil, refused
	}
	amount, refused := q.integer("amount", i.Amount)
	if refused == nil {
		refused = ledger.CheckAmount(amount, i.Currency)
	}
	if refused != nil {
		return nil, refused
	}
	if i, refused = i.SetAmount(amount); refused != nil {
		return nil, refused
	}
	tx.PutIntent(i)
	return viewer{tx: tx, base: q.baseURL, expand: q.expands}.intent(i), nil
}

func confirmIntent(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	i, ok := tx.Intent(q.id)
	if !ok {
		return nil, ledger.Missing("payment_intent", q.id, "intent")
	}
	var refused *ledger.Error
	if i.Open() { // else the confirmation itself says why not
		if i, refused = setMethod(tx, q, i); refused != nil {
			return nil, refused
		}
	}
	return confirm(tx, q, i)
}

// confirm tries to pay and stages what came of it, a decline included.
func confirm(tx *ledger.Tx, q *request, i ledger.Intent) (any, *ledger.Error) {
	if url := q.str("return_url"); url != "" {
		i.ReturnURL = url
	}
	if m, ok := tx.Method(i.Method); ok {
		q.fault = m.Card.Fault()
		if q.fault == ledger.FaultAway {
			return nil, &ledger.Error{Status: 500, Type: "api_error", Message: "An unknown error occurred."}
		}
	}
	offSession := q.str("off_session") != "" && q.str("off_session") != "false"
	i, refused := tx.Confirm(i, offSession)
	if refused != nil && refused.Type != "card_error" {
		q.fault = ""
		return nil, refused
	}
	tx.PutIntent(i)
	w := viewer{tx: tx, base: q.baseURL}
	announceIntent(tx, q, w, i)
	if refused != nil {
		return nil, refused
	}
	w.expand = q.expands
	return w.intent(i), nil
}

// announceIntent stages the event that belongs to the status which an attempt led to.
func announceIntent(tx *ledger.Tx, q *request, w viewer, i ledger.Intent) {
	kind := map[string]string{
		ledger.Succeeded:             "payment_intent.succeeded",
		ledger.RequiresPaymentMethod: "payment_intent.payment_failed",
		ledger.RequiresAction:        "payment_intent.requires_action",
		ledger.RequiresCapture:       "payment_intent.amount_capturable_updated",
		ledger.Canceled:              "payment_intent.canceled",
	}[i.Status]
	emit(tx, q, kind, i.APIVersion, w.intent(i))
}

func captureIntent(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	i, ok := tx.Intent(q.id)
	if !ok {
		return nil, ledger.Missing("payment_intent", q.id, "intent")
	}
	amount, refused := q.integer("amount_to_capture", i.Capturable)
	if refused != nil {
		return nil, refused
	}
	if i, refused = i.Capture(amount); refused != nil {
		return nil, refused
	}
	return finished(tx, q, i)
}

func cancelIntent(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	i, ok := tx.Intent(q.id)
	if !ok {
		return nil, ledger.Missing("payment_intent", q.id, "intent")
	}
	reason, refused := q.oneOf("cancellation_reason", "", "duplicate", "fraudulent", "requested_by_customer", "abandoned")
	if refused != nil {
		return nil, refused
	}
	if i, refused = tx.Cancel(i, reason); refused != nil {
		return nil, refused
	}
	return finished(tx, q, i)
}

// finished stages an intent that has come to an end, with its event.
func finished(tx *ledger.Tx, q *request, i ledger.Intent) (any, *ledger.Error) {
	tx.PutIntent(i)
	w := viewer{tx: tx, base: q.baseURL}
	announceIntent(tx, q, w, i)
	w.expand = q.expands
	return w.intent(i), nil
}

func getCharge(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	i, ok := tx.IntentOfCharge(q.id)
	if !ok {
		return nil, ledger.Missing("charge", q.id, "id")
	}
	return viewCharge(i), nil
}
