package stripeapi

import "github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"

func createRefund(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	i, refused := refundedIntent(tx, q)
	if refused != nil {
		return nil, refused
	}
	amount, refused := q.integer("amount", 0)
	if refused == nil && q.str("amount") != "" && amount < 1 {
		refused = ledger.Invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	}
	if refused != nil {
		return nil, refused
	}
	reason, refused := q.oneOf("reason", "", "duplicate", "fraudulent", "requested_by_customer")
	if refused != nil {
		return nil, refused
	}
	metadata, refused := q.metadata()
	if refused != nil {
		return nil, refused
	}
	i, r, refused := tx.NewRefund(i, amount, reason, metadata, q.key)
	if refused != nil {
		return nil, refused
	}
	tx.PutIntent(i)
	tx.PutRefund(r)
	w := viewer{tx: tx, base: q.baseURL}
	emit(tx, q, "refund.created", i.APIVersion, w.refund(r))
	emit(tx, q, "charge.refunded", i.APIVersion, viewCharge(i))
	w.expand = q.expands
	return w.refund(r), nil
}

// refundedIntent finds the payment by intent or by charge.
func refundedIntent(tx *ledger.Tx, q *request) (ledger.Intent, *ledger.Error) {
	if id := q.str("payment_intent"); id != "" {
		if i, ok := tx.Intent(id); ok {
			return i, nil
		}
		return ledger.Intent{}, ledger.Missing("payment_intent", id, "payment_intent")
	}
	id := q.str("charge")
	if id == "" {
		return ledger.Intent{}, ledger.Invalid("parameter_missing", "payment_intent", "One of the following params should be provided for this request: payment_intent or charge.")
	}
	if i, ok := tx.IntentOfCharge(id); ok {
		return i, nil
	}
	return ledger.Intent{}, ledger.Missing("charge", id, "charge")
}

func getRefund(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	r, ok := tx.Refund(q.id)
	if !ok {
		return nil, ledger.Missing("refund", q.id, "id")
	}
	return viewer{tx: tx, base: q.baseURL, expand: q.expands}.refund(r), nil
}

// settleRefund gives a refund its final status, once.
func settleRefund(tx *ledger.Tx, id string) {
	r, pending := tx.Refund(id)
	i, known := tx.Intent(r.Intent)
	if !pending || !known || r.Settles == "" {
		return
	}
	i, r = i.Settle(r)
	tx.PutIntent(i)
	tx.PutRefund(r)
	w := viewer{tx: tx}
	emit(tx, nil, "refund.updated", i.APIVersion, w.refund(r))
	if r.Status == ledger.RefundFailed {
		emit(tx, nil, "refund.failed", i.APIVersion, w.refund(r))
	}
}
