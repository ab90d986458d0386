package httpapi

import (
	"math"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/product/internal/product"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

func moneyView(m money.Money) Money { return Money{Amount: m.Amount, Currency: m.Currency} }

// ratingView rounds to hundredths: more digits say nothing.
func ratingView(average float64, count int64) Rating {
	return Rating{Average: math.Round(average*100) / 100, Count: count}
}

func productView(p product.Product) Product {
	v := Product{
		Id: p.ID, Sku: p.SKU, Name: p.Name, Description: p.Description, CategoryId: p.CategoryID, CategoryPath: p.CategoryPath,
		Brand: optional(p.Brand), Price: moneyView(p.Price), TaxClass: TaxClass(p.TaxClass), Attributes: Attributes(p.Attributes),
		Images: make([]Image, len(p.Images)), Status: ProductStatus(p.Status), Rating: ratingView(p.Rating(), p.RatingCount),
		InStock: p.InStock, Version: p.Version, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
	for i, im := range p.Images {
		v.Images[i] = Image{Url: im.URL, Alt: optional(im.Alt)}
	}
	if v.Attributes == nil {
		v.Attributes = Attributes{}
	}
	return v
}

func categoryView(c product.Category) Category {
	return Category{Id: c.ID, ParentId: c.ParentID, Name: c.Name, Description: c.Description, Path: c.Path, Children: []Category{},
		Version: c.Version, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
}

// treeView hangs categories under their parents; the list has parents first.
func treeView(all []product.Category) []Category {
	children := map[uuid.UUID][]product.Category{}
	for _, c := range all {
		children[valueOf(c.ParentID)] = append(children[valueOf(c.ParentID)], c)
	}
	var hang func(parent uuid.UUID) []Category
	hang = func(parent uuid.UUID) []Category {
		views := make([]Category, len(children[parent]))
		for i, c := range children[parent] {
			views[i] = categoryView(c)
			views[i].Children = hang(c.ID)
		}
		return views
	}
	return hang(uuid.Nil)
}

func reviewView(r product.Review) Review {
	return Review{Id: r.ID, ProductId: r.ProductID, UserId: r.UserID, Rating: r.Rating, Title: r.Title, Body: r.Body,
		Status: ReviewStatus(r.Status), VerifiedPurchase: valueOf(r.Verified), Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
}

func reviewViews(rs []product.Review) []Review {
	views := make([]Review, len(rs))
	for i, r := range rs {
		views[i] = reviewView(r)
	}
	return views
}

func inventoryView(c stock.Counters, staff bool) Inventory {
	v := Inventory{Available: c.Available()}
	if staff {
		v.OnHand, v.Held, v.Reserved = &c.OnHand, &c.Held, &c.Reserved
	}
	return v
}

func searchView(res product.Results) SearchResult {
	v := SearchResult{Items: make([]SearchHit, len(res.Hits)), Total: res.Total, Facets: map[string][]FacetValue{},
		DidYouMean: optional(res.DidYouMean), Degraded: res.Degraded, NextCursor: optional(res.NextCursor)}
	for i, h := range res.Hits {
		v.Items[i] = SearchHit{Id: h.ID, Sku: h.SKU, Name: h.Name, CategoryId: h.CategoryID, CategoryPath: h.CategoryPath,
			Brand: optional(h.Brand), Price: moneyView(h.Price), Image: optional(h.Image), Rating: ratingView(h.Rating, h.RatingCount), InStock: h.InStock}
	}
	for name, values := range res.Facets {
		facet := make([]FacetValue, len(values))
		for i, f := range values {
			facet[i] = FacetValue{Value: f.Value, Label: optional(f.Label), Count: f.Count, Selected: f.Selected, Parent: optional(f.Parent)}
		}
		v.Facets[name] = facet
	}
	return v
}

func suggestView(found product.Suggestions) map[string]any {
	type suggested struct {
		ID    uuid.UUID `json:"id"`
		SKU   string    `json:"sku"`
		Name  string    `json:"name"`
		Image string    `json:"image,omitempty"`
	}
	type category struct {
		ID   uuid.UUID `json:"id"`
		Name string    `json:"name"`
		Path []string  `json:"path"`
	}
	products, categories := []suggested{}, []category{}
	for _, p := range found.Products {
		products = append(products, suggested(p))
	}
	for _, c := range found.Categories {
		categories = append(categories, category(c))
	}
	return map[string]any{"queries": found.Queries, "products": products, "categories": categories}
}
