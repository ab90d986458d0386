package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

const categoriesPath = "/v1/categories/"

// ListCategories answers GET /v1/categories.
func (s *Server) ListCategories(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		all, err := s.Categories.All(ctx)
		return web.OK(CategoryTree{Items: treeView(all)}), err
	})
}

// CreateCategory answers POST /v1/categories.
func (s *Server) CreateCategory(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[NewCategory](r)
		if err != nil {
			return web.Response{}, err
		}
		c, err := s.Categories.Create(ctx, in.Name, valueOf(in.Description), in.ParentId)
		return web.Created(categoriesPath+c.ID.String(), categoryView(c)).WithETag(web.VersionTag(c.Version)), err
	})
}

// GetCategory answers GET /v1/categories/{id}.
func (s *Server) GetCategory(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		c, err := s.Categories.Get(ctx, id)
		if err != nil {
			return web.Response{}, err
		}
		view := categoryView(c)
		below, err := s.Categories.Below(ctx, id)
		for _, child := range below {
			view.Children = append(view.Children, categoryView(child))
		}
		return web.OK(view).WithETag(categoryTag(c, below)), err
	})
}

// categoryChange tells a parent of null from one that is not named.
type categoryChange struct {
	Name        *string         `json:"name"`
	Description *string         `json:"description"`
	ParentID    json.RawMessage `json:"parent_id"`
}

func (in categoryChange) change() (product.CategoryChange, error) {
	out := product.CategoryChange{Name: in.Name, Description: in.Description}
	if in.ParentID == nil {
		return out, nil
	}
	out.Move = true
	if string(in.ParentID) == "null" {
		return out, nil
	}
	var parent uuid.UUID
	if err := json.Unmarshal(in.ParentID, &parent); err != nil {
		return out, product.ErrCategoryUnknown.Because(err)
	}
	out.ParentID = &parent
	return out, nil
}

// UpdateCategory answers PATCH /v1/categories/{id}.
func (s *Server) UpdateCategory(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		present, err := s.Categories.Get(ctx, id)
		if err == nil {
			err = precondition(r, present.Version)
		}
		if err != nil {
			return web.Response{}, err
		}
		in, err := web.Decode[categoryChange](r)
		if err != nil {
			return web.Response{}, err
		}
		change, err := in.change()
		if err != nil {
			return web.Response{}, err
		}
		c, err := s.Categories.Update(ctx, id, change, matching(r))
		return web.OK(categoryView(c)).WithETag(web.VersionTag(c.Version)), err
	})
}

// DeleteCategory answers DELETE /v1/categories/{id}.
func (s *Server) DeleteCategory(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		return web.NoContent(), s.Categories.Delete(ctx, id, matching(r))
	})
}
