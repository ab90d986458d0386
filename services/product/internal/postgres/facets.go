package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// A facet is counted under all filters but its own, as in the index.

// rated is the mean rating of a product.
const rated = "(CASE WHEN p.rating_count > 0 THEN p.rating_sum::float8 / p.rating_count ELSE 0 END)"

// facetSQL counts the plain facets: value, label, parent, count.
var facetSQL = []struct{ name, columns, from, order string }{
	{"brand", "p.brand, '', '', count(*)", "", " AND p.brand <> '' GROUP BY p.brand ORDER BY 4 DESC, 1 LIMIT 50"},
	{"category", "a.id::text, array_to_string(a.path, ' > '), coalesce(a.parent_id::text, ''), count(*)", " JOIN categories a ON a.id = ANY(c.ancestor_ids)",
		" GROUP BY a.id, a.path, a.parent_id ORDER BY 4 DESC, 2 LIMIT 300"},
	{"availability", "CASE WHEN i.on_hand - i.held - i.reserved > 0 THEN 'in_stock' ELSE 'out_of_stock' END, '', '', count(*)", "", " GROUP BY 1 ORDER BY 1"},
}

const (
	attributesFrom = ` CROSS JOIN LATERAL jsonb_each(p.attributes) AS a (name, raw) CROSS JOIN LATERAL jsonb_path_query(a.raw, '$[*]') AS v (v)`
	attributePairs = 300 // name and value pairs, the most frequent first
	maxAttrFacets  = 12
	maxAttrValues  = 50
)

func (s *Search) facets(ctx context.Context, q product.Query, out map[string][]product.FacetValue) error {
	for _, f := range facetSQL {
		values, err := s.count(ctx, leaving(q, f.name), f.columns, f.from, f.order)
		if err != nil {
			return fmt.Errorf("facet %s: %w", f.name, err)
		}
		for i, v := range values {
			values[i].Selected = selected(q, f.name, v)
		}
		out[f.name] = values
	}
	if err := s.priceFacet(ctx, q, out); err != nil {
		return err
	}
	if err := s.ratingFacet(ctx, q, out); err != nil {
		return err
	}
	return s.attributeFacets(ctx, q, out)
}

func (s *Search) count(ctx context.Context, q product.Query, columns, from, order string) ([]product.FacetValue, error) {
	c := conditionsOf(q)
	rows, err := s.store.db.Conn(ctx).Query(ctx, "SELECT "+columns+searchFrom+from+c.where()+order, c.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (v product.FacetValue, err error) {
		err = row.Scan(&v.Value, &v.Label, &v.Parent, &v.Count)
		return v, err
	})
}

func (s *Search) priceFacet(ctx context.Context, q product.Query, out map[string][]product.FacetValue) error {
	steps := product.PriceSteps()
	buckets := make([]product.PriceBucket, len(steps))
	for i, from := range steps {
		buckets[i].From = from
		if i+1 < len(steps) {
			buckets[i].To = steps[i+1]
		}
	}
	c := conditionsOf(leaving(q, "price"))
	sql := "SELECT width_bucket(p.price_amount, " + c.arg(steps) + "::bigint[]), count(*)" + searchFrom + c.where() + " GROUP BY 1"
	rows, err := s.store.db.Conn(ctx).Query(ctx, sql, c.args...)
	if err != nil {
		return fmt.Errorf("facet price: %w", err)
	}
	var step int
	var n int64
	if _, err := pgx.ForEachRow(rows, []any{&step, &n}, func() error { buckets[step-1].Count = n; return nil }); err != nil {
		return fmt.Errorf("facet price: %w", err)
	}
	out["price"] = product.PriceRanges(q, buckets)
	return nil
}

func (s *Search) ratingFacet(ctx context.Context, q product.Query, out map[string][]product.FacetValue) error {
	c := conditionsOf(leaving(q, "rating"))
	counts := make([]int64, 4)
	sql := "SELECT count(*) FILTER (WHERE " + rated + " >= 1), count(*) FILTER (WHERE " + rated + " >= 2), count(*) FILTER (WHERE " +
		rated + " >= 3), count(*) FILTER (WHERE " + rated + " >= 4)" + searchFrom + c.where()
	if err := s.store.db.Conn(ctx).QueryRow(ctx, sql, c.args...).Scan(&counts[0], &counts[1], &counts[2], &counts[3]); err != nil {
		return fmt.Errorf("facet rating: %w", err)
	}
	for from := 4; from >= 1; from-- {
		out["rating"] = append(out["rating"], product.RatingAtLeast(q, from, counts[from-1]))
	}
	return nil
}

// attributeFacets counts the attributes that are asked for, each without its own
// filter, and the most frequent others.
func (s *Search) attributeFacets(ctx context.Context, q product.Query, out map[string][]product.FacetValue) error {
	const columns, order = "a.name, v #>> '{}', '', count(*)", " AND v #>> '{}' <> '' GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2 LIMIT "
	for name, wanted := range q.Attributes {
		open := q
		open.Attributes = maps.Clone(q.Attributes)
		delete(open.Attributes, name)
		pairs, err := s.count(ctx, open, columns, attributesFrom, order+fmt.Sprint(attributePairs))
		if err != nil {
			return fmt.Errorf("facet of an attribute: %w", err)
		}
		facet := product.AttributeFacet(name)
		out[facet] = []product.FacetValue{}
		for _, p := range pairs {
			if p.Value == name && len(out[facet]) < maxAttrValues {
				out[facet] = append(out[facet], product.FacetValue{Value: p.Label, Count: p.Count, Selected: slices.Contains(wanted, p.Label)})
			}
		}
	}
	pairs, err := s.count(ctx, q, columns, attributesFrom, order+fmt.Sprint(attributePairs))
	if err != nil {
		return fmt.Errorf("attribute facets: %w", err)
	}
	added := map[string]bool{}
	for _, p := range pairs {
		if _, asked := q.Attributes[p.Value]; asked || (!added[p.Value] && len(added) == maxAttrFacets) {
			continue
		}
		added[p.Value] = true
		if facet := product.AttributeFacet(p.Value); len(out[facet]) < maxAttrValues {
			out[facet] = append(out[facet], product.FacetValue{Value: p.Label, Count: p.Count})
		}
	}
	return nil
}

// leaving is a query without one facet's filter.
func leaving(q product.Query, facet string) product.Query {
	switch facet {
	case "brand":
		q.Brands = nil
	case "category":
		q.Categories = nil
	case "availability":
		q.InStock = nil
	case "price":
		q.PriceMin, q.PriceMax = nil, nil
	case "rating":
		q.RatingMin = nil
	}
	return q
}

func selected(q product.Query, facet string, v product.FacetValue) bool {
	switch facet {
	case "brand":
		return slices.Contains(q.Brands, v.Value)
	case "category":
		return slices.ContainsFunc(q.Categories, func(want string) bool {
			return want == v.Value || strings.EqualFold(strings.Join(product.ParsePath(want), " > "), v.Label)
		})
	}
	return q.InStock != nil && *q.InStock == (v.Value == "in_stock")
}
