// Package addressing knows how each country writes its addresses: which are
// countries (ISO 3166-1), which have regions, and the shape of postal codes.
package addressing

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"

	"github.com/biter777/countries"
)

// Great Britain's pattern is the shape alone: the source lists postal areas, and
// refusing a customer of a new one is worse than taking one that does not exist.
//
//go:embed formats.tsv
var formats string

type format struct {
	needsRegion bool
	needsCode   bool
	code        *regexp.Regexp // nil: the country has no postal codes, or any shape goes
}

// Formats implements user.Formats.
type Formats struct{ byCountry map[string]format }

// Load reads the embedded table.
func Load() (*Formats, error) {
	f := &Formats{byCountry: map[string]format{}}
	for line := range strings.Lines(formats) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(cells) != 3 {
			return nil, fmt.Errorf("address formats: line %q has %d cells, want 3", line, len(cells))
		}
		one := format{needsRegion: strings.Contains(cells[1], "S"), needsCode: strings.Contains(cells[1], "Z")}
		if cells[2] != "" {
			var err error
			if one.code, err = regexp.Compile("^(?:" + cells[2] + ")$"); err != nil {
				return nil, fmt.Errorf("address formats of %s: %w", cells[0], err)
			}
		}
		f.byCountry[cells[0]] = one
	}
	return f, nil
}

// Known tells whether this is the alpha-2 code of a country.
func (f *Formats) Known(country string) bool {
	if len(country) != 2 {
		return false
	}
	c := countries.ByName(country)
	return c != countries.Unknown && c.Alpha2() == country
}

// NeedsRegion tells whether an address there is not whole without a region.
func (f *Formats) NeedsRegion(country string) bool { return f.byCountry[country].needsRegion }

// PostalCode tells whether a code has the shape of the country's. Where codes
// are not required, none goes too.
func (f *Formats) PostalCode(country, code string) bool {
	one := f.byCountry[country]
	if code == "" {
		return !one.needsCode
	}
	return one.code == nil || one.code.MatchString(code)
}
