package search

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// sep parts what is put together in one keyword; no name may hold it, being a
// control character.
const sep = "\x1f"

// pathSep parts the names of a category path that is shown or asked for.
const pathSep = " > "

// document is a product as the index keeps it.
type document struct {
	ID            string    `json:"id"`
	SKU           string    `json:"sku"`
	Codes         []string  `json:"codes,omitempty"`
	Name          string    `json:"name"`
	Description   string    `json:"description,omitempty"`
	Brand         string    `json:"brand,omitempty"`
	CategoryText  string    `json:"category_text,omitempty"`
	CategoryLeaf  string    `json:"category_leaf,omitempty"`
	AttributeText []string  `json:"attribute_text,omitempty"`
	Phrases       []string  `json:"phrases,omitempty"`
	CategoryID    string    `json:"category_id"`
	CategoryPath  []string  `json:"category_path"` // shown, not searched
	CategoryIDs   []string  `json:"category_ids"`
	CategoryPaths []string  `json:"category_paths"`
	CategoryNodes []string  `json:"category_nodes"`
	Attributes    []string  `json:"attributes,omitempty"`
	Price         int64     `json:"price"`
	Currency      string    `json:"currency"` // shown, not searched
	Image         string    `json:"image,omitempty"`
	Rating        float64   `json:"rating"`
	RatingCount   int64     `json:"rating_count"`
	Popularity    int64     `json:"popularity"`
	InStock       bool      `json:"in_stock"`
	Status        string    `json:"status"`
	CreatedAt     time.Time `json:"created_at"`
}

func documentOf(p product.Product) document {
	d := document{
		ID: p.ID.String(), SKU: p.SKU, Name: p.Name, Description: p.Description, Brand: p.Brand,
		CategoryText: strings.Join(p.CategoryPath, " "), Phrases: phrasesOf(p.Name),
		CategoryID: p.CategoryID.String(), CategoryPath: p.CategoryPath,
		Price: p.Price.Amount, Currency: p.Price.Currency, Rating: p.Rating(), RatingCount: p.RatingCount,
		Popularity: p.Popularity, InStock: p.InStock, Status: p.Status, CreatedAt: p.CreatedAt,
	}
	d.Codes = codesOf(p)
	if n := len(p.CategoryPath); n > 0 {
		d.CategoryLeaf = p.CategoryPath[n-1]
	}
	if len(p.Images) > 0 {
		d.Image = p.Images[0].URL
	}
	parent := ""
	for i, id := range p.CategoryIDs {
		path := strings.Join(p.CategoryPath[:i+1], pathSep)
		d.CategoryIDs = append(d.CategoryIDs, id.String())
		d.CategoryPaths = append(d.CategoryPaths, path)
		d.CategoryNodes = append(d.CategoryNodes, id.String()+sep+parent+sep+path)
		parent = id.String()
	}
	for _, name := range slices.Sorted(mapKeys(p.Attributes)) {
		for _, value := range valuesOf(p.Attributes[name]) {
			d.Attributes = append(d.Attributes, name+sep+value)
			d.AttributeText = append(d.AttributeText, value)
		}
	}
	return d
}

// compact leaves letters and digits alone, so that a code is found with and
// without its hyphens and spaces.
func compact(text string) string { return strings.Join(words(text), "") }

// codesOf gives what identifies a product: its SKU, and attributes that are codes
// themselves, letters and digits mixed or many digits.
func codesOf(p product.Product) []string {
	codes := []string{compact(p.SKU)}
	for _, name := range slices.Sorted(mapKeys(p.Attributes)) {
		for _, value := range valuesOf(p.Attributes[name]) {
			if c := compact(value); len(c) >= 5 && len(c) <= 40 && hasDigit(c) && !slices.Contains(codes, c) {
				codes = append(codes, c)
			}
		}
	}
	return codes
}

func hasDigit(s string) bool { return strings.ContainsFunc(s, unicode.IsDigit) }

func mapKeys(m map[string]any) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// valuesOf writes an attribute's values as a shopper would filter by them.
func valuesOf(v any) []string {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
		return []string{v}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case bool:
		return []string{strconv.FormatBool(v)}
	case []any:
		var out []string
		for _, one := range v {
			out = append(out, valuesOf(one)...)
		}
		return out
	}
	return []string{fmt.Sprint(v)}
}

var (
	wordParts   = regexp.MustCompile(`\p{L}+|\p{N}+`)
	inches      = regexp.MustCompile(`([0-9])\s?("|″|”|'')`)
	apostrophes = strings.NewReplacer("'", "", "’", "", "‘", "", "`", "")
)

// words gives the parts of a text as the index's analyzer "words" does.
func words(text string) []string {
	return wordParts.FindAllString(fold(apostrophes.Replace(inches.ReplaceAllString(text, "$1 inch "))), -1)
}

// fold takes accents and letter case away.
func fold(text string) string {
	t := transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	folded, _, err := transform.String(t, text)
	if err != nil {
		folded = text
	}
	return strings.ToLower(folded)
}

const stopWords = " a an and are as at be by for in is it of on or the to with "

func isStop(word string) bool { return strings.Contains(stopWords, " "+word+" ") }

// phrasesOf gives the runs of one to three words that a shopper may be typing.
func phrasesOf(name string) []string {
	ws := words(name)
	var out []string
	for n := 1; n <= 3; n++ {
		for i := 0; i+n <= len(ws); i++ {
			first, last := ws[i], ws[i+n-1]
			if isStop(first) || isStop(last) || (n == 1 && len(first) < 3) || (n > 1 && len(last) == 1) {
				continue
			}
			if phrase := strings.Join(ws[i:i+n], " "); !slices.Contains(out, phrase) {
				out = append(out, phrase)
			}
		}
	}
	return out
}
