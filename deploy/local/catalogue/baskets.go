package catalogue

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"
)

//go:embed data/baskets-2010-12.csv.gz
var baskets []byte

// BasketLine is a quantity of one product.
type BasketLine struct {
	SKU      string
	Quantity int64
}

// Basket is one order of the month.
type Basket struct {
	Invoice  string
	At       time.Time
	Customer string // "" for a guest
	Country  string
	Lines    []BasketLine
}

var orderInvoice = regexp.MustCompile(`^\d+$`)

const maxQuantity = 9999

// Baskets gives the orders of December 2010 in their order, only of goods that
// Lines has, and only what was really bought.
func Baskets() ([]Basket, error) {
	goods, err := goodsCodes()
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(baskets))
	if err != nil {
		return nil, fmt.Errorf("baskets: %w", err)
	}
	r := csv.NewReader(z)
	if _, err := r.Read(); err != nil {
		return nil, fmt.Errorf("baskets head: %w", err)
	}
	var out []Basket
	at := map[string]int{}
	for {
		record, err := r.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("baskets: %w", err)
		}
		quantity, bought := lineOf(record, goods)
		if !bought {
			continue
		}
		i, known := at[record[0]]
		if !known {
			when, err := time.Parse("2006-01-02T15:04Z", record[4])
			if err != nil {
				return nil, fmt.Errorf("basket %s: %w", record[0], err)
			}
			i = len(out)
			at[record[0]] = i
			out = append(out, Basket{Invoice: record[0], At: when, Customer: record[6], Country: record[7]})
		}
		out[i].add(record[1], quantity)
	}
}

func goodsCodes() (map[string]bool, error) {
	rows, err := Rows()
	if err != nil {
		return nil, err
	}
	goods := map[string]bool{}
	for _, r := range rows {
		if r.Class == Goods {
			goods[r.Code] = true
		}
	}
	return goods, nil
}

// lineOf tells whether a record is a line of an order of goods.
func lineOf(record []string, goods map[string]bool) (int64, bool) {
	quantity, qerr := strconv.ParseInt(record[3], 10, 64)
	price, perr := strconv.ParseFloat(record[5], 64)
	bought := qerr == nil && perr == nil && quantity > 0 && price > 0 && orderInvoice.MatchString(record[0]) && goods[record[1]]
	return quantity, bought
}

func (b *Basket) add(sku string, quantity int64) {
	for i := range b.Lines {
		if b.Lines[i].SKU == sku {
			b.Lines[i].Quantity = min(maxQuantity, b.Lines[i].Quantity+quantity)
			return
		}
	}
	b.Lines = append(b.Lines, BasketLine{SKU: sku, Quantity: min(maxQuantity, quantity)})
}
