package stripeapi

import "github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"

// createMethod takes a token, or one of the well-known test card numbers. Any
// other number is refused unread: real cards have no business here.
func createMethod(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	if kind := q.str("type"); kind != "card" {
		return nil, ledger.Invalid("", "type", "The sandbox knows payment methods of type card alone.")
	}
	token := q.str("card[token]")
	if number := q.str("card[number]"); number != "" {
		known, ok := ledger.TokenOfNumber(number)
		if !ok {
			return nil, &ledger.Error{Status: 402, Type: "card_error", Code: "incorrect_number", Param: "card[number]", Message: "Your card number is incorrect."}
		}
		token = known
	}
	if token == "" {
		return nil, ledger.Invalid("parameter_missing", "card", "Missing required param: card.")
	}
	m, refused := tx.ResolveMethod(token, "card[token]")
	if refused != nil {
		return nil, refused
	}
	if m.Metadata, refused = q.metadata(); refused != nil {
		return nil, refused
	}
	tx.PutMethod(m)
	return viewMethod(m), nil
}

func getMethod(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	m, refused := tx.ResolveMethod(q.id, "id")
	if refused != nil {
		return nil, refused
	}
	return viewMethod(m), nil
}

func attachMethod(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	customer := q.str("customer")
	if customer == "" {
		return nil, ledger.Invalid("parameter_missing", "customer", "Missing required param: customer.")
	}
	if refused := knownCustomer(tx, customer); refused != nil {
		return nil, refused
	}
	m, refused := tx.ResolveMethod(q.id, "id")
	if refused != nil {
		return nil, refused
	}
	if m, refused = m.Attach(customer); refused != nil {
		return nil, refused
	}
	tx.PutMethod(m)
	return viewMethod(m), nil
}

func detachMethod(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	m, ok := tx.Method(q.id)
	if !ok {
		return nil, ledger.Missing("PaymentMethod", q.id, "id")
	}
	m, refused := m.Detach()
	if refused != nil {
		return nil, refused
	}
	tx.PutMethod(m)
	return viewMethod(m), nil
}

func createCustomer(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	metadata, refused := q.metadata()
	if refused != nil {
		return nil, refused
	}
	c := ledger.Customer{
		ID: tx.NewID("cus"), Description: q.str("description"), Email: q.str("email"), Name: q.str("name"),
		Metadata: ledger.MergeMetadata(nil, metadata), Created: tx.Now().Unix(),
	}
	tx.PutCustomer(c)
	return viewCustomer(c), nil
}

func getCustomer(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	c, ok := tx.Customer(q.id)
	if !ok {
		return nil, ledger.Missing("customer", q.id, "id")
	}
	return viewCustomer(c), nil
}

// deleteCustomer forgets the person and detaches the cards.
func deleteCustomer(tx *ledger.Tx, q *request) (any, *ledger.Error) {
	c, ok := tx.Customer(q.id)
	if !ok || c.Deleted {
		return nil, ledger.Missing("customer", q.id, "id")
	}
	var attached []ledger.Method
	tx.Methods(func(m ledger.Method) bool {
		if m.Customer == c.ID {
			attached = append(attached, m)
		}
		return true
	})
	for _, m := range attached {
		m, refused := m.Detach()
		if refused != nil {
			return nil, refused
		}
		tx.PutMethod(m)
	}
	tx.PutCustomer(ledger.Customer{ID: c.ID, Created: c.Created, Deleted: true})
	return map[string]any{"id": c.ID, "object": "customer", "deleted": true}, nil
}
