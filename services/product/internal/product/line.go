package product

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/money"
)

// ImportRow is a line of an import, read and checked by itself.
type ImportRow struct {
	Line     int64 // from 1
	SKU      string
	Change   Change
	Category []string // a path of names; nil leaves the category as it is
	Quantity *int64   // what is on the shelf now; nil leaves it as it is
}

// errLine refuses a line that cannot be read.
var errLine = fault.New(fault.Invalid, "malformed_line", "The line is not a JSON object of an import line.")

// importLine is a line as it is written.
type importLine struct {
	SKU         string          `json:"sku"`
	Name        *string         `json:"name"`
	Description *string         `json:"description"`
	Category    categoryPath    `json:"category"`
	Brand       *string         `json:"brand"`
	Price       *Price          `json:"price"`
	TaxClass    *string         `json:"tax_class"`
	Attributes  *map[string]any `json:"attributes"`
	Images      *[]Image        `json:"images"`
	Status      *string         `json:"status"`
	Quantity    *int64          `json:"quantity"`
}

// categoryPath is an array of names or one string of them.
type categoryPath []string

// UnmarshalJSON implements json.Unmarshaler.
func (c *categoryPath) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*c = ParsePath(one)
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(c))
}

// Price is a money that a client wrote: both members, and no others.
type Price money.Money

// UnmarshalJSON implements json.Unmarshaler.
func (p *Price) UnmarshalJSON(raw []byte) error {
	var in struct {
		Amount   *int64  `json:"amount"`
		Currency *string `json:"currency"`
	}
	if err := unmarshalStrict(raw, &in); err != nil {
		return err
	}
	if in.Amount == nil || in.Currency == nil {
		return errors.New("price needs amount and currency")
	}
	*p = Price{Amount: *in.Amount, Currency: *in.Currency}
	return nil
}

func unmarshalStrict(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// UnmarshalJSON takes an object or only the URL.
func (im *Image) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, &im.URL) == nil {
		return nil
	}
	var object struct {
		URL string `json:"url"`
		Alt string `json:"alt"`
	}
	if err := unmarshalStrict(raw, &object); err != nil {
		return err
	}
	*im = Image(object)
	return nil
}

// parseLine reads one line strictly: an unknown field is more likely a mistake
// than a wish to be ignored.
func parseLine(number int64, raw []byte) (ImportRow, error) {
	var in importLine
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return ImportRow{}, lineFault(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return ImportRow{}, errLine
	}
	var bad problems
	bad.sku(in.SKU)
	if in.Quantity != nil && (*in.Quantity < 0 || *in.Quantity >= money.Limit) {
		bad.add("quantity", "out_of_range", "0 or more")
	}
	for _, name := range in.Category {
		bad.text("category", name, 1, maxName)
	}
	if len(in.Category) > maxDepth {
		bad.add("category", "too_deep", "at most 20 levels")
	}
	row := ImportRow{Line: number, SKU: in.SKU, Category: in.Category, Quantity: in.Quantity, Change: Change{
		Name: in.Name, Description: in.Description, Brand: in.Brand, Price: (*money.Money)(in.Price), TaxClass: in.TaxClass,
		Attributes: in.Attributes, Images: in.Images, Status: in.Status}}
	if len(row.Category) == 0 {
		row.Category = nil
	}
	return row, bad.fault()
}

func lineFault(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return ErrInvalid.Naming(fault.Field{Field: wrongType.Field, Code: "wrong_type", Detail: "must be " + wrongType.Type.Kind().String()})
	}
	// encoding/json has no type for this error.
	if name, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		return fault.New(fault.Invalid, "unknown_field", fmt.Sprintf("The field %s is not known here.", name))
	}
	return errLine
}

// LineError says why a line was not taken.
type LineError struct {
	Line   int64
	Code   string
	Detail string
}

func lineError(line int64, err error) LineError {
	var f *fault.Error
	if !errors.As(err, &f) {
		return LineError{Line: line, Code: "not_stored", Detail: "The line could not be stored."}
	}
	detail := f.Detail
	if len(f.Fields) > 0 {
		parts := make([]string, len(f.Fields))
		for i, field := range f.Fields {
			parts[i] = field.Field + ": " + field.Detail
		}
		detail = strings.Join(parts, "; ")
	}
	return LineError{Line: line, Code: f.Code, Detail: detail}
}
