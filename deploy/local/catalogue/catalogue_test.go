package catalogue_test

import (
	"testing"

	"github.com/caravan-shop/caravan/deploy/local/catalogue"
)

func TestOddRowsAreLeftOut(t *testing.T) {
	rows, err := catalogue.Rows()
	if err != nil {
		t.Fatal(err)
	}
	classes, of := map[catalogue.Class]int{}, map[string]catalogue.Class{}
	for _, r := range rows {
		classes[r.Class]++
		of[r.Code] = r.Class
	}
	for code, want := range map[string]catalogue.Class{
		"POST": catalogue.Service, "BANK CHARGES": catalogue.Service, "m": catalogue.Service, "23444": catalogue.Service,
		"gift_0001_20": catalogue.Voucher, "22016": catalogue.Voucher, "PADS": catalogue.NoPrice,
		"85123A": catalogue.Goods, "DCGS0003": catalogue.Goods,
	} {
		if of[code] != want {
			t.Errorf("%s is %s, want %s", code, of[code], want)
		}
	}
	if classes[catalogue.Goods] != 3903 || len(rows) != 3921 {
		t.Errorf("%d rows, classes %v; want 3903 goods of 3921", len(rows), classes)
	}
}

func TestLines(t *testing.T) {
	lines, err := catalogue.Lines("GBP")
	if err != nil {
		t.Fatal(err)
	}
	bySKU, other := map[string]catalogue.Line{}, 0
	for _, l := range lines {
		if _, again := bySKU[l.SKU]; again {
			t.Errorf("%s twice", l.SKU)
		}
		if l.Name == "" || len(l.Name) > 200 || l.Price.Amount <= 0 || l.Quantity < 0 || len(l.Category) != 2 {
			t.Errorf("bad line %+v", l)
		}
		bySKU[l.SKU] = l
		if l.Category[0] == "Gifts" {
			other++
		}
	}
	got := bySKU["85123A"]
	if got.Name != "White hanging heart T-light holder" || got.Attributes["colour"] != "white" || got.Category[1] != "T-light holders" {
		t.Errorf("85123A is %+v", got)
	}
	if _, lower := bySKU["15056bl"]; !lower {
		t.Error("letter case of SKUs was lost")
	}
	if other*10 > len(lines) {
		t.Errorf("%d of %d products fit no category rule", other, len(lines))
	}
}

func TestBaskets(t *testing.T) {
	baskets, err := catalogue.Baskets()
	if err != nil {
		t.Fatal(err)
	}
	first := baskets[0]
	if first.Invoice != "536365" || first.Customer != "17850" || len(first.Lines) != 7 || first.Lines[0] != (catalogue.BasketLine{SKU: "85123A", Quantity: 6}) {
		t.Errorf("first basket %+v", first)
	}
	if len(baskets) < 1300 {
		t.Errorf("%d baskets, want a month of them", len(baskets))
	}
}
