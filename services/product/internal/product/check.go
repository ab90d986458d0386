package product

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/money"
)

// ErrInvalid refuses fields that are well-formed but not acceptable.
var ErrInvalid = fault.New(fault.Invalid, "validation_failed", "Some fields are not acceptable.")

// Bounds, in bytes unless the name says otherwise.
const (
	maxSKU         = 100
	maxName        = 200
	maxBrand       = 200
	maxDescription = 100_000
	maxAttributes  = 100 // names
	maxAttrName    = 100
	maxAttrText    = 2000
	maxAttrList    = 100 // values
	maxImages      = 50
	maxURL         = 2000
	maxAlt         = 500
)

// problems collects what is wrong with the fields of one input.
type problems []fault.Field

func (p *problems) add(field, code, detail string) {
	*p = append(*p, fault.Field{Field: field, Code: code, Detail: detail})
}

func (p *problems) fault() error {
	if len(*p) == 0 {
		return nil
	}
	return ErrInvalid.Naming(*p...)
}

// text bounds a field in bytes and keeps out what PostgreSQL or a person could
// not read.
func (p *problems) text(field, value string, low, high int) {
	switch {
	case len(value) < low || (low > 0 && strings.TrimSpace(value) == ""):
		p.add(field, "required", "must not be empty")
	case len(value) > high:
		p.add(field, "too_long", fmt.Sprintf("at most %d bytes", high))
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		p.add(field, "not_text", "UTF-8 without NUL")
	}
}

func (p *problems) sku(value string) {
	p.text("sku", value, 1, maxSKU)
	if value != strings.TrimSpace(value) || strings.ContainsFunc(value, unicode.IsControl) {
		p.add("sku", "malformed", "no leading or trailing space and no control characters")
	}
}

func (p *problems) price(m money.Money, currency string) {
	if m.Amount < 0 || m.Amount >= money.Limit {
		p.add("price.amount", "out_of_range", "0 to 2^53 - 1 minor units")
	}
	if m.Currency != currency {
		p.add("price.currency", "currency_unsupported", "the shop sells in "+currency)
	}
}

func (p *problems) attributes(attrs map[string]any) {
	if len(attrs) > maxAttributes {
		p.add("attributes", "too_many", fmt.Sprintf("at most %d names", maxAttributes))
		return
	}
	for name, value := range attrs {
		field := "attributes." + name
		if strings.TrimSpace(name) == "" || len(name) > maxAttrName || strings.ContainsFunc(name, unicode.IsControl) {
			p.add("attributes", "malformed_name", fmt.Sprintf("names are 1 to %d bytes without control characters", maxAttrName))
			continue
		}
		list, isList := value.([]any)
		if !isList {
			list = []any{value}
		}
		if len(list) > maxAttrList {
			p.add(field, "too_many", fmt.Sprintf("at most %d values", maxAttrList))
		}
		for _, v := range list {
			p.scalar(field, v)
		}
	}
}

func (p *problems) scalar(field string, v any) {
	switch v := v.(type) {
	case string:
		p.text(field, v, 0, maxAttrText)
	case float64, bool:
	default:
		p.add(field, "wrong_type", "a string, a number, true or false, or a list of these")
	}
}

func (p *problems) images(images []Image) {
	if len(images) > maxImages {
		p.add("images", "too_many", fmt.Sprintf("at most %d", maxImages))
	}
	for i, im := range images {
		field := fmt.Sprintf("images[%d]", i)
		p.text(field+".alt", im.Alt, 0, maxAlt)
		u, err := url.Parse(im.URL)
		if err != nil || len(im.URL) > maxURL || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			p.add(field+".url", "malformed", "an http or https URL of at most 2,000 bytes")
		}
	}
}

func (p *problems) oneOf(field, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	p.add(field, "not_allowed", "one of "+strings.Join(allowed, ", "))
}
