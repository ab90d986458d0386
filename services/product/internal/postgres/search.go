package postgres

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// Search answers searches from the database while the index is away: full text
// in English, filters and facets, without forgiving typos.
type Search struct{ store *Catalogue }

// NewSearch makes the searcher.
func NewSearch(store *Catalogue) *Search { return &Search{store: store} }

var _ product.Searcher = (*Search)(nil)

// conditions are the filters of a query as SQL over p (products), c (categories)
// and i (inventory), with their arguments.
type conditions struct {
	args  []any
	parts []string
	text  string // the placeholder of the text, "" without one
}

func (c *conditions) arg(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *conditions) add(part string) { c.parts = append(c.parts, part) }

func conditionsOf(q product.Query) *conditions {
	c := &conditions{parts: []string{"p.status = 'active'"}}
	if strings.TrimSpace(q.Text) != "" {
		c.text = c.arg(q.Text)
		c.add("(p.search @@ websearch_to_tsquery('english', " + c.text + ") OR p.sku = " + c.text + ")")
	}
	if len(q.Categories) > 0 {
		ids, paths := splitCategories(q.Categories)
		c.add("(c.ancestor_ids && " + c.arg(ids) + "::uuid[] OR EXISTS (SELECT FROM unnest(" + c.arg(paths) +
			"::text[]) AS w (path) WHERE lower(array_to_string(c.path, ' > ')) || ' > ' LIKE w.path))")
	}
	if len(q.Brands) > 0 {
		c.add("p.brand = ANY(" + c.arg(q.Brands) + ")")
	}
	if q.PriceMin != nil || q.PriceMax != nil {
		c.add("p.price_amount >= coalesce(" + c.arg(q.PriceMin) + "::bigint, 0) AND p.price_amount <= coalesce(" + c.arg(q.PriceMax) + "::bigint, 9007199254740991)")
	}
	if q.RatingMin != nil {
		c.add("(CASE WHEN p.rating_count > 0 THEN p.rating_sum::float8 / p.rating_count ELSE 0 END) >= " + c.arg(*q.RatingMin))
	}
	if q.InStock != nil {
		c.add("(i.on_hand - i.held - i.reserved > 0) = " + c.arg(*q.InStock))
	}
	for name, values := range q.Attributes {
		c.add("EXISTS (SELECT FROM jsonb_path_query(p.attributes -> " + c.arg(name) + ", '$[*]') AS v (v) WHERE v #>> '{}' = ANY(" + c.arg(values) + "))")
	}
	return c
}

func (c *conditions) where() string { return " WHERE " + strings.Join(c.parts, " AND ") }

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func splitCategories(values []string) (ids []uuid.UUID, paths []string) {
	for _, v := range values {
		if id, err := uuid.Parse(v); err == nil {
			ids = append(ids, id)
			continue
		}
		path := strings.ToLower(strings.Join(product.ParsePath(v), " > "))
		paths = append(paths, likeEscape.Replace(path)+" > %")
	}
	return ids, paths
}

const searchFrom = ` FROM products p JOIN categories c ON c.id = p.category_id JOIN product_inventory i ON i.product_id = p.id`

const hitColumns = `
SELECT p.id, p.sku, p.name, p.category_id, c.path, p.brand, p.price_amount, p.price_currency,
       coalesce((SELECT m.url FROM product_images m WHERE m.product_id = p.id ORDER BY m.position LIMIT 1), ''),
       CASE WHEN p.rating_count > 0 THEN p.rating_sum::float8 / p.rating_count ELSE 0 END, p.rating_count,
       i.on_hand - i.held - i.reserved > 0`

// maxOffset bounds how deep a degraded search goes.
const maxOffset = 10_000

// Search implements product.Searcher.
func (s *Search) Search(ctx context.Context, q product.Query) (product.Results, error) {
	offset, err := readOffset(q.Cursor)
	if err != nil {
		return product.Results{}, err
	}
	res := product.Results{Facets: map[string][]product.FacetValue{}}
	if res.Total, err = s.total(ctx, q); err != nil {
		return res, err
	}
	// Every word finds nothing: then any of them may.
	if loose := anyWord(q.Text); res.Total == 0 && loose != q.Text {
		q.Text = loose
		if res.Total, err = s.total(ctx, q); err != nil {
			return res, err
		}
	}
	if res.Hits, err = s.hits(ctx, q, offset); err != nil {
		return res, err
	}
	if next := offset + len(res.Hits); int64(next) < res.Total && len(res.Hits) == q.Limit && next < maxOffset {
		res.NextCursor = offsetCursor(next)
	}
	return res, s.facets(ctx, q, res.Facets)
}

func (s *Search) total(ctx context.Context, q product.Query) (n int64, err error) {
	c := conditionsOf(q)
	if err := s.store.db.Conn(ctx).QueryRow(ctx, "SELECT count(*)"+searchFrom+c.where(), c.args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count hits: %w", err)
	}
	return n, nil
}

// anyWord asks for any of the words of a text.
func anyWord(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }), " or ")
}

func (s *Search) hits(ctx context.Context, q product.Query, offset int) ([]product.Hit, error) {
	c := conditionsOf(q)
	order := map[string]string{
		product.SortPriceAsc: "p.price_amount, p.id", product.SortPriceDesc: "p.price_amount DESC, p.id",
		product.SortNewest: "p.created_at DESC, p.id DESC", product.SortRating: "10 DESC, p.rating_count DESC, p.id",
	}[q.Sort]
	if order == "" {
		order = "p.popularity DESC, p.id"
		if c.text != "" {
			order = "p.sku = " + c.text + " DESC, ts_rank_cd(p.search, websearch_to_tsquery('english', " + c.text + "), 1) DESC, p.id"
		}
	}
	sql := hitColumns + searchFrom + c.where() + " ORDER BY " + order + " LIMIT " + c.arg(q.Limit) + " OFFSET " + c.arg(offset)
	rows, err := s.store.db.Conn(ctx).Query(ctx, sql, c.args...)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	hits, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h product.Hit, err error) {
		err = row.Scan(&h.ID, &h.SKU, &h.Name, &h.CategoryID, &h.CategoryPath, &h.Brand, &h.Price.Amount, &h.Price.Currency,
			&h.Image, &h.Rating, &h.RatingCount, &h.InStock)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return hits, nil
}

type offsetPosition struct {
	Offset int `json:"o"`
}

func offsetCursor(n int) string {
	raw, err := json.Marshal(offsetPosition{n})
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readOffset takes a cursor of the index as the start: the index went away
// between two pages, and a page again is better than an error.
func readOffset(cursor string) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	var p offsetPosition
	if err != nil || json.Unmarshal(raw, &p) != nil || p.Offset < 0 || p.Offset > maxOffset {
		return 0, product.ErrCursor
	}
	return p.Offset, nil
}

const suggestProducts = `
SELECT p.id, p.sku, p.name, coalesce((SELECT m.url FROM product_images m WHERE m.product_id = p.id ORDER BY m.position LIMIT 1), '')
FROM products p WHERE p.status = 'active' AND p.search @@ to_tsquery('english', $1) ORDER BY p.popularity DESC, length(p.name), p.id LIMIT 8`

const suggestCategories = `
SELECT id, name, path FROM categories WHERE name ILIKE $1 OR name ILIKE '% ' || $1 ORDER BY cardinality(path), name LIMIT 8`

// Suggest implements product.Searcher.
func (s *Search) Suggest(ctx context.Context, text string) (product.Suggestions, error) {
	out := product.Suggestions{Queries: []string{}, Products: []product.SuggestedProduct{}, Categories: []product.SuggestedCategory{}}
	ws := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	if len(ws) == 0 {
		return out, nil
	}
	rows, err := s.store.db.Conn(ctx).Query(ctx, suggestProducts, strings.Join(ws, ":* & ")+":*")
	if err != nil {
		return out, fmt.Errorf("suggest products: %w", err)
	}
	out.Products, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p product.SuggestedProduct, err error) {
		err = row.Scan(&p.ID, &p.SKU, &p.Name, &p.Image)
		return p, err
	})
	if err != nil {
		return out, fmt.Errorf("suggest products: %w", err)
	}
	for _, p := range out.Products {
		if q := strings.ToLower(p.Name); !slices.Contains(out.Queries, q) {
			out.Queries = append(out.Queries, q)
		}
	}
	if rows, err = s.store.db.Conn(ctx).Query(ctx, suggestCategories, likeEscape.Replace(strings.TrimSpace(text))+"%"); err != nil {
		return out, fmt.Errorf("suggest categories: %w", err)
	}
	out.Categories, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c product.SuggestedCategory, err error) {
		err = row.Scan(&c.ID, &c.Name, &c.Path)
		return c, err
	})
	if err != nil {
		return out, fmt.Errorf("suggest categories: %w", err)
	}
	return out, nil
}
