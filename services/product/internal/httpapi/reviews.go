package httpapi

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// ListReviews answers GET /v1/products/{id}/reviews.
func (s *Server) ListReviews(w http.ResponseWriter, r *http.Request, id Id, params ListReviewsParams) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		page, before, err := pageOf(params.Limit, params.Cursor)
		if err != nil {
			return web.Response{}, err
		}
		rs, err := s.Reviews.List(ctx, product.ReviewFilter{ProductID: id, Before: before, Limit: page.Limit + 1}, isStaff(ctx))
		rs, next := cut(rs, page.Limit, func(r product.Review) uuid.UUID { return r.ID })
		return web.OK(ReviewPage{Items: reviewViews(rs), NextCursor: next}), err
	})
}

// CreateReview answers POST /v1/products/{id}/reviews.
func (s *Server) CreateReview(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		if _, err := s.Catalogue.Get(ctx, id, false); err != nil {
			return web.Response{}, err
		}
		in, err := web.Decode[NewReview](r)
		if err != nil {
			return web.Response{}, err
		}
		rv, err := s.Reviews.Create(ctx, id, auth.Must(ctx).UserID, in.Rating, valueOf(in.Title), valueOf(in.Body))
		return web.Created("/v1/reviews/"+rv.ID.String(), reviewView(rv)).WithETag(web.VersionTag(rv.Version)), err
	})
}

// UpdateReview answers PATCH /v1/reviews/{id}.
func (s *Server) UpdateReview(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		user := auth.Must(ctx).UserID
		if err := s.Reviews.Owned(ctx, id, user, matching(r)); err != nil {
			return web.Response{}, err
		}
		in, err := web.Decode[ReviewChange](r)
		if err != nil {
			return web.Response{}, err
		}
		change := product.ReviewChange{Rating: in.Rating, Title: in.Title, Body: in.Body}
		rv, err := s.Reviews.Update(ctx, id, user, change, matching(r))
		return web.OK(reviewView(rv)).WithETag(web.VersionTag(rv.Version)), err
	})
}

// DeleteReview answers DELETE /v1/reviews/{id}.
func (s *Server) DeleteReview(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		who := auth.Must(ctx)
		return web.NoContent(), s.Reviews.Delete(ctx, id, who.UserID, who.IsStaff(), matching(r))
	})
}

// ModerateReview answers POST /v1/reviews/{id}/moderate.
func (s *Server) ModerateReview(w http.ResponseWriter, r *http.Request, id Id) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		if _, err := s.Reviews.Get(ctx, id); err != nil {
			return web.Response{}, err
		}
		in, err := web.Decode[Moderation](r)
		if err != nil {
			return web.Response{}, err
		}
		rv, err := s.Reviews.Moderate(ctx, id, string(in.Status))
		return web.OK(reviewView(rv)).WithETag(web.VersionTag(rv.Version)), err
	})
}
