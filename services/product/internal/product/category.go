// Package product owns the catalogue: categories, products, their reviews, the
// import, and what a search may ask. It must not know HTTP, SQL or Kafka.
package product

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
)

// Category is a node of the tree. Path and Ancestors go from the root to the
// category itself.
type Category struct {
	ID          uuid.UUID
	ParentID    *uuid.UUID
	Name        string
	Description string
	Path        []string
	Ancestors   []uuid.UUID
	Version     int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Refusals about categories.
var (
	ErrCategoryNotFound = fault.New(fault.NotFound, "category_not_found", "There is no such category.")
	ErrCategoryUnknown  = fault.New(fault.Invalid, "category_unknown", "The category that is named does not exist.")
	ErrCategoryCycle    = fault.New(fault.Conflict, "category_cycle", "A category cannot be moved below itself.")
	ErrCategoryInUse    = fault.New(fault.Conflict, "category_in_use", "The category has categories or products in it.")
	ErrCategoryTaken    = fault.New(fault.Conflict, "category_name_taken", "A category of this name is already there.")
	ErrCategoryTooDeep  = fault.New(fault.Invalid, "category_too_deep", "Categories go at most 20 levels deep.")
)

const maxDepth = 20

// CategoryChange names what to change; nil leaves a field as it is.
type CategoryChange struct {
	Name        *string
	Description *string
	// Move tells that ParentID is to be taken; a nil ParentID then makes a root.
	Move     bool
	ParentID *uuid.UUID
}

// CategoryStore keeps the tree. Its writes hold one lock on the tree until the
// transaction ends, so that no two moves make a cycle together.
type CategoryStore interface {
	// Categories gives all, parents before children, siblings by name.
	Categories(ctx context.Context) ([]Category, error)
	// CategoriesBelow gives the direct children, by name.
	CategoriesBelow(ctx context.Context, id uuid.UUID) ([]Category, error)
	// Category gives ErrCategoryNotFound if there is none.
	Category(ctx context.Context, id uuid.UUID) (Category, error)
	// ChangeTree runs fn under the lock of the tree. fn reads with Category and writes
	// with Save and Remove of the Tree it is given.
	ChangeTree(ctx context.Context, fn func(ctx context.Context, t Tree) error) error
}

// Tree is the category tree while it is locked.
type Tree interface {
	Category(ctx context.Context, id uuid.UUID) (Category, error)
	// Add inserts; ErrCategoryTaken if a sibling has the name.
	Add(ctx context.Context, c Category) error
	// Save writes name, description, parent and path, and renews the paths below.
	Save(ctx context.Context, before, after Category) error
	// Remove deletes; ErrCategoryInUse if anything is in it.
	Remove(ctx context.Context, id uuid.UUID) error
}

// Categories is the use cases of the tree.
type Categories struct {
	store CategoryStore
	newID func() uuid.UUID
	now   func() time.Time
}

// NewCategories makes the use cases.
func NewCategories(store CategoryStore, newID func() uuid.UUID, now func() time.Time) *Categories {
	return &Categories{store: store, newID: newID, now: now}
}

// All gives the tree, parents before children.
func (s *Categories) All(ctx context.Context) ([]Category, error) { return s.store.Categories(ctx) }

// Get gives one category.
func (s *Categories) Get(ctx context.Context, id uuid.UUID) (Category, error) {
	return s.store.Category(ctx, id)
}

// Below gives the direct children of a category, by name.
func (s *Categories) Below(ctx context.Context, id uuid.UUID) ([]Category, error) {
	return s.store.CategoriesBelow(ctx, id)
}

// Create adds a category below a parent, or as a root.
func (s *Categories) Create(ctx context.Context, name, description string, parent *uuid.UUID) (Category, error) {
	if err := checkCategory(name, description); err != nil {
		return Category{}, err
	}
	at := s.now()
	c := Category{ID: s.newID(), Name: name, Description: description, Version: 1, CreatedAt: at, UpdatedAt: at}
	err := s.store.ChangeTree(ctx, func(ctx context.Context, t Tree) error {
		if err := place(ctx, t, &c, parent); err != nil {
			return err
		}
		return t.Add(ctx, c)
	})
	return c, err
}

// place sets the parent and what follows from it.
func place(ctx context.Context, t Tree, c *Category, parent *uuid.UUID) error {
	c.ParentID, c.Path, c.Ancestors = nil, []string{c.Name}, []uuid.UUID{c.ID}
	if parent == nil {
		return nil
	}
	p, err := t.Category(ctx, *parent)
	switch {
	case fault.CodeOf(err) == ErrCategoryNotFound.Code:
		return ErrCategoryUnknown.Naming(fault.Field{Field: "parent_id", Code: "unknown", Detail: "no such category"})
	case err != nil:
		return err
	case slices.Contains(p.Ancestors, c.ID):
		return ErrCategoryCycle
	case len(p.Path) >= maxDepth:
		return ErrCategoryTooDeep
	}
	c.ParentID = &p.ID
	c.Path = append(slices.Clone(p.Path), c.Name)
	c.Ancestors = append(slices.Clone(p.Ancestors), c.ID)
	return nil
}

// Update renames or moves a category. match, when not nil, decides whether the
// present version is the one that the change was made from.
func (s *Categories) Update(ctx context.Context, id uuid.UUID, change CategoryChange, match func(version int64) error) (Category, error) {
	var after Category
	err := s.store.ChangeTree(ctx, func(ctx context.Context, t Tree) error {
		before, err := t.Category(ctx, id)
		if err != nil {
			return err
		}
		if err := matched(match, before.Version); err != nil {
			return err
		}
		after = before
		parent := before.ParentID
		if change.Name != nil {
			after.Name = *change.Name
		}
		if change.Description != nil {
			after.Description = *change.Description
		}
		if change.Move {
			parent = change.ParentID
		}
		if err := checkCategory(after.Name, after.Description); err != nil {
			return err
		}
		if err := place(ctx, t, &after, parent); err != nil {
			return err
		}
		after.Version, after.UpdatedAt = before.Version+1, s.now()
		return t.Save(ctx, before, after)
	})
	return after, err
}

// Delete removes an empty category.
func (s *Categories) Delete(ctx context.Context, id uuid.UUID, match func(version int64) error) error {
	return s.store.ChangeTree(ctx, func(ctx context.Context, t Tree) error {
		c, err := t.Category(ctx, id)
		if err != nil {
			return err
		}
		if err := matched(match, c.Version); err != nil {
			return err
		}
		return t.Remove(ctx, id)
	})
}

func matched(match func(int64) error, version int64) error {
	if match == nil {
		return nil
	}
	return match(version)
}

func checkCategory(name, description string) error {
	var p problems
	p.text("name", name, 1, maxName)
	p.text("description", description, 0, maxDescription)
	return p.fault()
}

// ParsePath reads a category path of one string: names parted by " > ", or by
// "/" where there is no " > ".
func ParsePath(s string) []string {
	sep := "/"
	if strings.Contains(s, " > ") {
		sep = " > "
	}
	var names []string
	for name := range strings.SplitSeq(s, sep) {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}
