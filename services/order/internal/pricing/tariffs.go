// Package pricing turns lines and a destination into totals, after the tariffs
// of a configuration file. It is pure arithmetic on minor units: it knows no
// store and no neighbour.
package pricing

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"
)

//go:embed tariffs.yaml
var defaults []byte

// Anywhere stands for every country that no earlier entry lists.
const Anywhere = "*"

// The tax classes that Product knows.
const (
	Standard = "standard"
	Reduced  = "reduced"
	Zero     = "zero"
)

// Tariffs is the content of the file. Immutable once parsed.
type Tariffs struct {
	Currency     string   `yaml:"currency"`
	MinimumTotal int64    `yaml:"minimum_total"`
	Shipping     Shipping `yaml:"shipping"`
	Tax          []Tax    `yaml:"tax"`
}

// Shipping lists the zones and says in which tax class shipping falls.
type Shipping struct {
	TaxClass string `yaml:"tax_class"`
	Zones    []Zone `yaml:"zones"`
}

// Zone is one tariff for some countries.
type Zone struct {
	Name      string   `yaml:"name"`
	Countries []string `yaml:"countries"`
	Amount    int64    `yaml:"amount"`
	FreeFrom  int64    `yaml:"free_from"`
}

// Tax gives the rates, in basis points, of some countries.
type Tax struct {
	Countries []string         `yaml:"countries"`
	Rates     map[string]int64 `yaml:"rates"`
}

// Default is the file that the binary carries.
func Default() (*Tariffs, error) { return Parse(defaults) }

// Parse reads and checks a tariffs file; unknown fields are refused, so that a
// misspelt rate does not silently become zero.
func Parse(file []byte) (*Tariffs, error) {
	dec := yaml.NewDecoder(bytes.NewReader(file))
	dec.KnownFields(true)
	var t Tariffs
	if err := dec.Decode(&t); err != nil {
		return nil, fmt.Errorf("tariffs: %w", err)
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tariffs: %w", err)
	}
	return &t, nil
}

func (t *Tariffs) check() error {
	if len(t.Currency) != 3 || t.MinimumTotal < 0 {
		return errors.New("currency must be three letters and minimum_total not negative")
	}
	if !slices.Contains([]string{Standard, Reduced, Zero}, t.Shipping.TaxClass) {
		return fmt.Errorf("shipping.tax_class %q is none of standard, reduced, zero", t.Shipping.TaxClass)
	}
	everywhere := false
	for _, z := range t.Shipping.Zones {
		if z.Amount < 0 || z.FreeFrom < 0 {
			return fmt.Errorf("zone %q has a negative amount", z.Name)
		}
		everywhere = everywhere || slices.Contains(z.Countries, Anywhere)
	}
	if !everywhere {
		return errors.New(`no shipping zone for "*"`)
	}
	return t.checkTax()
}

func (t *Tariffs) checkTax() error {
	everywhere := false
	for _, tax := range t.Tax {
		for _, class := range []string{Standard, Reduced, Zero} {
			if rate, ok := tax.Rates[class]; !ok || rate < 0 || rate > 10000 {
				return fmt.Errorf("tax of %v lacks a rate between 0 and 10000 for %s", tax.Countries, class)
			}
		}
		everywhere = everywhere || slices.Contains(tax.Countries, Anywhere)
	}
	if !everywhere {
		return errors.New(`no tax entry for "*"`)
	}
	return nil
}

func (t *Tariffs) zone(country string) Zone {
	for _, z := range t.Shipping.Zones {
		if slices.Contains(z.Countries, country) || slices.Contains(z.Countries, Anywhere) {
			return z
		}
	}
	return Zone{}
}

func (t *Tariffs) rates(country string) map[string]int64 {
	for _, tax := range t.Tax {
		if slices.Contains(tax.Countries, country) || slices.Contains(tax.Countries, Anywhere) {
			return tax.Rates
		}
	}
	return nil
}
