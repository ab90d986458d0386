package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// One lock for whatever writes many rows of the catalogue: moves in the tree and
// batches of an import. Without it two of them could lock rows crosswise.
const lockTree = `SELECT pg_advisory_xact_lock(7270101)`

const categoryColumns = `
SELECT id, parent_id, name, description, path, ancestor_ids, version, created_at, updated_at FROM categories `

const (
	selectCategory   = categoryColumns + `WHERE id = $1`
	selectCategories = categoryColumns + `ORDER BY path`
	selectBelow      = categoryColumns + `WHERE parent_id = $1 ORDER BY name`
	selectByPath     = categoryColumns + `WHERE path = ANY(SELECT ARRAY(SELECT jsonb_array_elements_text(j)) FROM jsonb_array_elements($1::jsonb) j)`
)

const insertCategory = `
INSERT INTO categories (id, parent_id, name, description, path, ancestor_ids, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

const updateCategory = `
UPDATE categories SET parent_id = $2, name = $3, description = $4, version = $5, updated_at = $6, path = $7, ancestor_ids = $8
WHERE id = $1`

// The part of each path above the moved category is exchanged; $2 is its depth
// before, $3 and $4 its new path and ancestors.
const renewPaths = `
UPDATE categories SET path = $3::text[] || path[$2 + 1:], ancestor_ids = $4::uuid[] || ancestor_ids[$2 + 1:]
WHERE ancestor_ids @> ARRAY[$1::uuid] AND id <> $1`

// Copies of products show the path: they are all behind now.
const markSubtree = `
WITH marked AS (
    UPDATE products SET revision = revision + 1, changed_at = now()
    WHERE category_id IN (SELECT id FROM categories WHERE ancestor_ids @> ARRAY[$1::uuid]) RETURNING id)
INSERT INTO projection_queue (projection, product_id)
SELECT projection, id FROM marked CROSS JOIN (VALUES ('search'), ('cache')) AS v (projection) ORDER BY id`

const deleteCategory = `DELETE FROM categories WHERE id = $1`

func scanCategory(row pgx.CollectableRow) (c product.Category, err error) {
	err = row.Scan(&c.ID, &c.ParentID, &c.Name, &c.Description, &c.Path, &c.Ancestors, &c.Version, &c.CreatedAt, &c.UpdatedAt)
	c.CreatedAt, c.UpdatedAt = c.CreatedAt.UTC(), c.UpdatedAt.UTC()
	return c, err
}

// Categories implements product.CategoryStore.
func (s *Catalogue) Categories(ctx context.Context) ([]product.Category, error) {
	return s.categories(ctx, selectCategories)
}

// CategoriesBelow implements product.CategoryStore.
func (s *Catalogue) CategoriesBelow(ctx context.Context, id uuid.UUID) ([]product.Category, error) {
	return s.categories(ctx, selectBelow, id)
}

func (s *Catalogue) categories(ctx context.Context, sql string, args ...any) ([]product.Category, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read categories: %w", err)
	}
	cs, err := pgx.CollectRows(rows, scanCategory)
	if err != nil {
		return nil, fmt.Errorf("read categories: %w", err)
	}
	return cs, nil
}

// Category implements product.CategoryStore.
func (s *Catalogue) Category(ctx context.Context, id uuid.UUID) (product.Category, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, selectCategory, id)
	if err != nil {
		return product.Category{}, fmt.Errorf("read category: %w", err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, scanCategory)
	if errors.Is(err, pgx.ErrNoRows) {
		return product.Category{}, product.ErrCategoryNotFound
	}
	if err != nil {
		return product.Category{}, fmt.Errorf("read category: %w", err)
	}
	return c, nil
}

// ChangeTree implements product.CategoryStore.
func (s *Catalogue) ChangeTree(ctx context.Context, fn func(ctx context.Context, t product.Tree) error) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Conn(ctx).Exec(ctx, lockTree); err != nil {
			return fmt.Errorf("lock tree: %w", err)
		}
		return fn(ctx, tree{s})
	})
}

// tree is the category tree under its lock.
type tree struct{ *Catalogue }

// Add implements product.Tree.
func (t tree) Add(ctx context.Context, c product.Category) error {
	_, err := t.db.Conn(ctx).Exec(ctx, insertCategory, c.ID, c.ParentID, c.Name, c.Description, c.Path, c.Ancestors, c.Version, c.CreatedAt, c.UpdatedAt)
	return refusal(err, "insert category")
}

// Save implements product.Tree.
func (t tree) Save(ctx context.Context, before, after product.Category) error {
	batch := &pgx.Batch{}
	batch.Queue(updateCategory, after.ID, after.ParentID, after.Name, after.Description, after.Version, after.UpdatedAt, after.Path, after.Ancestors)
	if !slices.Equal(before.Path, after.Path) {
		batch.Queue(renewPaths, after.ID, len(before.Path), after.Path, after.Ancestors)
		batch.Queue(markSubtree, after.ID)
	}
	return refusal(send(ctx, t.db, batch), "update category")
}

// Remove implements product.Tree.
func (t tree) Remove(ctx context.Context, id uuid.UUID) error {
	_, err := t.db.Conn(ctx).Exec(ctx, deleteCategory, id)
	switch err := refusal(err, "delete category"); {
	case errors.Is(err, product.ErrCategoryUnknown):
		return product.ErrCategoryInUse
	default:
		return err
	}
}

// ensurePaths gives the ids of category paths and makes those that are missing,
// under the lock of the tree, which the caller holds.
func (s *Catalogue) ensurePaths(ctx context.Context, paths [][]string, newID func() uuid.UUID, at time.Time) (map[string]uuid.UUID, error) {
	wanted := prefixes(paths)
	found, err := s.categories(ctx, selectByPath, wanted)
	if err != nil {
		return nil, err
	}
	known := map[string]product.Category{}
	for _, c := range found {
		known[product.PathKey(c.Path)] = c
	}
	ids := make(map[string]uuid.UUID, len(wanted))
	for _, path := range wanted { // parents first
		key := product.PathKey(path)
		if _, ok := known[key]; !ok {
			c := product.Category{ID: newID(), Name: path[len(path)-1], Path: path, Version: 1, CreatedAt: at, UpdatedAt: at}
			if len(path) > 1 {
				parent := known[product.PathKey(path[:len(path)-1])]
				c.ParentID, c.Ancestors = &parent.ID, slices.Clone(parent.Ancestors)
			}
			c.Ancestors = append(c.Ancestors, c.ID)
			if err := (tree{s}).Add(ctx, c); err != nil {
				return nil, err
			}
			known[key] = c
		}
		ids[key] = known[key].ID
	}
	return ids, nil
}

// prefixes gives every path with all above it, each once, parents first.
func prefixes(paths [][]string) [][]string {
	seen, out := map[string]bool{}, [][]string{}
	for _, path := range paths {
		for n := 1; n <= len(path); n++ {
			if key := product.PathKey(path[:n]); !seen[key] {
				seen[key] = true
				out = append(out, path[:n:n])
			}
		}
	}
	return out
}
