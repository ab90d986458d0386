package search

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/product/internal/product"
)

const suggestSize = 8

// Suggest implements product.Searcher.
func (ix *Index) Suggest(ctx context.Context, text string) (product.Suggestions, error) {
	s := product.Suggestions{Queries: []string{}, Products: []product.SuggestedProduct{}, Categories: []product.SuggestedCategory{}}
	typed := strings.Join(words(text), " ")
	if typed == "" {
		return s, nil
	}
	var a answer
	if err := ix.ask(ctx, suggestBody(text, typed), &a); err != nil {
		return s, fmt.Errorf("suggest: %w", err)
	}
	for _, h := range a.Hits.Hits {
		id, err := uuid.Parse(h.Source.ID)
		if err != nil {
			return s, fmt.Errorf("document id: %w", err)
		}
		s.Products = append(s.Products, product.SuggestedProduct{ID: id, SKU: h.Source.SKU, Name: h.Source.Name, Image: h.Source.Image})
	}
	var err error
	if s.Queries, err = suggestedQueries(typed, a); err != nil {
		return s, err
	}
	s.Categories, err = suggestedCategories(typed, a)
	return s, err
}

func suggestBody(text, typed string) object {
	last := object{"operator": "and", "boost": 2}
	near := object{"operator": "and", "fuzziness": typos, "prefix_length": 1, "max_expansions": 30, "boost": 0.3}
	query := anyOf(
		object{"prefix": object{"sku.folded": object{"value": fold(strings.TrimSpace(text)), "boost": 5}}},
		object{"match_phrase_prefix": object{"name.words": object{"query": text, "boost": 2, "max_expansions": 30}}},
		match("name.prefix", text, last),
		match("name.prefix", text, near),
		// Last, what stands in a category of that name: it brings the category along.
		object{"constant_score": object{"filter": match("category_text.prefix", text, near), "boost": 0.1}},
	)
	// A phrase that begins with what was typed, whole words before the last.
	completing := object{"terms": object{"field": "phrases", "size": 3 * suggestSize, "include": luceneQuote(typed) + ".*"}}
	return object{
		"query": object{"bool": object{
			"must": []any{lifted(query)}, "filter": []any{object{"term": object{"status": product.Active}}},
		}},
		"size": suggestSize, "_source": []string{"id", "sku", "name", "image"}, "track_total_hits": false,
		"collapse": object{"field": "name.folded"},
		"aggs": object{
			"phrases": completing,
			"nodes":   terms("category_nodes", 60),
		},
	}
}

func plainBuckets(raw json.RawMessage) ([]bucket, error) {
	var agg struct {
		Buckets []bucket `json:"buckets"`
	}
	if err := json.Unmarshal(raw, &agg); err != nil {
		return nil, fmt.Errorf("suggestion: %w", err)
	}
	return agg.Buckets, nil
}

// suggestedQueries completes what was typed with phrases of the catalogue, the
// most frequent first; after a typo it takes them from the products found.
func suggestedQueries(typed string, a answer) ([]string, error) {
	queries := []string{}
	buckets, err := plainBuckets(a.Aggregations["phrases"])
	if err != nil {
		return nil, err
	}
	for _, b := range buckets {
		if phrase := b.key(); len(queries) < suggestSize && !folds(queries, phrase) {
			queries = append(queries, phrase)
		}
	}
	n := len(strings.Fields(typed))
	for _, h := range a.Hits.Hits {
		ws := words(h.Source.Name)
		if len(queries) > 0 || len(ws) < n {
			break
		}
		queries = append(queries, strings.Join(ws[:min(n+1, len(ws))], " "))
	}
	return queries, nil
}

// folds tells whether a phrase, give or take a plural, is there already.
func folds(queries []string, phrase string) bool {
	return slices.ContainsFunc(queries, func(q string) bool { return strings.TrimSuffix(q, "s") == strings.TrimSuffix(phrase, "s") })
}

// suggestedCategories gives categories whose own name has the typed words.
func suggestedCategories(typed string, a answer) ([]product.SuggestedCategory, error) {
	out := []product.SuggestedCategory{}
	buckets, err := plainBuckets(a.Aggregations["nodes"])
	if err != nil {
		return nil, err
	}
	for _, b := range buckets {
		parts := strings.SplitN(b.key(), sep, 3)
		if len(parts) != 3 || len(out) == suggestSize {
			continue
		}
		path := strings.Split(parts[2], pathSep)
		id, err := uuid.Parse(parts[0])
		if err != nil || !begins(words(path[len(path)-1]), strings.Fields(typed)) {
			continue
		}
		out = append(out, product.SuggestedCategory{ID: id, Name: path[len(path)-1], Path: path})
	}
	return out, nil
}

// begins tells whether each typed word begins a word of the name, give or take a
// typo.
func begins(name, typed []string) bool {
	for _, t := range typed {
		if !slices.ContainsFunc(name, func(w string) bool { return beginsNearly([]rune(w), []rune(t)) }) {
			return false
		}
	}
	return true
}

// beginsNearly forgives one letter too many, missing, mistaken or exchanged in
// four and more.
func beginsNearly(word, typed []rune) bool {
	n := min(len(word), len(typed))
	i := 0
	for i < n && word[i] == typed[i] {
		i++
	}
	if i == len(typed) {
		return true
	}
	if len(typed) < shortest {
		return false
	}
	starts := func(w, t []rune) bool { return len(w) >= len(t) && slices.Equal(w[:len(t)], t) }
	rest := typed[i+1:]
	switch {
	case starts(word[i:], rest): // one too many
		return true
	case i == len(word):
		return false
	case starts(word[i+1:], rest), starts(word[i+1:], typed[i:]): // mistaken, missing
		return true
	}
	return i+1 < len(word) && len(rest) > 0 && word[i] == rest[0] && word[i+1] == typed[i] && starts(word[i+2:], rest[1:])
}
