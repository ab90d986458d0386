package user

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Address is where a person has parcels or bills sent.
type Address struct {
	ID        uuid.UUID
	UserID    uuid.UUID
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
	DeletedAt *time.Time
	Place
}

// Place is the part of an address that its owner gives.
type Place struct {
	Label             string
	Recipient         string
	Line1             string
	Line2             string
	City              string
	Region            string
	PostalCode        string
	Country           string
	Phone             string
	IsDefaultShipping bool
	IsDefaultBilling  bool
}

// MaxAddresses is how many an account may keep, hidden ones apart.
const MaxAddresses = 100

// Formats knows how each country writes addresses.
type Formats interface {
	// Known tells whether this is the ISO 3166-1 alpha-2 code of a country.
	Known(country string) bool
	NeedsRegion(country string) bool
	// PostalCode tells whether the code has the shape of the country's.
	PostalCode(country, code string) bool
}

// normalize trims a place and holds it against its country's format.
func (p *Place) normalize(f Formats) error {
	var c check
	p.Label = c.line("label", p.Label, 50, false)
	p.Recipient = c.line("recipient", p.Recipient, 100, true)
	p.Line1 = c.line("line1", p.Line1, 200, true)
	p.Line2 = c.line("line2", p.Line2, 200, false)
	p.City = c.line("city", p.City, 100, true)
	p.Region = c.line("region", p.Region, 100, false)
	p.PostalCode = strings.ToUpper(c.line("postal_code", p.PostalCode, 20, false))
	p.Country = strings.ToUpper(c.line("country", p.Country, 2, true))
	p.Phone = c.line("phone", p.Phone, 30, false)
	if p.Phone != "" && strings.Trim(p.Phone, "0123456789+-()/. ") != "" {
		c.bad("phone", "bad_phone", "Digits, spaces and + - ( ) / . alone.")
	}
	switch {
	case p.Country == "":
	case !f.Known(p.Country):
		c.bad("country", "country_unknown", "Must be an ISO 3166-1 alpha-2 code.")
	default:
		if p.Region == "" && f.NeedsRegion(p.Country) {
			c.bad("region", "required", "Addresses of this country have a region.")
		}
		if !f.PostalCode(p.Country, p.PostalCode) {
			c.bad("postal_code", "bad_postal_code", "Not in the shape of this country's postal codes.")
		}
	}
	return c.err()
}

func (c *check) line(field, value string, most int, required bool) string {
	value = strings.TrimSpace(value)
	switch {
	case value == "" && required:
		c.bad(field, "required", "Must not be empty.")
	case utf8.RuneCountInString(value) > most:
		c.bad(field, "too_long", "Too long.")
	case !printable(value):
		c.bad(field, "bad_characters", "Control characters are not allowed.")
	}
	return value
}
