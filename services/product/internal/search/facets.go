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
)

// aggregations counts each facet under all filters but its own.
func aggregations(q product.Query, fs map[string]object) object {
	under := func(facet string, agg object) object {
		return object{"filter": object{"bool": object{"filter": except(fs, facet)}}, "aggs": object{"values": agg}}
	}
	var prices, ratings []any
	all := product.PriceSteps()
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
	return rooted(values)
}

// rooted drops categories whose parent was cut off the list, which has the most
// frequent ones: a tree has no loose branches.
func rooted(values []product.FacetValue) []product.FacetValue {
	for {
		there := map[string]bool{"": true}
		for _, v := range values {
			there[v.Value] = true
		}
		before := len(values)
		values = slices.DeleteFunc(values, func(v product.FacetValue) bool { return !there[v.Parent] })
		if len(values) == before {
			return values
		}
	}
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

func priceValues(q product.Query, buckets []bucket) []product.FacetValue {
	counted := make([]product.PriceBucket, len(buckets))
	for i, b := range buckets {
		counted[i] = product.PriceBucket{From: int64(b.From), Count: b.Count}
		if b.To != nil {
			counted[i].To = int64(*b.To)
		}
	}
	return product.PriceRanges(q, counted)
}

func ratingValues(q product.Query, buckets []bucket) []product.FacetValue {
	values := []product.FacetValue{}
	for i := len(buckets) - 1; i >= 0; i-- {
		values = append(values, product.RatingAtLeast(q, int(buckets[i].From), buckets[i].Count))
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
		out[product.AttributeFacet(name)] = plainValues(buckets, selected, func(s string) string { return strings.TrimPrefix(s, name+sep) })
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
		if key := product.AttributeFacet(name); len(out[key]) < facetSize {
			out[key] = append(out[key], product.FacetValue{Value: value, Count: b.Count})
		}
	}
	return nil
}
