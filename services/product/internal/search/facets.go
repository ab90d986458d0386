package search

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caravan-shop/caravan/services/product/internal/product"
)

const (
	facetSize      = 50  // values of brand and of a selected attribute
	categorySize   = 300 // nodes of the tree
	attributePairs = 300 // name and value pairs, the most frequent first
	maxAttrFacets  = 12
	priceRanges    = 6
)

// steps are prices in minor units at which a range may begin: coarse enough to
// read, fine enough to be put together to ranges that fit what was found.
func steps() []int64 {
	out := []int64{0}
	for decade := int64(10); decade <= 1e9; decade *= 10 {
		for _, tenths := range []int64{10, 15, 20, 30, 50, 70} {
			out = append(out, decade*tenths/10)
		}
	}
	return out
}

// aggregations counts each facet under all filters but its own.
func aggregations(q product.Query, fs map[string]object) object {
	under := func(facet string, agg object) object {
		return object{"filter": object{"bool": object{"filter": except(fs, facet)}}, "aggs": object{"values": agg}}
	}
	var prices, ratings []any
	all := steps()
	for i, from := range all {
		r := object{"from": from}
		if i+1 < len(all) {
			r["to"] = all[i+1]
		}
		prices = append(prices, r)
	}
	for from := 4; from >= 1; from-- {
		ratings = append(ratings, object{"from": from, "key": strconv.Itoa(from)})
	}
	aggs := object{
		"matched":      object{"filter": object{"match_all": object{}}},
		"category":     under("category", terms("category_nodes", categorySize)),
		"brand":        under("brand", terms("brand", facetSize)),
		"price":        under("price", object{"range": object{"field": "price", "ranges": prices}}),
		"rating":       under("rating", object{"range": object{"field": "rating", "ranges": ratings}}),
		"availability": under("availability", terms("in_stock", 2)),
		"attributes":   under("", terms("attributes", attributePairs)),
	}
	for name := range q.Attributes {
		own := terms("attributes", facetSize)
		own["terms"].(object)["include"] = luceneQuote(name+sep) + ".*"
		aggs[attrFacet(name)] = under(attrFacet(name), own)
	}
	return aggs
}

func terms(field string, size int) object {
	return object{"terms": object{"field": field, "size": size}}
}

// luceneQuote takes away the meaning that characters have in Lucene's patterns.
func luceneQuote(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`.?+*|{}[]()"\#@&<>~^$-`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

type bucket struct {
	Key   any      `json:"key"`
	Text  string   `json:"key_as_string"`
	From  float64  `json:"from"`
	To    *float64 `json:"to"`
	Count int64    `json:"doc_count"`
}

func (b bucket) key() string {
	if b.Text != "" {
		return b.Text
	}
	return fmt.Sprint(b.Key)
}

func bucketsOf(raw json.RawMessage) ([]bucket, error) {
	var agg struct {
		Values struct {
			Buckets []bucket `json:"buckets"`
		} `json:"values"`
	}
	if raw == nil {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &agg); err != nil {
		return nil, fmt.Errorf("facet: %w", err)
	}
	return agg.Values.Buckets, nil
}

func facets(q product.Query, aggs map[string]json.RawMessage) (map[string][]product.FacetValue, error) {
	out := map[string][]product.FacetValue{}
	for facet, read := range map[string]func(product.Query, []bucket) []product.FacetValue{
		"category": categoryValues, "brand": brandValues, "price": priceValues, "rating": ratingValues, "availability": stockValues,
	} {
		buckets, err := bucketsOf(aggs[facet])
		if err != nil {
			return nil, err
		}
		out[facet] = read(q, buckets)
	}
	return out, attributeFacets(q, aggs, out)
}

func categoryValues(q product.Query, buckets []bucket) []product.FacetValue {
	values := []product.FacetValue{}
	for _, b := range buckets {
		parts := strings.SplitN(b.key(), sep, 3)
		if len(parts) != 3 {
			continue
		}
		v := product.FacetValue{Value: parts[0], Parent: parts[1], Label: parts[2], Count: b.Count}
		for _, want := range q.Categories {
			v.Selected = v.Selected || want == v.Value || fold(strings.Join(product.ParsePath(want), pathSep)) == fold(v.Label)
		}
		values = append(values, v)
	}
	return values
}

func brandValues(q product.Query, buckets []bucket) []product.FacetValue {
	return plainValues(buckets, q.Brands, func(s string) string { return s })
}

// plainValues gives the buckets, and what is selected though nothing has it.
func plainValues(buckets []bucket, selected []string, value func(string) string) []product.FacetValue {
	values := []product.FacetValue{}
	missing := slices.Clone(selected)
	for _, b := range buckets {
		v := product.FacetValue{Value: value(b.key()), Count: b.Count}
		v.Selected = slices.Contains(selected, v.Value)
		missing = slices.DeleteFunc(missing, func(s string) bool { return s == v.Value })
		values = append(values, v)
	}
	for _, s := range missing {
		values = append(values, product.FacetValue{Value: s, Selected: true})
	}
	return values
}

// priceValues puts neighbouring steps together to a few ranges of about as many
// products each.
func priceValues(q product.Query, buckets []bucket) []product.FacetValue {
	values := []product.FacetValue{}
	var total int64
	for _, b := range buckets {
		total += b.Count
	}
	share := (total + priceRanges - 1) / priceRanges
	var from, count int64
	open := false
	for i, b := range buckets {
		if b.Count == 0 && !open {
			continue
		}
		if !open {
			from, open = int64(b.From), true
		}
		count += b.Count
		rest := buckets[i+1:]
		if count < share && slices.ContainsFunc(rest, func(r bucket) bool { return r.Count > 0 }) {
			continue
		}
		values = append(values, priceValue(q, from, b.To, count))
		count, open = 0, false
	}
	return values
}

func priceValue(q product.Query, from int64, to *float64, count int64) product.FacetValue {
	low := strconv.FormatInt(from, 10)
	if to == nil {
		return product.FacetValue{Value: low + "-", Label: major(from) + " and more", Count: count,
			Selected: q.PriceMin != nil && *q.PriceMin <= from && q.PriceMax == nil}
	}
	last := int64(*to) - 1
	v := product.FacetValue{Value: low + "-" + strconv.FormatInt(last, 10), Label: major(from) + " – " + major(last), Count: count}
	v.Selected = (q.PriceMin != nil || q.PriceMax != nil) &&
		(q.PriceMin == nil || *q.PriceMin <= from) && (q.PriceMax == nil || *q.PriceMax >= last)
	return v
}

func major(minor int64) string { return fmt.Sprintf("%d.%02d", minor/100, minor%100) }

func ratingValues(q product.Query, buckets []bucket) []product.FacetValue {
	values := []product.FacetValue{}
	for i := len(buckets) - 1; i >= 0; i-- {
		b := buckets[i]
		values = append(values, product.FacetValue{Value: b.key(), Label: b.key() + " and up", Count: b.Count,
			Selected: q.RatingMin != nil && *q.RatingMin == b.From})
	}
	return values
}

func stockValues(q product.Query, buckets []bucket) []product.FacetValue {
	values := plainValues(buckets, nil, func(s string) string {
		if s == "true" {
			return "in_stock"
		}
		return "out_of_stock"
	})
	for i, v := range values {
		values[i].Selected = q.InStock != nil && *q.InStock == (v.Value == "in_stock")
	}
	return values
}

// attributeFacets adds a facet for each attribute that is asked for or frequent.
func attributeFacets(q product.Query, aggs map[string]json.RawMessage, out map[string][]product.FacetValue) error {
	for name, selected := range q.Attributes {
		buckets, err := bucketsOf(aggs[attrFacet(name)])
		if err != nil {
			return err
		}
		out[facetName(name)] = plainValues(buckets, selected, func(s string) string { return strings.TrimPrefix(s, name+sep) })
	}
	buckets, err := bucketsOf(aggs["attributes"])
	if err != nil {
		return err
	}
	added := map[string]bool{}
	for _, b := range buckets {
		name, value, found := strings.Cut(b.key(), sep)
		if _, asked := q.Attributes[name]; !found || asked {
			continue
		}
		if !added[name] {
			if len(added) == maxAttrFacets {
				continue
			}
			added[name] = true
		}
		if key := facetName(name); len(out[key]) < facetSize {
			out[key] = append(out[key], product.FacetValue{Value: value, Count: b.Count})
		}
	}
	return nil
}

// facetName is the attribute's own name, unless that is one of the fixed facets.
func facetName(name string) string {
	switch name {
	case "category", "brand", "price", "rating", "availability":
		return attrFacet(name)
	}
	return name
}
