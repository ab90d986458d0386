package search_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// store is a shop of many trades, so that nothing is tuned to one.
func store() []product.Product {
	ids := map[string]uuid.UUID{}
	thing := func(sku, name string, category []string, description string, more func(*product.Product)) product.Product {
		p := item(sku, name, uuid.Nil, 1999, more)
		p.CategoryPath, p.CategoryIDs, p.Description = category, nil, description
		for n := range category {
			if _, ok := ids[category[n]]; !ok {
				ids[category[n]] = uuid.Must(uuid.NewV7())
			}
			p.CategoryIDs = append(p.CategoryIDs, ids[category[n]])
		}
		p.CategoryID = p.CategoryIDs[len(p.CategoryIDs)-1]
		return p
	}
	of := func(brand string) func(*product.Product) { return func(p *product.Product) { p.Brand = brand } }
	phones, dresses, kitchen, tools := []string{"Electronics", "Mobile Phones"}, []string{"Clothing", "Women", "Dresses"}, []string{"Home", "Kitchen"}, []string{"DIY", "Power Tools"}
	furniture, light := []string{"Home", "Furniture", "Sofas"}, []string{"Home", "Candles"}
	return []product.Product{
		thing("MQ8N3", "Apple iPhone 15 128GB Black", phones, "A phone with USB-C.", of("Apple")),
		thing("MQ8N4", "Apple iPhone 14 128GB Black", phones, "", of("Apple")),
		thing("CASE15", "Silicone case for iPhone 15", []string{"Electronics", "Phone Accessories"}, "Protects your phone.", of("Spigen")),
		thing("SM-S918B", "Samsung Galaxy S23 Ultra", phones, "", of("Samsung")),
		thing("WH-1000XM5", "Sony WH-1000XM5 wireless headphones", []string{"Electronics", "Audio"}, "Noise cancelling.", of("Sony")),
		thing("DR-1", "Women's red summer dress", dresses, "A light dress for running around town.", nil),
		thing("DR-2", "Évasé midi dress crème", dresses, "", nil),
		thing("SH-1", "Men's running shoes", []string{"Clothing", "Men", "Shoes"}, "For the road.", of("Nike")),
		thing("PAN30", "Frying pan 30cm non-stick", kitchen, "", of("Tefal")),
		thing("PAN24", "Frying pan 24 cm non stick", kitchen, "", of("Tefal")),
		thing("KET1.7", "Electric kettle 1.7L stainless steel", kitchen, "", nil),
		thing("DW-18V", "DeWalt cordless drill 18V", tools, "With two batteries.", of("DeWalt")),
		thing("BIT-5", "Drill bit set 5mm", tools, "", nil),
		thing("SOFA3", "Three seater couch grey", furniture, "Seats three.", nil),
		thing("CH-1", "Oak dining chair", []string{"Home", "Furniture", "Chairs"}, "Goes well with any sofa.", nil),
		thing("TL-1", "T-light holder glass", light, "", nil),
		thing("TL-2", "Tea light candles pack of 50", light, "", nil),
		thing("TL-3", "Tealight lantern", light, "", nil),
		thing("CAT-1", "Cat bed", []string{"Pets"}, "", nil),
		thing("CAR-1", "Car phone mount", []string{"Automotive"}, "", nil),
		thing("LAMB-1", "Lamb wool blanket", []string{"Home"}, "", nil),
		thing("LAMP-1", "Desk lamp", []string{"Home"}, "", nil),
		thing("SSD-2T", `2.5" SSD 2TB`, []string{"Electronics", "Storage"}, "", nil),
		thing("AA-123-B", "Replacement filter", kitchen, "Part no. 4055477543", nil),
	}
}

func TestShoppersFindThings(t *testing.T) {
	f := open(t, store()...)
	for _, tc := range []struct {
		ask   string
		first []string // any of these first
		also  []string // all of these among the hits
		not   []string // none of these among the hits
	}{
		{"iphone 15", []string{"MQ8N3", "CASE15"}, []string{"MQ8N3", "CASE15"}, []string{"MQ8N4"}},
		{"iphone15", []string{"MQ8N3", "CASE15"}, []string{"MQ8N3", "CASE15"}, []string{"MQ8N4"}},
		{"i phone 15", []string{"MQ8N3", "CASE15"}, []string{"MQ8N3"}, nil},
		{"ifone 15", []string{"MQ8N3", "CASE15"}, []string{"MQ8N3"}, []string{"MQ8N4"}},
		{"apple iphone case", []string{"CASE15"}, []string{"CASE15", "MQ8N3"}, nil},
		{"wh1000xm5", []string{"WH-1000XM5"}, nil, nil},
		{"WH-1000XM5", []string{"WH-1000XM5"}, nil, []string{"SM-S918B"}},
		{"wh 1000 xm5", []string{"WH-1000XM5"}, nil, nil},
		{"sms918b", []string{"SM-S918B"}, nil, nil},
		{"4055477543", []string{"AA-123-B"}, nil, nil},
		{"aa123b", []string{"AA-123-B"}, nil, nil},
		{"sony headphone", []string{"WH-1000XM5"}, nil, nil},
		{"samsng galaxy", []string{"SM-S918B"}, nil, nil},
		{"headfones", []string{"WH-1000XM5"}, nil, nil},
		{"womens dress", []string{"DR-1"}, []string{"DR-1", "DR-2"}, nil},
		{"evase creme", []string{"DR-2"}, nil, nil},
		{"running shoe", []string{"SH-1"}, nil, nil},
		{"red dresses", []string{"DR-1"}, nil, nil},
		{"pan 30 cm", []string{"PAN30"}, nil, []string{"PAN24"}},
		{"pan 30cm", []string{"PAN30"}, nil, []string{"PAN24"}},
		{"24cm frying pan", []string{"PAN24"}, nil, []string{"PAN30"}},
		{"30 centimetre pan", []string{"PAN30"}, nil, nil},
		{"nonstick pan", []string{"PAN30", "PAN24"}, []string{"PAN30", "PAN24"}, nil},
		{"1.7l kettle", []string{"KET1.7"}, nil, nil},
		{"1.7 litre kettle", []string{"KET1.7"}, nil, nil},
		{"18v drill", []string{"DW-18V"}, nil, nil},
		{"18 volt drill", []string{"DW-18V"}, nil, nil},
		{"drill", []string{"DW-18V", "BIT-5"}, []string{"DW-18V", "BIT-5"}, nil},
		{"dewallt dril", []string{"DW-18V"}, nil, nil},
		{"sofa", []string{"SOFA3"}, []string{"SOFA3"}, nil},
		{"3 seater sofa", []string{"SOFA3"}, nil, nil},
		{"gray couch", []string{"SOFA3"}, nil, nil},
		{"t-light", []string{"TL-1", "TL-2", "TL-3"}, []string{"TL-1", "TL-2", "TL-3"}, []string{"DR-1"}},
		{"tea light", []string{"TL-1", "TL-2", "TL-3"}, []string{"TL-1", "TL-2", "TL-3"}, nil},
		{"tealight", []string{"TL-1", "TL-2", "TL-3"}, []string{"TL-1", "TL-2", "TL-3"}, nil},
		{"tealights", []string{"TL-1", "TL-2", "TL-3"}, []string{"TL-1", "TL-2", "TL-3"}, nil},
		{"cat", []string{"CAT-1"}, nil, []string{"CAR-1", "CASE15"}},
		{"lamb", []string{"LAMB-1"}, nil, []string{"LAMP-1"}},
		{"lamp", []string{"LAMP-1"}, nil, []string{"LAMB-1"}},
		{"2.5 ssd", []string{"SSD-2T"}, nil, nil},
		{"2tb ssd", []string{"SSD-2T"}, nil, nil},
		{"2 tb ssd", []string{"SSD-2T"}, nil, nil},
		{"oak dining chair with arms", []string{"CH-1"}, nil, nil},
		{"purple dress", []string{"DR-1", "DR-2"}, nil, nil},
		{"kettle zzyzx", []string{"KET1.7"}, nil, nil},
		{"a phone for the car", []string{"CAR-1"}, nil, nil},
		{"zzyzx", []string{""}, nil, nil},
	} {
		res, err := f.index.Search(t.Context(), product.Query{Text: tc.ask, Sort: product.SortRelevance, Limit: 20})
		must(t, err)
		got := skus(res)
		first := ""
		if len(got) > 0 {
			first = got[0]
		}
		if !slices.Contains(tc.first, first) {
			t.Errorf("%q: got %v, want one of %v first", tc.ask, got, tc.first)
		}
		for _, sku := range tc.also {
			if !slices.Contains(got, sku) {
				t.Errorf("%q: got %v, want %s among them", tc.ask, got, sku)
			}
		}
		for _, sku := range tc.not {
			if slices.Contains(got, sku) {
				t.Errorf("%q: got %v, want no %s", tc.ask, got, sku)
			}
		}
	}
}

func TestSuggestsAsOneTypes(t *testing.T) {
	f := open(t, store()...)
	for _, tc := range []struct{ typed, product, category, query string }{
		{"elec", "KET1.7", "Electronics", "electric"},
		{"electronics", "MQ8N3", "Electronics", ""},
		{"elecrtonics", "MQ8N3", "Electronics", ""},
		{"audio", "WH-1000XM5", "Audio", ""},
		{"kithcen", "PAN30", "Kitchen", ""},
		{"ipho", "MQ8N3", "", "iphone"},
		{"iphnoe", "MQ8N3", "", ""},
		{"headph", "WH-1000XM5", "", "headphones"},
		{"frying p", "PAN30", "", "frying pan"},
		{"wh1000", "WH-1000XM5", "", ""},
		{"wh-10", "WH-1000XM5", "", ""},
		{"evas", "DR-2", "", ""},
	} {
		s, err := f.index.Suggest(t.Context(), tc.typed)
		must(t, err)
		if tc.product != "" && !slices.ContainsFunc(s.Products, func(p product.SuggestedProduct) bool { return p.SKU == tc.product }) {
			t.Errorf("%q: products %+v, want %s among them", tc.typed, s.Products, tc.product)
		}
		if tc.category != "" && !slices.ContainsFunc(s.Categories, func(c product.SuggestedCategory) bool { return c.Name == tc.category }) {
			t.Errorf("%q: categories %+v, want %s among them", tc.typed, s.Categories, tc.category)
		}
		if tc.query != "" && !slices.Contains(s.Queries, tc.query) {
			t.Errorf("%q: queries %q, want %s among them", tc.typed, s.Queries, tc.query)
		}
		for i, q := range s.Queries {
			if slices.Contains(s.Queries[:i], q) {
				t.Errorf("%q: %q comes twice", tc.typed, q)
			}
		}
	}
}
