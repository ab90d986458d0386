package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/product/internal/postgres"
	"github.com/caravan-shop/caravan/services/product/internal/product"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

type shop struct {
	bench
	store      *postgres.Catalogue
	catalogue  *product.Catalogue
	categories *product.Categories
	importer   *product.Importer
	reviews    *product.Reviews
	purchases  *purchasesFake
}

type purchasesFake struct {
	bought bool
	err    error
}

func (p *purchasesFake) Purchased(context.Context, uuid.UUID, uuid.UUID) (bool, error) {
	return p.bought, p.err
}

func newShop(t testing.TB) shop {
	b := newBench(t, time.Hour)
	store := postgres.NewCatalogue(b.db, outbox.New(b.db, newID, time.Now), newID, time.Now, nil)
	p := &purchasesFake{}
	log := slog.New(slog.DiscardHandler)
	return shop{bench: b, store: store, purchases: p,
		catalogue:  product.NewCatalogue(store, store, "GBP", newID, time.Now),
		categories: product.NewCategories(store, newID, time.Now),
		importer:   product.NewImporter(store, "GBP", newID, time.Now, log),
		reviews:    product.NewReviews(store, store, p, newID, time.Now, log),
	}
}

func (s shop) category(t testing.TB, name string, parent *uuid.UUID) product.Category {
	t.Helper()
	c, err := s.categories.Create(context.Background(), name, "", parent)
	must(t, err)
	return c
}

func (s shop) product(t testing.TB, sku string, category uuid.UUID) product.Product {
	t.Helper()
	p, err := s.catalogue.Create(context.Background(), product.Product{SKU: sku, Name: "Mug " + sku, CategoryID: category, Price: money.New(250, "GBP")})
	must(t, err)
	return p
}

func TestMigrations(t *testing.T) {
	pgtest.UpDownUp(t, postgres.Migrations())
	pgtest.Golden(t, pgtest.Open(t, postgres.Migrations()), "testdata/schema.golden")
}

func TestCategoryTree(t *testing.T) {
	s, ctx := newShop(t), context.Background()
	kitchen := s.category(t, "Kitchen", nil)
	mugs := s.category(t, "Mugs", &kitchen.ID)
	tall := s.category(t, "Tall", &mugs.ID)
	if _, err := s.categories.Create(ctx, "Mugs", "", &kitchen.ID); !errors.Is(err, product.ErrCategoryTaken) {
		t.Errorf("second Mugs: %v, want category_name_taken", err)
	}
	if _, err := s.categories.Update(ctx, kitchen.ID, product.CategoryChange{Move: true, ParentID: &tall.ID}, nil); !errors.Is(err, product.ErrCategoryCycle) {
		t.Errorf("move below itself: %v, want category_cycle", err)
	}
	p := s.product(t, "A1", tall.ID)
	home := "Home"
	_, err := s.categories.Update(ctx, kitchen.ID, product.CategoryChange{Name: &home}, nil)
	must(t, err)
	_, err = s.categories.Update(ctx, mugs.ID, product.CategoryChange{Move: true}, nil)
	must(t, err)
	after, err := s.store.Product(ctx, p.ID)
	must(t, err)
	if want := []string{"Mugs", "Tall"}; !slices.Equal(after.CategoryPath, want) || after.Version != p.Version || after.Revision != p.Revision+2 {
		t.Errorf("path %v, version %d, revision %d; want %v, the same version and two revisions more than %d", after.CategoryPath, after.Version, after.Revision, want, p.Revision)
	}
	for _, c := range []product.Category{mugs, tall} {
		if err := s.categories.Delete(ctx, c.ID, nil); !errors.Is(err, product.ErrCategoryInUse) {
			t.Errorf("delete %s: %v, want category_in_use", c.Name, err)
		}
	}
	must(t, s.categories.Delete(ctx, kitchen.ID, nil))
	found, err := s.catalogue.List(ctx, product.Filter{CategoryID: &mugs.ID, Limit: 10}, false)
	must(t, err)
	if len(found) != 1 || found[0].ID != p.ID {
		t.Errorf("list below Mugs: %v", found)
	}
}

func TestProductVersions(t *testing.T) {
	s, ctx := newShop(t), context.Background()
	c := s.category(t, "Kitchen", nil)
	p := s.product(t, "a1", c.ID)
	other := s.product(t, "A1", c.ID) // another letter case is another SKU
	if _, err := s.catalogue.Create(ctx, product.Product{SKU: "a1", Name: "x", CategoryID: c.ID, Price: money.New(1, "GBP")}); !errors.Is(err, product.ErrSKUTaken) {
		t.Fatalf("same SKU: %v, want sku_taken", err)
	}
	name, images := "Big mug", []product.Image{{URL: "https://x.example/1.jpg", Alt: "front"}}
	changed, err := s.catalogue.Update(ctx, p.ID, product.Change{Name: &name, Images: &images, Attributes: &map[string]any{"colour": "red"}}, nil)
	must(t, err)
	same, err := s.catalogue.Update(ctx, p.ID, product.Change{Name: &name}, nil)
	must(t, err)
	if changed.Version != 2 || same.Version != 2 || changed.Name != name || !slices.Equal(changed.Images, images) {
		t.Fatalf("got %+v then version %d, want version 2 both times", changed, same.Version)
	}
	must(t, s.catalogue.Archive(ctx, p.ID, nil))
	if got, want := s.topics(t, p.ID), []string{"product.created", "product.updated", "product.updated"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	listed, err := s.catalogue.List(ctx, product.Filter{Limit: 10}, false)
	must(t, err)
	if len(listed) != 1 || listed[0].ID != other.ID {
		t.Errorf("shoppers see %d products, want the one that is not archived", len(listed))
	}
	if got, err := s.catalogue.BySKU(ctx, "A1", false); err != nil || got.ID != other.ID {
		t.Errorf("by SKU A1: %v %v", got.ID, err)
	}
}

// Writers that wait for each other see each other's category, and lose nothing.
func TestConcurrentChangesOfOneProduct(t *testing.T) {
	s, ctx := newShop(t), context.Background()
	a, b := s.category(t, "A", nil), s.category(t, "B", nil)
	p := s.product(t, "A1", a.ID)
	var wg sync.WaitGroup
	const writers = 12
	for i := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			category, name := []uuid.UUID{a.ID, b.ID}[i%2], fmt.Sprintf("name %d", i)
			if _, err := s.catalogue.Update(ctx, p.ID, product.Change{CategoryID: &category, Name: &name}, nil); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if after, err := s.store.Product(ctx, p.ID); err != nil || after.Version != 1+writers {
		t.Errorf("version %d, %v; want %d", after.Version, err, 1+writers)
	}
}

func imported(t testing.TB, s shop, lines string) product.ImportResult {
	t.Helper()
	res, err := s.importer.Run(context.Background(), strings.NewReader(lines))
	must(t, err)
	return res
}

func TestImport(t *testing.T) {
	s, ctx := newShop(t), context.Background()
	lines := `{"sku":"A","name":"Mug","category":"Kitchen > Mugs","price":{"amount":100,"currency":"GBP"},"quantity":5,"images":["https://x.example/a.png"]}

{"sku":"B","name":"Cup","category":["Kitchen","Cups"],"price":{"amount":200,"currency":"GBP"},"attributes":{"size":1.5,"tags":["a","b"]}}
{"sku":"A","name":"Mug","description":"again"}
{"sku":"C","name":"No price"}
not json
{"sku":"D","surprise":1}
{"sku":"E","name":"Euro","price":{"amount":1,"currency":"EUR"}}`
	res := imported(t, s, lines)
	want := product.ImportResult{Created: 2, Updated: 1, Failed: 4}
	codes := map[int64]string{}
	for _, e := range res.Errors {
		codes[e.Line] = e.Code
	}
	res.Errors = nil
	if diff := cmp.Diff(want, res); diff != "" {
		t.Fatalf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int64]string{5: "validation_failed", 6: "malformed_line", 7: "unknown_field", 8: "validation_failed"}, codes); diff != "" {
		t.Fatalf("errors (-want +got):\n%s", diff)
	}
	a, err := s.store.BySKU(ctx, "A")
	must(t, err)
	if c := s.counters(t, a.ID); c.OnHand != 5 || a.Description != "again" || !slices.Equal(a.CategoryPath, []string{"Kitchen", "Mugs"}) || len(a.Images) != 1 {
		t.Fatalf("got %+v with %+v", a, c)
	}
	if again := imported(t, s, strings.Join(strings.Split(lines, "\n")[:3], "\n")+"\n"); again.Unchanged != 2 || again.Updated+again.Created+again.Failed != 0 {
		t.Fatalf("the same again: %+v, want 2 unchanged", again)
	}
	s.noDrift(t)
}

func TestImportCountsTheShelf(t *testing.T) {
	s, ctx := newShop(t), context.Background()
	line := func(n int) string {
		return fmt.Sprintf(`{"sku":"A","name":"Mug %d","price":{"amount":100,"currency":"GBP"},"quantity":%d}`, n, n)
	}
	imported(t, s, line(5))
	a, err := s.store.BySKU(ctx, "A")
	must(t, err)
	_, err = s.svc.Place(ctx, newID(), newID(), lines(3, a.ID))
	must(t, err)
	if res := imported(t, s, line(2)); res.Failed != 1 || res.Errors[0].Code != "below_committed" {
		t.Fatalf("below what is held: %+v", res)
	}
	if res := imported(t, s, line(3)); res.Updated != 1 {
		t.Fatalf("exactly what is held: %+v", res)
	}
	if c := s.counters(t, a.ID); c != (stock.Counters{OnHand: 3, Held: 3}) {
		t.Fatalf("counters %+v", c)
	}
	if got := s.topics(t, a.ID); !slices.Equal(got, []string{"product.created", "product.updated", "product.out_of_stock"}) {
		t.Fatalf("events %v", got)
	}
	s.noDrift(t)
}

func TestImportManyInConstantBatches(t *testing.T) {
	s := newShop(t)
	var b strings.Builder
	const n = 2300
	for i := range n {
		fmt.Fprintf(&b, `{"sku":"S%d","name":"Thing %d","category":"All/Part %d","price":{"amount":%d,"currency":"GBP"},"quantity":%d}`+"\n", i, i, i%7, 100+i, i%3)
	}
	start := time.Now()
	res := imported(t, s, b.String())
	t.Logf("%d products in %v", n, time.Since(start))
	if res.Created != n || res.Failed != 0 {
		t.Fatalf("first time %+v", res)
	}
	start = time.Now()
	if res := imported(t, s, b.String()); res.Unchanged != n {
		t.Fatalf("second time %+v", res)
	}
	t.Logf("unchanged in %v", time.Since(start))
	s.noDrift(t)
}

func TestReviews(t *testing.T) {
	s, ctx := newShop(t), context.Background()
	p := s.product(t, "A", s.category(t, "Kitchen", nil).ID)
	ann, bob := newID(), newID()
	s.purchases.bought = true
	first, err := s.reviews.Create(ctx, p.ID, ann, 5, "Lovely", "")
	must(t, err)
	if _, err := s.reviews.Create(ctx, p.ID, ann, 4, "", ""); !errors.Is(err, product.ErrAlreadyReviewed) {
		t.Fatalf("second review: %v, want already_reviewed", err)
	}
	s.purchases.err = errors.New("order service away")
	second, err := s.reviews.Create(ctx, p.ID, bob, 2, "", "")
	must(t, err)
	if first.Verified == nil || !*first.Verified || second.Verified != nil {
		t.Fatalf("verified %v and %v, want true and unknown", first.Verified, second.Verified)
	}
	s.rating(t, p.ID, 2, 7)
	_, err = s.reviews.Moderate(ctx, second.ID, product.ReviewRejected)
	must(t, err)
	s.rating(t, p.ID, 1, 5)
	three := 3
	_, err = s.reviews.Update(ctx, first.ID, ann, product.ReviewChange{Rating: &three}, nil)
	must(t, err)
	if _, err := s.reviews.Update(ctx, first.ID, bob, product.ReviewChange{Rating: &three}, nil); !errors.Is(err, product.ErrReviewNotFound) {
		t.Fatalf("another's review: %v, want review_not_found", err)
	}
	s.rating(t, p.ID, 1, 3)

	s.purchases.err = nil
	must(t, s.exec(ctx, `UPDATE product_reviews SET verify_due_at = now() WHERE verified_purchase IS NULL`))
	must(t, s.reviews.VerifyWaiting(ctx))
	if got, err := s.reviews.Get(ctx, second.ID); err != nil || got.Verified == nil || !*got.Verified {
		t.Fatalf("asked again: %+v %v, want verified", got, err)
	}

	must(t, s.store.Erase(ctx, ann))
	must(t, s.store.Erase(ctx, ann))
	if got, err := s.reviews.Get(ctx, first.ID); err != nil || got.UserID != nil || got.Rating != 3 {
		t.Fatalf("after erase: %+v %v, want the review without its user", got, err)
	}
	if _, err := s.reviews.Create(ctx, p.ID, ann, 4, "", ""); !errors.Is(err, product.ErrUserErased) {
		t.Fatalf("erased user: %v, want user_erased", err)
	}
	must(t, s.reviews.Delete(ctx, first.ID, newID(), true, nil))
	s.rating(t, p.ID, 0, 0)
}

func (s shop) rating(t testing.TB, id uuid.UUID, count, sum int64) {
	t.Helper()
	p, err := s.store.Product(context.Background(), id)
	must(t, err)
	if p.RatingCount != count || p.RatingSum != sum {
		t.Fatalf("rating %d of %d reviews, want %d of %d", p.RatingSum, p.RatingCount, sum, count)
	}
}

func TestSearchWithoutTheIndex(t *testing.T) {
	s, ctx := newShop(t), context.Background()
	imported(t, s, `{"sku":"85123A","name":"White hanging heart t-light holder","category":"Home > Lights","brand":"Acme","price":{"amount":295,"currency":"GBP"},"quantity":3,"attributes":{"colour":"white"}}
{"sku":"71053","name":"White metal lantern","category":"Home > Lights","brand":"Bolt","price":{"amount":339,"currency":"GBP"},"attributes":{"colour":"white"}}
{"sku":"22752","name":"Red mug","category":"Kitchen","brand":"Acme","price":{"amount":120,"currency":"GBP"},"quantity":1,"attributes":{"colour":"red"}}`)
	search := postgres.NewSearch(s.store)
	inStock := true
	for _, tc := range []struct {
		name string
		q    product.Query
		want []string
	}{
		{"words in any order and form", product.Query{Text: "hearts hanging"}, []string{"85123A"}},
		{"exact SKU", product.Query{Text: "71053"}, []string{"71053"}},
		{"category with all below", product.Query{Categories: []string{"home"}, Sort: product.SortPriceDesc}, []string{"71053", "85123A"}},
		{"two brands in stock", product.Query{Brands: []string{"Acme", "Bolt"}, InStock: &inStock, Sort: product.SortPriceAsc}, []string{"22752", "85123A"}},
		{"attribute", product.Query{Attributes: map[string][]string{"colour": {"red"}}}, []string{"22752"}},
		{"operators are no error", product.Query{Text: `"white -& metal`}, []string{"71053"}},
	} {
		tc.q.Limit = 10
		res, err := search.Search(ctx, tc.q)
		must(t, err)
		var got []string
		for _, h := range res.Hits {
			got = append(got, h.SKU)
		}
		if !slices.Equal(got, tc.want) || res.Total != int64(len(tc.want)) {
			t.Errorf("%s: got %v of %d, want %v", tc.name, got, res.Total, tc.want)
		}
	}
	res, err := search.Search(ctx, product.Query{Brands: []string{"Acme"}, Limit: 1})
	must(t, err)
	if n := len(res.Facets["brand"]); n != 2 || res.NextCursor == "" {
		t.Errorf("brand facet has %d values, want both though one is selected; cursor %q", n, res.NextCursor)
	}
	low := int64(200)
	res, err = search.Search(ctx, product.Query{PriceMin: &low, Attributes: map[string][]string{"colour": {"white"}}, Limit: 10})
	must(t, err)
	for facet, want := range map[string][]product.FacetValue{
		"colour":       {{Value: "white", Count: 2, Selected: true}},
		"availability": {{Value: "in_stock", Count: 1}, {Value: "out_of_stock", Count: 1}},
		"rating":       {{Value: "4", Label: "4 and up"}, {Value: "3", Label: "3 and up"}, {Value: "2", Label: "2 and up"}, {Value: "1", Label: "1 and up"}},
		"price":        {{Value: "200-299", Label: "2.00 – 2.99", Count: 1, Selected: true}, {Value: "300-499", Label: "3.00 – 4.99", Count: 1, Selected: true}},
	} {
		if diff := cmp.Diff(want, res.Facets[facet]); diff != "" {
			t.Errorf("facet %s (-want +got):\n%s", facet, diff)
		}
	}
	if res, err := search.Search(ctx, product.Query{Text: "purple mug", Limit: 10}); err != nil || res.Total != 1 {
		t.Errorf("one word that nobody sells: %d hits, %v; want the mug", res.Total, err)
	}
	if s, err := search.Suggest(ctx, "white m"); err != nil || len(s.Products) != 1 {
		t.Errorf("suggest: %+v %v", s, err)
	}
}

func TestProjectionQueue(t *testing.T) {
	s, ctx := newShop(t), context.Background()
	q := postgres.NewProjections(s.db)
	a, b := newID(), newID()
	must(t, q.Mark(ctx, []uuid.UUID{a, b, a}, postgres.ProjectionSearch))
	if _, err := q.Drain(ctx, postgres.ProjectionSearch, 10, func(context.Context, []uuid.UUID) error { return errors.New("index away") }); err == nil {
		t.Fatal("the failure was lost")
	}
	var got []uuid.UUID
	n, err := q.Drain(ctx, postgres.ProjectionSearch, 10, func(_ context.Context, ids []uuid.UUID) error { got = ids; return nil })
	must(t, err)
	if n != 3 || !slices.Equal(got, []uuid.UUID{a, b}) {
		t.Fatalf("%d rows, ids %v; want 3 rows, each id once", n, got)
	}
	if n, err := q.Drain(ctx, postgres.ProjectionSearch, 10, nil); n != 0 || err != nil {
		t.Fatalf("drained queue: %d %v", n, err)
	}
}
