package ledger

// Card is what is known of a test card. No number is ever kept.
type Card struct {
	Brand    string `json:"brand"`
	Last4    string `json:"last4"`
	ExpMonth int    `json:"exp_month"`
	ExpYear  int    `json:"exp_year"`
	Funding  string `json:"funding"`
	Country  string `json:"country"`
	// Token is the test token that the card came from; it says how the card behaves.
	Token string `json:"token"`
}

// Method is a payment method. One that was used without a customer, or was
// detached from its customer, cannot be used again.
type Method struct {
	ID       string            `json:"id"`
	Card     Card              `json:"card"`
	Customer string            `json:"customer,omitempty"`
	Spent    bool              `json:"spent,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Created  int64             `json:"created"`
}

// Customer is the least that payment methods can be attached to.
type Customer struct {
	ID          string            `json:"id"`
	Description string            `json:"description,omitempty"`
	Email       string            `json:"email,omitempty"`
	Name        string            `json:"name,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Created     int64             `json:"created"`
	Deleted     bool              `json:"deleted,omitempty"`
}

// spentMessage is Stripe's.
const spentMessage = "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, " +
	"or was detached from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first."

// ResolveMethod returns the payment method of an id. A test token makes a new one
// each time, as at Stripe, staged with the change that uses it.
func (tx *Tx) ResolveMethod(id, param string) (Method, *Error) {
	if m, ok := tx.Method(id); ok {
		return m, nil
	}
	card, ok := testCard(id, tx.Now())
	if !ok {
		return Method{}, Missing("PaymentMethod", id, param)
	}
	m := Method{ID: tx.NewID("pm"), Card: card, Created: tx.Now().Unix()}
	tx.PutMethod(m)
	return m, nil
}

// Attach ties a method to a customer. The issuer is asked, so a card that is
// always declined cannot be attached.
func (m Method) Attach(customer string) (Method, *Error) {
	switch {
	case m.Customer == customer:
		return m, nil
	case m.Customer != "":
		return m, Invalid("", "", "The payment method you provided has already been attached to a customer.")
	case m.Spent:
		return m, Invalid("", "", spentMessage)
	}
	b := behaviourOf(m.Card.Token)
	if b.decline != nil && !b.authenticate && !b.attachable {
		err := b.decline.asError()
		err.Method, err.Executed = &m, true
		return m, err
	}
	m.Customer = customer
	return m, nil
}

// Detach unties a method for good.
func (m Method) Detach() (Method, *Error) {
	if m.Customer == "" {
		return m, Invalid("", "", "The payment method you provided is not attached to a customer so detachment is impossible.")
	}
	m.Customer, m.Spent = "", true
	return m, nil
}

// usableFor reports whether an intent of that customer may be paid with the method.
func (m Method) usableFor(customer string) *Error {
	switch {
	case m.Spent:
		return Invalid("", "", spentMessage)
	case m.Customer != "" && customer == "":
		return Invalid("", "", "The PaymentMethod you provided (%s) is attached to a customer so for security purposes you must provide the customer in the request.", m.ID)
	case m.Customer != "" && m.Customer != customer:
		return Invalid("", "", "The customer does not have a payment method with the ID %s. The payment method must be attached to the customer.", m.ID)
	}
	return nil
}
