package search

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// tier is how much a search forgives. The first that finds anything answers.
type tier int

const (
	strict tier = iota // every word, as it is or by its stem or synonym
	fuzzy              // every word, give or take a typo
	most               // most of the words, give or take a typo
	loose              // any of the words, give or take a typo
	tiers
)

type object = map[string]any

func match(field, query string, more object) object {
	m := object{"query": query}
	for k, v := range more {
		m[k] = v
	}
	return object{"match": object{field: m}}
}

func term(field string, value any, boost float64) object {
	return object{"term": object{field: object{"value": value, "boost": boost}}}
}

func anyOf(clauses ...any) object {
	return object{"bool": object{"should": clauses, "minimum_should_match": 1}}
}

// A typo is forgiven in words of four letters and more, two in eight and more:
// with less, short words turn into others.
const typos = "AUTO:4,8"

const shortest = 4

// ask is a text and how it is understood.
type ask struct {
	text  string
	words []string
	tier  tier
	// unknown are words that stand nowhere in the index. Only they are mistyped, if
	// there are any: "lamb" is not meant to be "lamp" while both are there.
	unknown []string
}

// mistyped tells whether a word may stand for another. Codes and sizes never do.
func (a ask) mistyped(word string) bool {
	if a.tier == strict || len([]rune(word)) < shortest || hasDigit(word) {
		return false
	}
	return len(a.unknown) == 0 || slices.Contains(a.unknown, word)
}

// textQuery finds and ranks the text of a search.
func textQuery(a ask) object {
	if strings.TrimSpace(a.text) == "" {
		return object{"match_all": object{}}
	}
	return object{"bool": object{"must": []any{found(a)}, "should": ranked(a)}}
}

// found decides which products are hits.
func found(a ask) object {
	clauses := []any{term("sku", a.text, 60), term("sku.folded", a.text, 40), term("codes", compact(a.text), 30)}
	all := object{"operator": "and", "boost": 0.5}
	clauses = append(clauses, match("everything", a.text, all))
	clauses = append(clauses, joined(a.words)...)
	if each := a.each(); each != nil {
		clauses = append(clauses, each)
	}
	return anyOf(clauses...)
}

// each asks for the words one by one, as many of them as the tier wants.
func (a ask) each() any {
	var clauses []any
	for _, w := range a.words {
		if isStop(w) {
			continue
		}
		forms := []any{match("everything", w, object{"boost": 0.5})}
		if len(w) >= shortest && !hasDigit(w) {
			forms = append(forms, term("name.pairs", w, 0.5))
		}
		if a.mistyped(w) {
			near := object{"fuzziness": typos, "max_expansions": 60, "boost": 0.4}
			forms = append(forms, match("everything.words", w, near))
		}
		clauses = append(clauses, anyOf(forms...))
	}
	want := any(len(clauses))
	switch {
	case len(clauses) == 0:
		return nil
	case a.tier == most:
		want = "2<-1 4<60%"
	case a.tier == loose:
		want = 1
	}
	return object{"bool": object{"should": clauses, "minimum_should_match": want}}
}

// joined finds "door mat" as DOORMAT and "tlight" as T LIGHT.
func joined(ws []string) []any {
	var clauses []any
	for i := 0; i+1 < len(ws) && len(ws) <= 6; i++ {
		together := append(append(append([]string{}, ws[:i]...), ws[i]+ws[i+1]), ws[i+2:]...)
		clauses = append(clauses, match("everything", strings.Join(together, " "), object{"operator": "and", "boost": 0.5}))
	}
	if len(ws) == 1 || len(ws) == 2 {
		clauses = append(clauses, term("name.pairs", strings.Join(ws, ""), 1))
	}
	return clauses
}

// ranked lifts hits whose name, brand or category say it, in their order.
func ranked(a ask) []any {
	clauses := []any{
		match("name", a.text, object{"boost": 3}),
		match("name.words", a.text, object{"boost": 1.5}),
		match("brand_text", a.text, object{"boost": 1.5}),
		match("category_text", a.text, object{"boost": 0.5}),
		match("category_leaf", a.text, object{"boost": 0.7}),
		object{"match_phrase": object{"name": object{"query": a.text, "slop": 2, "boost": 2}}},
		term("name.folded", a.text, 5),
	}
	for _, w := range a.words {
		if a.mistyped(w) {
			clauses = append(clauses, match("name.words", w, object{"boost": 3, "fuzziness": typos, "max_expansions": 60}))
		}
	}
	if a.tier >= most { // what has every word stays on top
		clauses = append(clauses, object{"constant_score": object{"filter": match("everything", a.text, object{"operator": "and"}), "boost": 100}})
	}
	return clauses
}

// lifted multiplies the score a little by what sells, is liked and is there.
func lifted(query object) object {
	factor := func(field string, weight float64) object {
		return object{"field_value_factor": object{"field": field, "modifier": "log1p", "missing": 0}, "weight": weight}
	}
	return object{"function_score": object{
		"query": query, "score_mode": "sum", "boost_mode": "multiply",
		"functions": []any{
			object{"weight": 1},
			factor("popularity", 0.03),
			object{"filter": object{"range": object{"rating": object{"gte": 4}}}, "weight": 0.03},
			object{"filter": object{"term": object{"in_stock": true}}, "weight": 0.05},
		},
	}}
}

// filters gives one filter a facet, so that each facet can leave out its own.
func filters(q product.Query) map[string]object {
	fs := map[string]object{}
	if len(q.Categories) > 0 {
		fs["category"] = categoryFilter(q.Categories)
	}
	if len(q.Brands) > 0 {
		fs["brand"] = object{"terms": object{"brand": q.Brands}}
	}
	if q.PriceMin != nil || q.PriceMax != nil {
		bounds := object{}
		if q.PriceMin != nil {
			bounds["gte"] = *q.PriceMin
		}
		if q.PriceMax != nil {
			bounds["lte"] = *q.PriceMax
		}
		fs["price"] = object{"range": object{"price": bounds}}
	}
	if q.RatingMin != nil {
		fs["rating"] = object{"range": object{"rating": object{"gte": *q.RatingMin}}}
	}
	if q.InStock != nil {
		fs["availability"] = object{"term": object{"in_stock": *q.InStock}}
	}
	for name, values := range q.Attributes {
		pairs := make([]string, len(values))
		for i, v := range values {
			pairs[i] = name + sep + v
		}
		fs[attrFacet(name)] = object{"terms": object{"attributes": pairs}}
	}
	return fs
}

const attrPrefix = "attr."

func attrFacet(name string) string { return attrPrefix + name }

func categoryFilter(values []string) object {
	var ids, paths []string
	for _, v := range values {
		if id, err := uuid.Parse(v); err == nil {
			ids = append(ids, id.String())
		} else {
			paths = append(paths, strings.Join(product.ParsePath(v), pathSep))
		}
	}
	var clauses []any
	if ids != nil {
		clauses = append(clauses, object{"terms": object{"category_ids": ids}})
	}
	for _, p := range paths {
		clauses = append(clauses, object{"term": object{"category_paths": p}})
	}
	return anyOf(clauses...)
}

// except gives all filters but one.
func except(fs map[string]object, name string) []any {
	out := []any{}
	for facet, f := range fs {
		if facet != name {
			out = append(out, f)
		}
	}
	return out
}

// sortOf ends on the id, so that every order is total. Missing values come last.
func sortOf(sort string) []any {
	id := object{"id": "asc"}
	switch sort {
	case product.SortPriceAsc:
		return []any{object{"price": "asc"}, id}
	case product.SortPriceDesc:
		return []any{object{"price": "desc"}, id}
	case product.SortNewest:
		return []any{object{"created_at": "desc"}, object{"id": "desc"}}
	case product.SortRating:
		return []any{object{"rating": "desc"}, object{"rating_count": "desc"}, id}
	}
	return []any{object{"_score": "desc"}, id}
}
