package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// Catalogue keeps products, categories and reviews. Committed, when set, hears
// of products whose copies are behind, after the commit; it must not block.
type Catalogue struct {
	db        *pg.DB
	box       *outbox.Box
	newID     func() uuid.UUID
	now       func() time.Time
	committed func(ids []uuid.UUID)
}

// NewCatalogue makes the store.
func NewCatalogue(db *pg.DB, box *outbox.Box, newID func() uuid.UUID, now func() time.Time, committed func(ids []uuid.UUID)) *Catalogue {
	return &Catalogue{db: db, box: box, newID: newID, now: now, committed: committed}
}

var (
	_ product.Store         = (*Catalogue)(nil)
	_ product.CategoryStore = (*Catalogue)(nil)
	_ product.ReviewStore   = (*Catalogue)(nil)
	_ product.ImportStore   = (*Catalogue)(nil)
	_ product.AlertStore    = (*Catalogue)(nil)
)

// The sum of two counters that only grow, read in one snapshot, versions the
// copies of a product.
const productColumns = `
SELECT p.id, p.sku, p.name, p.description, p.category_id, c.path, c.ancestor_ids, p.brand, p.price_amount, p.price_currency,
       p.tax_class, p.attributes, p.status, p.rating_count, p.rating_sum, p.popularity,
       i.on_hand - i.held - i.reserved > 0, p.version, p.revision + i.flips, p.created_at, p.updated_at,
       coalesce((SELECT jsonb_agg(jsonb_build_object('url', m.url, 'alt', m.alt) ORDER BY m.position)
                 FROM product_images m WHERE m.product_id = p.id), '[]')
FROM products p JOIN categories c ON c.id = p.category_id JOIN product_inventory i ON i.product_id = p.id `

const (
	selectProduct  = productColumns + `WHERE p.id = $1`
	selectProducts = productColumns + `WHERE p.id = ANY($1)`
	selectBySKU    = productColumns + `WHERE p.sku = $1`
	// Apart from the read: a join that waited would pair the new row with the old
	// category, and find nothing.
	lockProduct  = `SELECT FROM products WHERE id = $1 FOR NO KEY UPDATE`
	listProducts = productColumns + `
WHERE ($1::uuid IS NULL OR p.category_id IN (SELECT id FROM categories WHERE ancestor_ids @> ARRAY[$1::uuid]))
  AND ($2 = '' OR p.status = $2) AND ($3::uuid IS NULL OR p.id < $3)
ORDER BY p.id DESC LIMIT $4`
	exportProducts = productColumns + `WHERE p.id > $1 ORDER BY p.id LIMIT $2`
)

const insertProduct = `
INSERT INTO products (id, sku, name, description, category_id, brand, price_amount, price_currency, tax_class, attributes,
                      status, version, revision, created_at, updated_at, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, now())`

const insertInventory = `INSERT INTO product_inventory (product_id, flipped_at) VALUES ($1, now())`

const updateProduct = `
UPDATE products SET sku = $2, name = $3, description = $4, category_id = $5, brand = $6, price_amount = $7,
    price_currency = $8, tax_class = $9, attributes = $10, status = $11, version = $12, updated_at = $13,
    revision = revision + 1, changed_at = now()
WHERE id = $1`

const deleteImages = `DELETE FROM product_images WHERE product_id = ANY($1)`

const insertImages = `
INSERT INTO product_images (product_id, position, url, alt)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[])`

func scanProduct(row pgx.CollectableRow) (product.Product, error) {
	var p product.Product
	err := row.Scan(&p.ID, &p.SKU, &p.Name, &p.Description, &p.CategoryID, &p.CategoryPath, &p.CategoryIDs, &p.Brand, &p.Price.Amount, &p.Price.Currency,
		&p.TaxClass, &p.Attributes, &p.Status, &p.RatingCount, &p.RatingSum, &p.Popularity, &p.InStock, &p.Version, &p.Revision, &p.CreatedAt, &p.UpdatedAt, &p.Images)
	p.CreatedAt, p.UpdatedAt = p.CreatedAt.UTC(), p.UpdatedAt.UTC()
	return p, err
}

func (s *Catalogue) one(ctx context.Context, sql string, args ...any) (product.Product, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, sql, args...)
	if err != nil {
		return product.Product{}, fmt.Errorf("read product: %w", err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanProduct)
	if errors.Is(err, pgx.ErrNoRows) {
		return product.Product{}, product.ErrNotFound
	}
	if err != nil {
		return product.Product{}, fmt.Errorf("read product: %w", err)
	}
	return p, nil
}

func (s *Catalogue) many(ctx context.Context, sql string, args ...any) ([]product.Product, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	ps, err := pgx.CollectRows(rows, scanProduct)
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	return ps, nil
}

// Product implements product.Reader.
func (s *Catalogue) Product(ctx context.Context, id uuid.UUID) (product.Product, error) {
	return s.one(ctx, selectProduct, id)
}

// Products reads many at once; unknown ids are left out.
func (s *Catalogue) Products(ctx context.Context, ids []uuid.UUID) ([]product.Product, error) {
	return s.many(ctx, selectProducts, ids)
}

// After reads a page of all products by id, for rebuilds and exports.
func (s *Catalogue) After(ctx context.Context, id uuid.UUID, limit int) ([]product.Product, error) {
	return s.many(ctx, exportProducts, id, limit)
}

// Count gives how many products there are, whatever their status.
func (s *Catalogue) Count(ctx context.Context) (n int64, err error) {
	if err := s.db.Conn(ctx).QueryRow(ctx, `SELECT count(*) FROM products`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count products: %w", err)
	}
	return n, nil
}

// BySKU implements product.Store.
func (s *Catalogue) BySKU(ctx context.Context, sku string) (product.Product, error) {
	return s.one(ctx, selectBySKU, sku)
}

// List implements product.Store.
func (s *Catalogue) List(ctx context.Context, f product.Filter) ([]product.Product, error) {
	return s.many(ctx, listProducts, f.CategoryID, f.Status, pg.NullID(f.Before), f.Limit)
}

// Insert implements product.Store.
func (s *Catalogue) Insert(ctx context.Context, p product.Product, evs ...events.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		batch := &pgx.Batch{}
		batch.Queue(insertProduct, p.ID, p.SKU, p.Name, p.Description, p.CategoryID, p.Brand, p.Price.Amount, p.Price.Currency,
			p.TaxClass, attributesOf(p), p.Status, p.Version, p.Revision, p.CreatedAt, p.UpdatedAt)
		batch.Queue(insertInventory, p.ID)
		queueImages(batch, p)
		if err := send(ctx, s.db, batch); err != nil {
			return refusal(err, "insert product")
		}
		s.behind(ctx, p.ID)
		return s.box.Append(ctx, evs...)
	})
}

// Update implements product.Store.
func (s *Catalogue) Update(ctx context.Context, id uuid.UUID, fn func(p *product.Product) ([]events.Event, error)) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Conn(ctx).Exec(ctx, lockProduct, id); err != nil {
			return fmt.Errorf("lock product: %w", err)
		}
		p, err := s.one(ctx, selectProduct, id)
		if err != nil {
			return err
		}
		evs, err := fn(&p)
		if err != nil || len(evs) == 0 {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue(updateProduct, p.ID, p.SKU, p.Name, p.Description, p.CategoryID, p.Brand, p.Price.Amount, p.Price.Currency,
			p.TaxClass, attributesOf(p), p.Status, p.Version, p.UpdatedAt)
		batch.Queue(deleteImages, []uuid.UUID{p.ID})
		queueImages(batch, p)
		if err := send(ctx, s.db, batch); err != nil {
			return refusal(err, "update product")
		}
		s.behind(ctx, p.ID)
		return s.box.Append(ctx, evs...)
	})
}

// behind tells, once committed, that the copies of these products are behind.
func (s *Catalogue) behind(ctx context.Context, ids ...uuid.UUID) {
	if s.committed != nil {
		pg.AfterCommit(ctx, func() { s.committed(ids) })
	}
}

func attributesOf(p product.Product) map[string]any {
	if p.Attributes == nil {
		return map[string]any{}
	}
	return p.Attributes
}

func queueImages(batch *pgx.Batch, ps ...product.Product) {
	var ids []uuid.UUID
	var positions []int32
	var urls, alts []string
	for _, p := range ps {
		for i, im := range p.Images {
			ids, positions = append(ids, p.ID), append(positions, int32(i)+1)
			urls, alts = append(urls, im.URL), append(alts, im.Alt)
		}
	}
	if len(ids) > 0 {
		batch.Queue(insertImages, ids, positions, urls, alts)
	}
}
