package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

const (
	maxQuery      = 500 // bytes of q
	maxSuggest    = 200
	maxFilters    = 200 // values of all filters together
	attrParameter = "attr."
)

func parameter(name, detail string) error {
	return fault.New(fault.Malformed, "malformed_parameter", "A parameter of the path or query can't be read.",
		fault.Field{Field: name, Code: "malformed", Detail: detail})
}

// Search answers GET /v1/search.
func (s *Server) Search(w http.ResponseWriter, r *http.Request, params SearchParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		q, err := queryOf(r, params)
		if err != nil {
			return web.Response{}, err
		}
		res, err := s.Searcher.Search(ctx, q)
		return web.OK(searchView(res)), err
	})
}

func queryOf(r *http.Request, params SearchParams) (product.Query, error) {
	page, err := web.PageOf(params.Limit, params.Cursor)
	if err != nil {
		return product.Query{}, err
	}
	q := product.Query{Text: valueOf(params.Q), Categories: given(params.Category), Brands: given(params.Brand),
		PriceMin: params.PriceMin, PriceMax: params.PriceMax, InStock: params.InStock, Attributes: map[string][]string{},
		Sort: string(valueOf(params.Sort)), Limit: page.Limit, Cursor: page.Cursor}
	if params.RatingMin != nil {
		rating := float64(*params.RatingMin)
		q.RatingMin = &rating
	}
	values := len(q.Categories) + len(q.Brands)
	for name, all := range r.URL.Query() {
		attr, ok := strings.CutPrefix(name, attrParameter)
		if wanted := given(&all); ok && attr != "" && len(wanted) > 0 {
			q.Attributes[attr] = wanted
			values += len(wanted)
		}
	}
	if q.Sort == "" {
		q.Sort = product.SortRelevance
	}
	return q, checkQuery(q, values)
}

// given leaves empty values out: a form sends them for filters that are not set.
func given(values *[]string) []string {
	return slices.DeleteFunc(slices.Clone(valueOf(values)), func(v string) bool { return v == "" })
}

func checkQuery(q product.Query, values int) error {
	switch q.Sort {
	case product.SortRelevance, product.SortPriceAsc, product.SortPriceDesc, product.SortNewest, product.SortRating:
	default:
		return parameter("sort", "one of relevance, price_asc, price_desc, newest, rating")
	}
	switch {
	case len(q.Text) > maxQuery:
		return parameter("q", "at most 500 bytes")
	case values > maxFilters:
		return parameter("attr", "too many filters")
	case q.PriceMin != nil && *q.PriceMin < 0:
		return parameter("price_min", "0 or more")
	case q.PriceMax != nil && *q.PriceMax < 0:
		return parameter("price_max", "0 or more")
	case q.RatingMin != nil && (*q.RatingMin < 0 || *q.RatingMin > 5):
		return parameter("rating_min", "0 to 5")
	}
	return nil
}

// Suggest answers GET /v1/suggest.
func (s *Server) Suggest(w http.ResponseWriter, r *http.Request, params SuggestParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		if len(params.Q) > maxSuggest {
			return web.Response{}, parameter("q", "at most 200 bytes")
		}
		found, err := s.Searcher.Suggest(ctx, params.Q)
		return web.OK(suggestView(found)), err
	})
}
