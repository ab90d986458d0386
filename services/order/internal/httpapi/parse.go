package httpapi

import (
	"net/http"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/order/internal/checkout"
	"github.com/caravan-shop/caravan/services/order/internal/desk"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// Bounds of free text.
const (
	maxNote  = 500
	maxName  = 100
	maxToken = 255
)

var (
	errInvalid    = fault.New(fault.Invalid, "invalid_body", "Some fields of the body are not acceptable.")
	errParameter  = fault.New(fault.Malformed, "malformed_parameter", "A parameter of the query can't be read.")
	errCardNumber = fault.New(fault.Invalid, "card_number_refused", "Never send a card number: send the provider's token.")

	// cardLike is what a card number looks like, with the separators people use.
	cardLike = regexp.MustCompile(`^\d(?:[ -]?\d){11,18}$`)
)

// required refuses a body that lacks the fields marked as missing.
func required(missing map[string]bool) error {
	var fields []fault.Field
	for name, lacks := range missing {
		if lacks {
			fields = append(fields, fault.Field{Field: name, Code: "required", Detail: "must be given"})
		}
	}
	if len(fields) == 0 {
		return nil
	}
	sort.Slice(fields, func(i, j int) bool { return fields[i].Field < fields[j].Field })
	return errInvalid.Naming(fields...)
}

func (s *Server) placeRequest(in PlaceOrder) (checkout.Request, error) {
	err := required(map[string]bool{
		"shipping_address_id":     in.ShippingAddressId == uuid.Nil,
		"billing_address_id":      in.BillingAddressId == uuid.Nil,
		"expected_total.currency": in.ExpectedTotal.Currency == "",
	})
	if err != nil {
		return checkout.Request{}, err
	}
	if in.ExpectedTotal.Currency != s.currency {
		return checkout.Request{}, errInvalid.Naming(fault.Field{
			Field: "expected_total.currency", Code: "currency_unsupported", Detail: "this shop sells in " + s.currency})
	}
	means, err := meansOf(in.Payment)
	return checkout.Request{
		ShippingAddress: in.ShippingAddressId, BillingAddress: in.BillingAddressId,
		Means: means, ExpectedTotal: in.ExpectedTotal.Amount,
	}, err
}

// meansOf reads exactly one of a token and a saved method.
func meansOf(p Payment) (checkout.Means, error) {
	token := ""
	if p.Token != nil {
		token = *p.Token
	}
	switch {
	case cardLike.MatchString(strings.TrimSpace(token)):
		return checkout.Means{}, errCardNumber
	case p.SavedPaymentMethodId != nil && *p.SavedPaymentMethodId != uuid.Nil && p.Token == nil && p.Method == nil:
		return checkout.Means{SavedID: *p.SavedPaymentMethodId}, nil
	case p.SavedPaymentMethodId == nil && p.Method != nil && p.Method.Valid() && token != "" && len(token) <= maxToken:
		return checkout.Means{Token: token}, nil
	}
	return checkout.Means{}, errInvalid.Naming(fault.Field{
		Field: "payment", Code: "invalid", Detail: `either {"method":"card","token"} or {"saved_payment_method_id"}`})
}

// cancelNote reads the optional body of a cancellation.
func cancelNote(r *http.Request) (string, error) {
	if len(web.RawBody(r)) == 0 {
		return "", nil
	}
	in, err := web.Decode[CancelOrder](r)
	if err != nil || in.Reason == nil {
		return "", err
	}
	if utf8.RuneCountInString(*in.Reason) > maxNote {
		return "", errInvalid.Naming(fault.Field{Field: "reason", Code: "too_long", Detail: "at most 500 characters"})
	}
	return *in.Reason, nil
}

func shipRequest(r *http.Request) (order.Ship, error) {
	in, err := web.Decode[ShipOrder](r)
	if err != nil {
		return order.Ship{}, err
	}
	f := order.Ship{Carrier: strings.TrimSpace(in.Carrier), TrackingNumber: strings.TrimSpace(in.TrackingNumber)}
	err = required(map[string]bool{"carrier": f.Carrier == "", "tracking_number": f.TrackingNumber == ""})
	if err == nil && (utf8.RuneCountInString(f.Carrier) > maxName || utf8.RuneCountInString(f.TrackingNumber) > maxName) {
		err = errInvalid.Naming(fault.Field{Field: "carrier, tracking_number", Code: "too_long", Detail: "at most 100 characters each"})
	}
	return f, err
}

// position is what a cursor of the list holds.
type position struct {
	After uuid.UUID `json:"after"`
}

func filterOf(p desk.Person, in ListOrdersParams) (desk.Filter, error) {
	page, err := web.PageOf(in.Limit, in.Cursor)
	if err != nil {
		return desk.Filter{}, err
	}
	f := desk.Filter{Limit: page.Limit, UserID: &p.ID,
		Status: (*string)(in.Status), Payment: (*string)(in.PaymentStatus), Stock: (*string)(in.StockStatus)}
	if p.Staff {
		f.UserID = in.UserId
	}
	if page.Cursor != "" {
		var at position
		if err := web.DecodeCursor(page.Cursor, &at); err != nil {
			return desk.Filter{}, err
		}
		f.After = &at.After
	}
	if in.Number != nil {
		number, _ := order.ParseNumber(*in.Number) // a wrong one finds nothing
		f.Number = &number
	}
	return f, knownEnums(in)
}

func knownEnums(in ListOrdersParams) error {
	for name, bad := range map[string]bool{
		"status":         in.Status != nil && !in.Status.Valid(),
		"payment_status": in.PaymentStatus != nil && !in.PaymentStatus.Valid(),
		"stock_status":   in.StockStatus != nil && !in.StockStatus.Valid(),
	} {
		if bad {
			return errParameter.Naming(fault.Field{Field: name, Code: "unknown_value", Detail: "not one of the statuses"})
		}
	}
	return nil
}
