package search

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// position is what a cursor holds: how much the first page forgave, and the
// sort values of the last hit. Offset is how many came before: by it the database
// goes on when the index goes away, and the index when it is back.
type position struct {
	Tier    tier              `json:"t"`
	Unknown []string          `json:"u,omitempty"`
	Sort    string            `json:"s"`
	After   []json.RawMessage `json:"a"`
	Offset  int               `json:"o"`
}

// maxOffset is the index's max_result_window less a page.
const maxOffset = 9_800

func (p position) cursor() string {
	raw, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func readCursor(cursor, sort string) (position, error) {
	p := position{Sort: sort}
	if cursor == "" {
		return p, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || json.Unmarshal(raw, &p) != nil || p.Sort != sort || p.Tier < 0 || p.Tier >= tiers || p.Offset < 0 {
		return p, product.ErrCursor
	}
	byOffset := len(p.After) == 0 && p.Offset <= maxOffset
	if !byOffset && len(p.After) != len(sortOf(sort)) {
		return p, product.ErrCursor
	}
	return p, nil
}

// answer is what Elasticsearch says to a search.
type answer struct {
	Hits struct {
		Total struct {
			Value int64 `json:"value"`
		} `json:"total"`
		Hits []struct {
			Source document          `json:"_source"`
			Sort   []json.RawMessage `json:"sort"`
		} `json:"hits"`
	} `json:"hits"`
	Aggregations map[string]json.RawMessage `json:"aggregations"`
	Suggest      map[string][]struct {
		Text    string `json:"text"`
		Options []struct {
			Text string `json:"text"`
		} `json:"options"`
	} `json:"suggest"`
}

// Search implements product.Searcher.
func (ix *Index) Search(ctx context.Context, q product.Query) (product.Results, error) {
	pos, err := readCursor(q.Cursor, q.Sort)
	if err != nil {
		return product.Results{}, err
	}
	ws := words(q.Text)
	for {
		var a answer
		err := ix.ask(ctx, searchBody(q, ask{text: q.Text, words: ws, tier: pos.Tier, unknown: pos.Unknown}, pos), &a)
		if statusOf(err) == http.StatusBadRequest && q.Cursor != "" {
			return product.Results{}, product.ErrCursor
		}
		if err != nil {
			return product.Results{}, fmt.Errorf("search: %w", err)
		}
		if q.Cursor != "" || len(ws) == 0 {
			return results(q, pos, a)
		}
		if pos.Tier == strict {
			pos.Unknown = unknown(a)
		}
		next := further(q, pos.Tier, ws, matched(a), exact(q.Text, a))
		if next == pos.Tier {
			return results(q, pos, a)
		}
		pos.Tier = next
	}
}

// few is how many hits leave a shopper of many words with next to nothing.
const few = 3

// further tells which tier to try next, or the present one to stay. Filters may
// leave nothing of a good match, so what the text alone matches counts. A text of
// several words with next to no match gets what has most of them below it; one
// with a code or a size in it means just that.
func further(q product.Query, t tier, ws []string, matched int64, exact bool) tier {
	switch {
	case matched == 0 && t+1 < tiers:
		return t + 1
	case t == strict && matched < few && !exact && len(ws) >= 3 && q.Sort == product.SortRelevance && !slices.ContainsFunc(ws, hasDigit):
		return most
	}
	return t
}

// exact tells whether the first hit is the very code that was asked for.
func exact(text string, a answer) bool {
	return len(a.Hits.Hits) > 0 && compact(a.Hits.Hits[0].Source.SKU) == compact(text)
}

// unknown are the words that stand nowhere in the index, though similar ones do.
func unknown(a answer) []string {
	var ws []string
	for _, w := range a.Suggest["words"] {
		if len(w.Options) > 0 {
			ws = append(ws, w.Text)
		}
	}
	return ws
}

// matched counts what the text alone matches.
func matched(a answer) int64 {
	var all struct {
		Count int64 `json:"doc_count"`
	}
	if json.Unmarshal(a.Aggregations["matched"], &all) != nil {
		return a.Hits.Total.Value
	}
	return all.Count
}

var sourceFields = []string{"id", "sku", "name", "category_id", "category_path", "brand", "price", "currency", "image", "rating", "rating_count", "in_stock"}

func searchBody(q product.Query, a ask, pos position) object {
	fs := filters(q)
	query := object{"bool": object{
		"must":   []any{lifted(textQuery(a))},
		"filter": []any{object{"term": object{"status": product.Active}}},
	}}
	body := object{
		"query": query, "size": q.Limit + 1, "sort": sortOf(q.Sort), "track_total_hits": true, "_source": sourceFields,
		"post_filter": object{"bool": object{"filter": except(fs, "")}},
	}
	if len(pos.After) > 0 {
		body["search_after"] = pos.After
	} else {
		body["from"] = pos.Offset
	}
	body["aggs"] = aggregations(q, fs)
	if len(a.words) > 0 && q.Cursor == "" {
		body["suggest"] = object{"words": object{"text": strings.Join(a.words, " "), "term": object{
			"field": "everything.words", "suggest_mode": "missing", "size": 1, "prefix_length": 0, "min_word_length": shortest, "sort": "score"}}}
	}
	return body
}

func results(q product.Query, pos position, a answer) (product.Results, error) {
	res := product.Results{Total: a.Hits.Total.Value}
	if pos.Tier > strict {
		res.DidYouMean = didYouMean(a)
	}
	hits := a.Hits.Hits
	if len(hits) > q.Limit {
		hits = hits[:q.Limit]
		pos.After = hits[len(hits)-1].Sort
		pos.Offset += len(hits)
		res.NextCursor = pos.cursor()
	}
	for _, h := range hits {
		hit, err := hitOf(h.Source)
		if err != nil {
			return product.Results{}, err
		}
		res.Hits = append(res.Hits, hit)
	}
	var err error
	res.Facets, err = facets(q, a.Aggregations)
	return res, err
}

func hitOf(d document) (product.Hit, error) {
	id, err := uuid.Parse(d.ID)
	if err != nil {
		return product.Hit{}, fmt.Errorf("document id: %w", err)
	}
	category, err := uuid.Parse(d.CategoryID)
	if err != nil {
		return product.Hit{}, fmt.Errorf("document category: %w", err)
	}
	return product.Hit{ID: id, SKU: d.SKU, Name: d.Name, CategoryID: category, CategoryPath: d.CategoryPath, Brand: d.Brand,
		Price: money.New(d.Price, d.Currency), Image: d.Image, Rating: d.Rating, RatingCount: d.RatingCount, InStock: d.InStock}, nil
}

// didYouMean puts the nearest known word for each unknown one; "" when there is
// nothing to correct. Another ending is no correction: the stem has found it.
func didYouMean(a answer) string {
	options := a.Suggest["words"]
	out := make([]string, 0, len(options))
	corrected := false
	for _, w := range options {
		if len(w.Options) == 0 || hasDigit(w.Text) || sameStem(w.Text, w.Options[0].Text) {
			out = append(out, w.Text)
			continue
		}
		out, corrected = append(out, w.Options[0].Text), true
	}
	if !corrected {
		return ""
	}
	return strings.Join(out, " ")
}

func sameStem(a, b string) bool {
	stem := func(w string) string { return strings.TrimSuffix(strings.TrimSuffix(w, "s"), "e") }
	return stem(a) == stem(b)
}
