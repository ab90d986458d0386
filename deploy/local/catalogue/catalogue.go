// Package catalogue derives the demo shop from a year of a real gift shop's
// sales: the lines of the product import, and the baskets that the demo replays.
// ATTRIBUTION.md says where the data is from and which rules apply.
package catalogue

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

//go:embed data/products.csv
var products []byte

// Class says what a row of the data is.
type Class string

// The classes. Only goods become products.
const (
	Goods   Class = "goods"
	Service Class = "service"
	Voucher Class = "voucher"
	NoPrice Class = "no_price"
)

// Price is minor units of a currency.
type Price struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Line is one line of the product import.
type Line struct {
	SKU        string         `json:"sku"`
	Name       string         `json:"name"`
	Category   []string       `json:"category"`
	Price      Price          `json:"price"`
	TaxClass   string         `json:"tax_class"`
	Status     string         `json:"status"`
	Quantity   int64          `json:"quantity"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

// Row is a row of the data with its class.
type Row struct {
	Code, Description string
	Price             int64 // pence
	Sold              int64 // units in the year, returns taken off
	Class             Class
}

// Rows reads every row of the data.
func Rows() ([]Row, error) {
	r := csv.NewReader(bytes.NewReader(products))
	if _, err := r.Read(); err != nil {
		return nil, fmt.Errorf("catalogue head: %w", err)
	}
	var rows []Row
	for {
		record, err := r.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("catalogue: %w", err)
		}
		pounds, perr := strconv.ParseFloat(record[2], 64)
		sold, serr := strconv.ParseInt(record[3], 10, 64)
		if perr != nil || serr != nil {
			return nil, fmt.Errorf("catalogue row %s: price or units", record[0])
		}
		row := Row{Code: record[0], Description: strings.Join(strings.Fields(record[1]), " "), Price: int64(math.Round(pounds * 100)), Sold: sold}
		row.Class = classify(row)
		rows = append(rows, row)
	}
}

// services are codes of what is charged for and is no goods. Three of them look
// like stock codes.
const services = "|POST|DOT|C2|M|m|S|D|B|BANK CHARGES|AMAZONFEE|CRUK|23444|23574|23702|"

var voucher = regexp.MustCompile(`(?i)gift voucher`)

func classify(r Row) Class {
	switch {
	case strings.Contains(services, "|"+r.Code+"|"):
		return Service
	case voucher.MatchString(r.Description):
		return Voucher
	case r.Price <= 0:
		return NoPrice
	}
	return Goods
}

const (
	monthsOnShelf = 2
	fewest        = 12
)

// Lines gives the lines of the import, in the currency of the shop: amounts are
// taken as they are.
func Lines(currency string) ([]Line, error) {
	rows, err := Rows()
	if err != nil {
		return nil, err
	}
	var lines []Line
	for _, r := range rows {
		if r.Class != Goods {
			continue
		}
		lines = append(lines, Line{
			SKU: r.Code, Name: nameOf(r.Description), Category: categoryOf(r.Description), Price: Price{Amount: r.Price, Currency: currency},
			TaxClass: "standard", Status: "active", Quantity: quantityOf(r.Sold), Attributes: attributesOf(r.Description),
		})
	}
	return lines, nil
}

// WriteNDJSON writes the import.
func WriteNDJSON(w io.Writer, currency string) error {
	lines, err := Lines(currency)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

func quantityOf(sold int64) int64 {
	if sold <= 0 {
		return 0
	}
	return max(fewest, (sold*monthsOnShelf+11)/12)
}

// nameOf makes a sentence of what is wholly in capitals.
func nameOf(description string) string {
	if description != strings.ToUpper(description) {
		return description
	}
	words := strings.Split(strings.ToLower(description), " ")
	for i, w := range words {
		words[i] = proper(w)
	}
	name := strings.Join(words, " ")
	return strings.ToUpper(name[:1]) + name[1:]
}

// proper gives back their capitals to abbreviations and names.
func proper(word string) string {
	switch word {
	case "t-light", "t-lights", "t-shirt":
		return "T" + word[1:]
	case "usb", "led", "cd", "dvd", "tv", "uk", "diy":
		return strings.ToUpper(word)
	case "christmas", "easter", "london", "english", "french", "british", "edwardian", "victorian", "regency", "union", "jack",
		"paris", "moroccan", "spanish", "scandinavian", "indian", "england", "dolly", "charlie", "lola":
		return strings.ToUpper(word[:1]) + word[1:]
	}
	return word
}
