package product

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/money"
)

// Statuses of a product. A draft is seen by staff alone; an archived one is
// still found by id, but neither listed, searched nor ordered.
const (
	Draft    = "draft"
	Active   = "active"
	Archived = "archived"
)

// Tax classes of a product.
const (
	TaxStandard = "standard"
	TaxReduced  = "reduced"
	TaxZero     = "zero"
)

// Image is a picture, in the order given.
type Image struct {
	URL string `json:"url"`
	Alt string `json:"alt,omitempty"`
}

// Product is one thing to sell.
type Product struct {
	ID           uuid.UUID
	SKU          string // exact, letter case included
	Name         string
	Description  string
	CategoryID   uuid.UUID
	CategoryPath []string    // names from the root
	CategoryIDs  []uuid.UUID // ids of the same
	Brand        string
	Price        money.Money
	TaxClass     string
	Attributes   map[string]any
	Images       []Image
	Status       string
	RatingCount  int64
	RatingSum    int64
	Popularity   int64 // units ordered lately; it lifts a hit a little
	InStock      bool
	// Version counts changes by staff. Revision counts every change that a copy of
	// the product shows, stock flips and ratings among them: it only grows.
	Version   int64
	Revision  int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Rating is the mean of the published reviews, 0 without any.
func (p Product) Rating() float64 {
	if p.RatingCount == 0 {
		return 0
	}
	return float64(p.RatingSum) / float64(p.RatingCount)
}

// Refusals about products.
var (
	ErrNotFound   = fault.New(fault.NotFound, "product_not_found", "There is no such product.")
	ErrSKUTaken   = fault.New(fault.Conflict, "sku_taken", "Another product has this SKU.")
	ErrDraftsOnly = fault.New(fault.Forbidden, "role_required", "Drafts are for staff.")
)

// Reader finds one product, whatever its status. ErrNotFound if there is none.
type Reader interface {
	Product(ctx context.Context, id uuid.UUID) (Product, error)
}

// Filter narrows a list. Status "" means any.
type Filter struct {
	CategoryID *uuid.UUID // with all below it
	Status     string
	Before     uuid.UUID // ids below this one; the nil UUID starts at the newest
	Limit      int
}

// Store keeps products.
type Store interface {
	Reader
	BySKU(ctx context.Context, sku string) (Product, error)
	// List gives the newest first.
	List(ctx context.Context, f Filter) ([]Product, error)
	// Insert adds a product with nothing on the shelf. ErrSKUTaken,
	// ErrCategoryUnknown.
	Insert(ctx context.Context, p Product, evs ...events.Event) error
	// Update locks the product, runs fn and saves it with the events in one
	// transaction. ErrNotFound, ErrSKUTaken, ErrCategoryUnknown.
	Update(ctx context.Context, id uuid.UUID, fn func(p *Product) ([]events.Event, error)) error
}

// Catalogue is the use cases of products.
type Catalogue struct {
	store    Store
	reader   Reader // the store behind its cache
	currency string
	newID    func() uuid.UUID
	now      func() time.Time
}

// NewCatalogue makes the use cases. reader serves reads by id.
func NewCatalogue(store Store, reader Reader, currency string, newID func() uuid.UUID, now func() time.Time) *Catalogue {
	return &Catalogue{store: store, reader: reader, currency: currency, newID: newID, now: now}
}

// Get gives a product; a draft only to staff.
func (c *Catalogue) Get(ctx context.Context, id uuid.UUID, staff bool) (Product, error) {
	return visible(staff)(c.reader.Product(ctx, id))
}

// Present gives a product past the cache, for preconditions.
func (c *Catalogue) Present(ctx context.Context, id uuid.UUID) (Product, error) {
	return c.store.Product(ctx, id)
}

// BySKU gives the product of exactly this SKU; a draft only to staff.
func (c *Catalogue) BySKU(ctx context.Context, sku string, staff bool) (Product, error) {
	return visible(staff)(c.store.BySKU(ctx, sku))
}

func visible(staff bool) func(Product, error) (Product, error) {
	return func(p Product, err error) (Product, error) {
		if err == nil && p.Status == Draft && !staff {
			return Product{}, ErrNotFound
		}
		return p, err
	}
}

// List gives a page. Others than staff see active products unless they ask for
// archived ones.
func (c *Catalogue) List(ctx context.Context, f Filter, staff bool) ([]Product, error) {
	if !staff {
		if f.Status == Draft {
			return nil, ErrDraftsOnly
		}
		if f.Status == "" {
			f.Status = Active
		}
	}
	return c.store.List(ctx, f)
}

// Create adds a product: the caller's fields, with defaults where they are empty.
func (c *Catalogue) Create(ctx context.Context, p Product) (Product, error) {
	p.ID, p.Version, p.Revision = c.newID(), 1, 1
	p.CreatedAt, p.UpdatedAt = c.now(), c.now()
	if p.TaxClass == "" {
		p.TaxClass = TaxStandard
	}
	if p.Status == "" {
		p.Status = Active
	}
	if err := p.check(c.currency); err != nil {
		return Product{}, err
	}
	if err := c.store.Insert(ctx, p, created(p)); err != nil {
		return Product{}, err
	}
	return c.store.Product(ctx, p.ID)
}

// Update changes a product. match decides whether the present version is the
// one that the change was made from. A change that changes nothing is no event
// and no new version.
func (c *Catalogue) Update(ctx context.Context, id uuid.UUID, change Change, match func(version int64) error) (Product, error) {
	err := c.store.Update(ctx, id, func(p *Product) ([]events.Event, error) {
		if err := matched(match, p.Version); err != nil {
			return nil, err
		}
		return c.apply(p, change)
	})
	if err != nil {
		return Product{}, err
	}
	return c.store.Product(ctx, id)
}

func (c *Catalogue) apply(p *Product, change Change) ([]events.Event, error) {
	fields := change.On(p)
	if len(fields) == 0 {
		return nil, nil
	}
	if err := p.check(c.currency); err != nil {
		return nil, err
	}
	p.touch(c.now())
	return []events.Event{updated(*p, fields)}, nil
}

// Archive takes a product out of lists, search and checkout.
func (c *Catalogue) Archive(ctx context.Context, id uuid.UUID, match func(version int64) error) error {
	status := Archived
	return c.store.Update(ctx, id, func(p *Product) ([]events.Event, error) {
		if err := matched(match, p.Version); err != nil {
			return nil, err
		}
		return c.apply(p, Change{Status: &status})
	})
}

func (p *Product) touch(at time.Time) {
	p.Version++
	p.Revision++
	p.UpdatedAt = at
}

func (p *Product) check(currency string) error {
	var bad problems
	bad.sku(p.SKU)
	bad.text("name", p.Name, 1, maxName)
	bad.text("description", p.Description, 0, maxDescription)
	bad.text("brand", p.Brand, 0, maxBrand)
	bad.price(p.Price, currency)
	bad.oneOf("tax_class", p.TaxClass, TaxStandard, TaxReduced, TaxZero)
	bad.oneOf("status", p.Status, Draft, Active, Archived)
	bad.attributes(p.Attributes)
	bad.images(p.Images)
	return bad.fault()
}

func created(p Product) events.Event {
	return &events.ProductCreated{ProductData: events.ProductData{ProductID: p.ID, SKU: p.SKU, Version: p.Version}}
}

func updated(p Product, fields []string) events.Event {
	return &events.ProductUpdated{ProductData: events.ProductData{ProductID: p.ID, SKU: p.SKU, Version: p.Version, Changed: fields}}
}

// Change names what to change of a product; nil leaves a field as it is.
type Change struct {
	SKU         *string
	Name        *string
	Description *string
	CategoryID  *uuid.UUID
	Brand       *string
	Price       *money.Money
	TaxClass    *string
	Attributes  *map[string]any
	Images      *[]Image
	Status      *string
}

// On applies the change and names the fields that really differ.
func (c Change) On(p *Product) []string {
	var fields []string
	fields = put(fields, "sku", &p.SKU, c.SKU)
	fields = put(fields, "name", &p.Name, c.Name)
	fields = put(fields, "description", &p.Description, c.Description)
	fields = put(fields, "category_id", &p.CategoryID, c.CategoryID)
	fields = put(fields, "brand", &p.Brand, c.Brand)
	fields = put(fields, "price", &p.Price, c.Price)
	fields = put(fields, "tax_class", &p.TaxClass, c.TaxClass)
	fields = put(fields, "status", &p.Status, c.Status)
	if c.Attributes != nil && !sameAttributes(p.Attributes, *c.Attributes) {
		p.Attributes = *c.Attributes
		fields = append(fields, "attributes")
	}
	if c.Images != nil && !slices.Equal(p.Images, *c.Images) {
		p.Images = *c.Images
		fields = append(fields, "images")
	}
	return fields
}

func put[T comparable](fields []string, name string, at, value *T) []string {
	if value == nil || *at == *value {
		return fields
	}
	*at = *value
	return append(fields, name)
}

func sameAttributes(a, b map[string]any) bool {
	return (len(a) == 0 && len(b) == 0) || reflect.DeepEqual(a, b)
}
