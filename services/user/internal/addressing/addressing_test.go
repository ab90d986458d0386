package addressing

import "testing"

func TestFormats(t *testing.T) {
	f, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		country, code string
		known, region bool
		shape         bool
	}{
		{"GB", "SW1A 2AA", true, false, true},
		{"GB", "AB1 2CD", true, false, true},
		{"GB", "12345", true, false, false},
		{"US", "94043-1351", true, true, true},
		{"US", "", true, true, false},
		{"DE", "10115", true, false, true},
		{"DE", "1011", true, false, false},
		{"CA", "K1A 0B1", true, true, true},
		{"IE", "D02 X285", true, false, true},
		{"HK", "", true, true, true},
		{"XX", "", false, false, true},
		{"gb", "", false, false, true},
		{"Germany", "", false, false, true},
	} {
		if got := f.Known(c.country); got != c.known {
			t.Errorf("%s known: got %v, want %v", c.country, got, c.known)
		}
		if got := f.NeedsRegion(c.country); got != c.region {
			t.Errorf("%s region: got %v, want %v", c.country, got, c.region)
		}
		if got := f.PostalCode(c.country, c.code); got != c.shape {
			t.Errorf("%s %q: got %v, want %v", c.country, c.code, got, c.shape)
		}
	}
}

func TestEveryFormatIsACountrysOrReserved(t *testing.T) {
	f, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for country := range f.byCountry {
		// Exceptional reservations of ISO 3166 and a code in wide use.
		if !f.Known(country) && country != "AC" && country != "TA" && country != "XK" {
			t.Errorf("%s has a format and is no country", country)
		}
	}
}
