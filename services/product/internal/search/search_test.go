package search_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/product/internal/product"
	"github.com/caravan-shop/caravan/services/product/internal/search"
)

const server = "CARAVAN_TEST_ELASTICSEARCH"

// database is a fake of the database.
type database struct{ all []product.Product }

func (c *database) Products(_ context.Context, ids []uuid.UUID) ([]product.Product, error) {
	var out []product.Product
	for _, p := range c.all {
		if slices.Contains(ids, p.ID) {
			out = append(out, p)
		}
	}
	return out, nil
}

func (c *database) After(_ context.Context, id uuid.UUID, limit int) ([]product.Product, error) {
	i, found := slices.BinarySearchFunc(c.all, id, func(p product.Product, id uuid.UUID) int { return strings.Compare(p.ID.String(), id.String()) })
	if found {
		i++
	}
	return c.all[i:min(len(c.all), i+limit)], nil
}

func (c *database) Count(context.Context) (int64, error) { return int64(len(c.all)), nil }

func (c *database) MarkChanged(context.Context, time.Duration) error { return nil }

type fixture struct {
	index     *search.Index
	projector *search.Projector
	data      *database
}

// open makes an index of its own with the products, and drops it after.
func open(t testing.TB, ps ...product.Product) fixture {
	t.Helper()
	url := os.Getenv(server)
	if url == "" {
		t.Fatalf("%s is not set: run the tests by `make test`", server)
	}
	ix, err := search.Open(url, fmt.Sprintf("test_%d_%d", os.Getpid(), time.Now().UnixNano()), time.Now)
	must(t, err)
	f := fixture{index: ix, data: &database{all: ps}}
	f.projector = search.NewProjector(ix, f.data, f.data, slog.New(slog.DiscardHandler))
	must(t, f.projector.Ensure(t.Context()))
	t.Cleanup(func() { must(t, ix.DropAll(context.Background())) })
	must(t, ix.Refresh(t.Context()))
	return f
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var (
	home, lights, kitchen = uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	paths                 = map[uuid.UUID][]string{lights: {"Home", "Lights"}, kitchen: {"Kitchen"}}
)

func item(sku, name string, category uuid.UUID, price int64, more func(*product.Product)) product.Product {
	p := product.Product{ID: uuid.Must(uuid.NewV7()), SKU: sku, Name: name, CategoryID: category, CategoryPath: paths[category],
		CategoryIDs: []uuid.UUID{category}, Price: money.New(price, "GBP"), TaxClass: "standard", Status: product.Active, InStock: true,
		Version: 1, Revision: 1, CreatedAt: time.Now()}
	if category == lights {
		p.CategoryIDs = []uuid.UUID{home, lights}
	}
	if more != nil {
		more(&p)
	}
	return p
}

func shelf() []product.Product {
	brand := func(b, colour string) func(*product.Product) {
		return func(p *product.Product) { p.Brand, p.Attributes = b, map[string]any{"colour": colour, "size": 2.5} }
	}
	return []product.Product{
		item("85123A", "WHITE HANGING HEART T-LIGHT HOLDER", lights, 295, brand("Acme", "white")),
		item("71053", "White metal lantern", lights, 339, brand("Bolt", "white")),
		item("85123a", "Café chair cushion 60x40cm", kitchen, 1250, func(p *product.Product) { p.RatingCount, p.RatingSum = 2, 9 }),
		item("48138", "DOORMAT UNION FLAG", kitchen, 795, func(p *product.Product) { p.InStock = false }),
		item("22752", "Set of 7 babushka nesting boxes", kitchen, 850, brand("Acme", "red")),
		item("21977", "PACK OF 60 PINK PAISLEY CAKE CASES", kitchen, 55, nil),
		item("90210", "Children's mug", kitchen, 165, brand("Acme", "red")),
		item("draft1", "White draft lantern", lights, 100, func(p *product.Product) { p.Status = product.Draft }),
	}
}

func skus(res product.Results) []string {
	out := []string{}
	for _, h := range res.Hits {
		out = append(out, h.SKU)
	}
	return out
}

func TestFinds(t *testing.T) {
	f := open(t, shelf()...)
	for _, tc := range []struct {
		text, first string
		total       int64
	}{
		{"hanging hearts", "85123A", 1},
		{"tlight", "85123A", 1},
		{"t light holders", "85123A", 1},
		{"door mat", "48138", 1},
		{"cafe cushions", "85123a", 1},
		{"cushion 60 x 40", "85123a", 1},
		{"85123A", "85123A", 2}, // the exact letter case first, the other after
		{"85123a", "85123a", 2},
		{"childrens cup", "90210", 1}, // a synonym
		{"lantrn", "71053", 1},        // a typo
		{"babushka boxs", "22752", 1},
		{"paisley cake cases", "21977", 1},
		{"kitchen mug", "90210", 1}, // category and name
		{"acme hanging", "85123A", 1},
		{"zzzzqqq", "", 0},
		{"", "", 7},
	} {
		res, err := f.index.Search(t.Context(), product.Query{Text: tc.text, Sort: product.SortRelevance, Limit: 10})
		must(t, err)
		if res.Total != tc.total || (tc.first != "" && (len(res.Hits) == 0 || res.Hits[0].SKU != tc.first)) {
			t.Errorf("%q: got %v of %d, want %s first of %d", tc.text, skus(res), res.Total, tc.first, tc.total)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	f := open(t, shelf()...)
	res, err := f.index.Search(t.Context(), product.Query{Text: "white lantrn", Sort: product.SortRelevance, Limit: 10})
	must(t, err)
	if res.DidYouMean != "white lantern" {
		t.Errorf("did you mean %q, want white lantern", res.DidYouMean)
	}
}

func TestFacetsLeaveTheirOwnFilterOut(t *testing.T) {
	f := open(t, shelf()...)
	inStock := true
	res, err := f.index.Search(t.Context(), product.Query{Brands: []string{"Acme"}, InStock: &inStock,
		Attributes: map[string][]string{"colour": {"red"}}, Sort: product.SortPriceAsc, Limit: 10})
	must(t, err)
	if got := skus(res); !slices.Equal(got, []string{"90210", "22752"}) {
		t.Errorf("hits %v", got)
	}
	for facet, want := range map[string][]product.FacetValue{
		"brand":        {{Value: "Acme", Count: 2, Selected: true}},
		"colour":       {{Value: "red", Count: 2, Selected: true}, {Value: "white", Count: 1}},
		"availability": {{Value: "in_stock", Count: 2, Selected: true}},
		"category":     {{Value: kitchen.String(), Label: "Kitchen", Count: 2}},
		"size":         {{Value: "2.5", Count: 2}},
	} {
		if got := res.Facets[facet]; !slices.Equal(got, want) {
			t.Errorf("facet %s: got %+v, want %+v", facet, got, want)
		}
	}
	for _, asked := range []string{home.String(), "home", "Home > lights"} {
		res, err := f.index.Search(t.Context(), product.Query{Categories: []string{asked}, Sort: product.SortPriceAsc, Limit: 10})
		must(t, err)
		if got := skus(res); !slices.Equal(got, []string{"85123A", "71053"}) || len(res.Facets["category"]) != 3 {
			t.Errorf("category %s: %v, facet %+v", asked, got, res.Facets["category"])
		}
	}
}

func TestPagesFollow(t *testing.T) {
	f := open(t, shelf()...)
	for _, sort := range []string{product.SortRelevance, product.SortPriceDesc, product.SortNewest, product.SortRating} {
		var got []string
		cursor := ""
		for range 9 {
			res, err := f.index.Search(t.Context(), product.Query{Sort: sort, Limit: 3, Cursor: cursor})
			must(t, err)
			got = append(got, skus(res)...)
			if cursor = res.NextCursor; cursor == "" {
				break
			}
		}
		unique := slices.Compact(slices.Sorted(slices.Values(got)))
		if len(got) != 7 || len(unique) != 7 {
			t.Errorf("%s: pages gave %v, want 7 different products", sort, got)
		}
	}
	if _, err := f.index.Search(t.Context(), product.Query{Sort: product.SortNewest, Limit: 3, Cursor: "nonsense"}); err == nil {
		t.Error("a cursor of nonsense was taken")
	}
}

func TestSuggests(t *testing.T) {
	f := open(t, shelf()...)
	for text, want := range map[string]string{"whi": "WHITE HANGING HEART T-LIGHT HOLDER", "lant": "White metal lantern", "babuska": "Set of 7 babushka nesting boxes", "21977": "PACK OF 60 PINK PAISLEY CAKE CASES"} {
		s, err := f.index.Suggest(t.Context(), text)
		must(t, err)
		if !slices.ContainsFunc(s.Products, func(p product.SuggestedProduct) bool { return p.Name == want }) {
			t.Errorf("%q suggests %+v, want %s among them", text, s.Products, want)
		}
	}
	s, err := f.index.Suggest(t.Context(), "white h")
	must(t, err)
	if !slices.Contains(s.Queries, "white hanging") {
		t.Errorf("queries %v, want white hanging", s.Queries)
	}
	if s, err = f.index.Suggest(t.Context(), "light"); err != nil || len(s.Categories) != 1 || s.Categories[0].Name != "Lights" {
		t.Errorf("categories %+v %v, want Lights", s.Categories, err)
	}
}

func TestOldWritesStayBehind(t *testing.T) {
	ps := shelf()
	f := open(t, ps...)
	newer, older := ps[0], ps[0]
	newer.Name, newer.Revision = "Newer lantern", 5
	older.Name, older.Revision = "Older lantern", 4
	must(t, f.index.Write(t.Context(), "", []product.Product{newer}))
	must(t, f.index.Write(t.Context(), "", []product.Product{older}))
	must(t, f.index.Refresh(t.Context()))
	res, err := f.index.Search(t.Context(), product.Query{Text: "lantern", Sort: product.SortRelevance, Limit: 10})
	must(t, err)
	if got := skus(res); len(got) != 2 || !slices.ContainsFunc(res.Hits, func(h product.Hit) bool { return h.Name == "Newer lantern" }) {
		t.Errorf("hits %v, want the newer document", res.Hits)
	}
	ps[0].Revision = 9
	if n, err := f.projector.Mend(t.Context()); err != nil || n != 1 {
		t.Errorf("mended %d, %v; want the one that is behind", n, err)
	}
	must(t, f.projector.Rebuild(t.Context()))
	if n, err := f.projector.Mend(t.Context()); err != nil || n != 0 {
		t.Errorf("after a rebuild %d were behind, %v", n, err)
	}
}

func TestWithoutServerItFailsFast(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	must(t, l.Close())
	ix, err := search.Open("http://"+addr, "nothing", time.Now)
	must(t, err)
	start := time.Now()
	for range 50 {
		if _, err := ix.Search(t.Context(), product.Query{Text: "x", Limit: 1}); err == nil {
			t.Fatal("an answer from nowhere")
		}
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("50 searches without a server took %v", d)
	}
}
