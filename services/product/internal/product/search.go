package product

import (
	"context"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/money"
)

// Orders of hits.
const (
	SortRelevance = "relevance"
	SortPriceAsc  = "price_asc"
	SortPriceDesc = "price_desc"
	SortNewest    = "newest"
	SortRating    = "rating"
)

// Query is what a shopper asks. Values of one filter are alternatives; filters
// are all to be met.
type Query struct {
	Text       string
	Categories []string // ids, or paths of names with " > " between
	Brands     []string
	PriceMin   *int64
	PriceMax   *int64
	RatingMin  *float64
	InStock    *bool
	Attributes map[string][]string
	Sort       string
	Limit      int
	Cursor     string
}

// Hit is a product found.
type Hit struct {
	ID           uuid.UUID
	SKU          string
	Name         string
	CategoryID   uuid.UUID
	CategoryPath []string
	Brand        string
	Price        money.Money
	Image        string
	Rating       float64
	RatingCount  int64
	InStock      bool
}

// FacetValue is a value to filter by, with how many products it would leave.
type FacetValue struct {
	Value    string
	Label    string
	Count    int64
	Selected bool
	Parent   string // of a category: the id of the one above
}

// Results is a page of hits.
type Results struct {
	Hits       []Hit
	Total      int64
	Facets     map[string][]FacetValue
	DidYouMean string
	Degraded   bool
	NextCursor string // "" on the last page
}

// SuggestedProduct is a product offered as one types.
type SuggestedProduct struct {
	ID               uuid.UUID
	SKU, Name, Image string
}

// SuggestedCategory is a category offered as one types.
type SuggestedCategory struct {
	ID   uuid.UUID
	Name string
	Path []string
}

// Suggestions is what is offered as one types.
type Suggestions struct {
	Queries    []string
	Products   []SuggestedProduct
	Categories []SuggestedCategory
}

// ErrCursor refuses a cursor that this search did not give.
var ErrCursor = fault.New(fault.Malformed, "bad_cursor", "The cursor is not one that this list gave.")

// Searcher answers searches. An error that is not a fault means that the
// searcher is away.
type Searcher interface {
	Search(ctx context.Context, q Query) (Results, error)
	Suggest(ctx context.Context, text string) (Suggestions, error)
}

// Fallback asks the index first and the database when the index is away.
type Fallback struct{ Index, Database Searcher }

// Search implements Searcher; Degraded tells that the database answered.
func (f Fallback) Search(ctx context.Context, q Query) (Results, error) {
	res, err := f.Index.Search(ctx, q)
	if _, refused := fault.KindOf(err); err == nil || refused {
		return res, err
	}
	res, err = f.Database.Search(ctx, q)
	res.Degraded = true
	return res, err
}

// Suggest implements Searcher.
func (f Fallback) Suggest(ctx context.Context, text string) (Suggestions, error) {
	s, err := f.Index.Suggest(ctx, text)
	if _, refused := fault.KindOf(err); err == nil || refused {
		return s, err
	}
	return f.Database.Suggest(ctx, text)
}
