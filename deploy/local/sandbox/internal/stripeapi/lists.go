package stripeapi

import (
	"regexp"
	"strconv"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
)

func listIntents(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	from, refused := q.integer("created[gte]", 0)
	if refused != nil {
		return nil, refused
	}
	customer := q.str("customer")
	var found []ledger.Intent
	tx.Intents(func(i ledger.Intent) bool {
		if (customer == "" || i.Customer == customer) && i.Created >= from {
			found = append(found, i)
		}
		return true
	})
	w := viewer{tx: tx, base: q.baseURL, expand: q.within}
	return page(q, "/v1/payment_intents", found, func(i ledger.Intent) string { return i.ID }, func(i ledger.Intent) any { return w.intent(i) })
}

// clause is one term of a search: metadata['key']:'value' or field:'value'.
var clause = regexp.MustCompile(`^\s*(?:metadata\[["']([^"']+)["']\]|(status|customer|currency|amount)):\s*(?:"([^"]*)"|'([^']*)'|(\d+))\s*(?:AND\s+|$)`)

// searchIntents understands terms joined by AND, which is what finding an intent
// by its metadata takes. Unlike at Stripe, what was just written is found.
func searchIntents(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	limit, refused := q.integer("limit", 10)
	if refused != nil {
		return nil, refused
	}
	tests, refused := parseSearch(q.str("query"))
	if refused != nil {
		return nil, refused
	}
	list := listView{Object: "search_result", URL: "/v1/payment_intents/search", Data: []any{}}
	w := viewer{tx: tx, base: q.baseURL, expand: q.within}
	tx.Intents(func(i ledger.Intent) bool {
		for _, matches := range tests {
			if !matches(i) {
				return true
			}
		}
		if int64(len(list.Data)) == limit {
			list.HasMore = true
			return false
		}
		list.Data = append(list.Data, w.intent(i))
		return true
	})
	return list, nil
}

func parseSearch(query string) ([]func(ledger.Intent) bool, *ledger.Error) {
	var tests []func(ledger.Intent) bool
	for rest := query; rest != "" || tests == nil; {
		m := clause.FindStringSubmatch(rest)
		if m == nil {
			return nil, ledger.Invalid("", "query", "We were unable to parse your search query: %s", query)
		}
		rest = rest[len(m[0]):]
		key, field, want := m[1], m[2], m[3]+m[4]+m[5]
		tests = append(tests, func(i ledger.Intent) bool {
			switch field {
			case "status":
				return i.Status == want
			case "customer":
				return i.Customer == want
			case "currency":
				return i.Currency == want
			case "amount":
				return strconv.FormatInt(i.Amount, 10) == want
			}
			return i.Metadata[key] == want
		})
	}
	return tests, nil
}

func listRefunds(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	intent, charge := q.str("payment_intent"), q.str("charge")
	var found []ledger.Refund
	tx.Refunds(func(r ledger.Refund) bool {
		if (intent == "" || r.Intent == intent) && (charge == "" || r.Charge == charge) {
			found = append(found, r)
		}
		return true
	})
	w := viewer{tx: tx, base: q.baseURL, expand: q.within}
	return page(q, "/v1/refunds", found, func(r ledger.Refund) string { return r.ID }, func(r ledger.Refund) any { return w.refund(r) })
}

// listMethods lists those of one customer, named in the path or as a parameter.
func listMethods(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	customer := q.id
	if customer == "" {
		customer = q.str("customer")
	}
	if refused := knownCustomer(tx, customer); refused != nil {
		return nil, refused
	}
	var found []ledger.Method
	tx.Methods(func(m ledger.Method) bool {
		if customer != "" && m.Customer == customer {
			found = append(found, m)
		}
		return true
	})
	return page(q, "/v1/payment_methods", found, func(m ledger.Method) string { return m.ID }, func(m ledger.Method) any { return viewMethod(m) })
}
