package stripeapi

import "github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"

// The objects as Stripe writes them, with the fields that a shop reads. A pointer
// is null where Stripe says null.

type intentView struct {
	ID                 string            `json:"id"`
	Object             string            `json:"object"`
	Amount             int64             `json:"amount"`
	AmountCapturable   int64             `json:"amount_capturable"`
	AmountReceived     int64             `json:"amount_received"`
	CanceledAt         *int64            `json:"canceled_at"`
	CancellationReason *string           `json:"cancellation_reason"`
	CaptureMethod      string            `json:"capture_method"`
	ClientSecret       string            `json:"client_secret"`
	ConfirmationMethod string            `json:"confirmation_method"`
	Created            int64             `json:"created"`
	Currency           string            `json:"currency"`
	Customer           any               `json:"customer"`
	Description        *string           `json:"description"`
	LastPaymentError   *errorBody        `json:"last_payment_error"`
	LatestCharge       any               `json:"latest_charge"`
	Livemode           bool              `json:"livemode"`
	Metadata           map[string]string `json:"metadata"`
	NextAction         *nextAction       `json:"next_action"`
	PaymentMethod      any               `json:"payment_method"`
	PaymentMethodTypes []string          `json:"payment_method_types"`
	ReceiptEmail       *string           `json:"receipt_email"`
	SetupFutureUsage   *string           `json:"setup_future_usage"`
	Suffix             *string           `json:"statement_descriptor_suffix"`
	Status             string            `json:"status"`
}

type nextAction struct {
	Type     string     `json:"type"`
	Redirect redirectTo `json:"redirect_to_url"`
}

type redirectTo struct {
	URL       string  `json:"url"`
	ReturnURL *string `json:"return_url"`
}

type chargeView struct {
	ID                   string            `json:"id"`
	Object               string            `json:"object"`
	Amount               int64             `json:"amount"`
	AmountCaptured       int64             `json:"amount_captured"`
	AmountRefunded       int64             `json:"amount_refunded"`
	Captured             bool              `json:"captured"`
	Created              int64             `json:"created"`
	Currency             string            `json:"currency"`
	Customer             *string           `json:"customer"`
	FailureCode          *string           `json:"failure_code"`
	FailureMessage       *string           `json:"failure_message"`
	Livemode             bool              `json:"livemode"`
	Metadata             map[string]string `json:"metadata"`
	Outcome              outcome           `json:"outcome"`
	Paid                 bool              `json:"paid"`
	PaymentIntent        string            `json:"payment_intent"`
	PaymentMethod        string            `json:"payment_method"`
	PaymentMethodDetails methodDetails     `json:"payment_method_details"`
	Refunded             bool              `json:"refunded"`
	Status               string            `json:"status"`
}

type outcome struct {
	NetworkStatus string  `json:"network_status"`
	Reason        *string `json:"reason"`
	Type          string  `json:"type"`
}

type methodDetails struct {
	Type string   `json:"type"`
	Card cardView `json:"card"`
}

type cardView struct {
	Brand        string `json:"brand"`
	Country      string `json:"country"`
	DisplayBrand string `json:"display_brand,omitempty"`
	ExpMonth     int    `json:"exp_month"`
	ExpYear      int    `json:"exp_year"`
	Fingerprint  string `json:"fingerprint"`
	Funding      string `json:"funding"`
	Last4        string `json:"last4"`
}

type methodView struct {
	ID             string            `json:"id"`
	Object         string            `json:"object"`
	BillingDetails struct{}          `json:"billing_details"`
	Card           cardView          `json:"card"`
	Created        int64             `json:"created"`
	Customer       *string           `json:"customer"`
	Livemode       bool              `json:"livemode"`
	Metadata       map[string]string `json:"metadata"`
	Type           string            `json:"type"`
}

type refundView struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Amount        int64             `json:"amount"`
	Charge        any               `json:"charge"`
	Created       int64             `json:"created"`
	Currency      string            `json:"currency"`
	FailureReason string            `json:"failure_reason,omitempty"`
	Metadata      map[string]string `json:"metadata"`
	PaymentIntent any               `json:"payment_intent"`
	Reason        *string           `json:"reason"`
	Status        string            `json:"status"`
}

type customerView struct {
	ID          string            `json:"id"`
	Object      string            `json:"object"`
	Created     int64             `json:"created"`
	Deleted     bool              `json:"deleted,omitempty"`
	Description *string           `json:"description"`
	Email       *string           `json:"email"`
	Livemode    bool              `json:"livemode"`
	Metadata    map[string]string `json:"metadata"`
	Name        *string           `json:"name"`
}

type listView struct {
	Object   string  `json:"object"`
	URL      string  `json:"url"`
	HasMore  bool    `json:"has_more"`
	NextPage *string `json:"next_page,omitempty"`
	Data     []any   `json:"data"`
}

type errorView struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Charge        string      `json:"charge,omitempty"`
	Code          string      `json:"code,omitempty"`
	DeclineCode   string      `json:"decline_code,omitempty"`
	DocURL        string      `json:"doc_url,omitempty"`
	Message       string      `json:"message"`
	Param         string      `json:"param,omitempty"`
	PaymentIntent *intentView `json:"payment_intent,omitempty"`
	PaymentMethod *methodView `json:"payment_method,omitempty"`
	Type          string      `json:"type"`
}

// orNull is null for the zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// orEmpty is {} where nothing was set.
func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func viewCard(c ledger.Card) cardView {
	return cardView{
		Brand: c.Brand, Country: c.Country, DisplayBrand: displayBrand(c.Brand), ExpMonth: c.ExpMonth, ExpYear: c.ExpYear,
		Fingerprint: "sandbox" + c.Brand + c.Last4, Funding: c.Funding, Last4: c.Last4,
	}
}

func displayBrand(brand string) string {
	switch brand {
	case "amex":
		return "american_express"
	case "diners":
		return "diners_club"
	case "unionpay":
		return "union_pay"
	}
	return brand
}

func viewMethod(m ledger.Method) methodView {
	return methodView{
		ID: m.ID, Object: "payment_method", Card: viewCard(m.Card), Created: m.Created, Customer: orNull(m.Customer), Metadata: orEmpty(m.Metadata), Type: "card",
	}
}

func viewCustomer(c ledger.Customer) customerView {
	return customerView{
		ID: c.ID, Object: "customer", Created: c.Created, Deleted: c.Deleted, Description: orNull(c.Description), Email: orNull(c.Email),
		Metadata: orEmpty(c.Metadata), Name: orNull(c.Name),
	}
}

// refusal renders an error.
func (w viewer) refusal(e *ledger.Error) errorView {
	body := errorBody{Charge: e.Charge, Code: e.Code, DeclineCode: e.DeclineCode, Message: e.Message, Param: e.Param, Type: e.Type}
	if e.Code != "" {
		body.DocURL = "https://stripe.com/docs/error-codes/" + e.Code
	}
	if e.Intent != nil {
		v := w.intent(*e.Intent)
		body.PaymentIntent = &v
	}
	if e.Method != nil {
		v := viewMethod(*e.Method)
		body.PaymentMethod = &v
	}
	return errorView{Error: body}
}
