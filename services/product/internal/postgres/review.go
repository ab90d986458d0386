package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

const reviewColumns = `
SELECT r.id, r.product_id, r.user_id, r.rating, r.title, r.body, r.status, r.verified_purchase, r.version, r.created_at, r.updated_at
FROM product_reviews r `

const (
	listReviews = reviewColumns + `
WHERE r.product_id = $1 AND ($2 OR r.status = 'published') AND ($3::uuid IS NULL OR r.id < $3)
ORDER BY r.id DESC LIMIT $4`
	selectReview    = reviewColumns + `WHERE r.id = $1`
	lockReview      = reviewColumns + `WHERE r.id = $1 FOR NO KEY UPDATE`
	reviewsOfUser   = reviewColumns + `WHERE r.user_id = $1 ORDER BY r.id`
	claimUnverified = `
WITH claimed AS (
    UPDATE product_reviews SET verify_due_at = now() + $2::interval WHERE id IN (
        SELECT id FROM product_reviews WHERE verified_purchase IS NULL AND user_id IS NOT NULL AND verify_due_at <= now()
        ORDER BY verify_due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING *)
SELECT r.id, r.product_id, r.user_id, r.rating, r.title, r.body, r.status, r.verified_purchase, r.version, r.created_at, r.updated_at
FROM claimed r`
)

// Erased ids are remembered under a lock that an erase takes too, so that no
// review slips in between.
const insertReview = `
INSERT INTO product_reviews (id, product_id, user_id, rating, title, body, status, verified_purchase, verify_due_at, version, created_at, updated_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $8::boolean IS NULL THEN now() + interval '5 seconds' END, $9, $10, $10
WHERE NOT EXISTS (SELECT FROM erased_users WHERE user_id = $3)`

const updateReview = `
UPDATE product_reviews SET rating = $2, title = $3, body = $4, status = $5, verified_purchase = $6, version = $7, updated_at = $8
WHERE id = $1`

const deleteReview = `DELETE FROM product_reviews WHERE id = $1`

const addRating = `
WITH rated AS (
    UPDATE products SET rating_count = rating_count + $2, rating_sum = rating_sum + $3, revision = revision + 1, changed_at = now()
    WHERE id = $1 RETURNING id)
INSERT INTO projection_queue (projection, product_id)
SELECT projection, id FROM rated CROSS JOIN (VALUES ('search'), ('cache')) AS v (projection)`

const lockUser = `SELECT pg_advisory_xact_lock(7270102, hashtext($1::text))`

func scanReview(row pgx.CollectableRow) (r product.Review, err error) {
	err = row.Scan(&r.ID, &r.ProductID, &r.UserID, &r.Rating, &r.Title, &r.Body, &r.Status, &r.Verified, &r.Version, &r.CreatedAt, &r.UpdatedAt)
	r.CreatedAt, r.UpdatedAt = r.CreatedAt.UTC(), r.UpdatedAt.UTC()
	return r, err
}

func (s *Catalogue) reviews(ctx context.Context, sql string, args ...any) ([]product.Review, error) {
	rows, err := s.db.Conn(ctx).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read reviews: %w", err)
	}
	rs, err := pgx.CollectRows(rows, scanReview)
	if err != nil {
		return nil, fmt.Errorf("read reviews: %w", err)
	}
	return rs, nil
}

// Reviews implements product.ReviewStore.
func (s *Catalogue) Reviews(ctx context.Context, f product.ReviewFilter) ([]product.Review, error) {
	return s.reviews(ctx, listReviews, f.ProductID, f.All, pg.NullID(f.Before), f.Limit)
}

// Review implements product.ReviewStore.
func (s *Catalogue) Review(ctx context.Context, id uuid.UUID) (product.Review, error) {
	return s.review(ctx, selectReview, id)
}

func (s *Catalogue) review(ctx context.Context, sql string, id uuid.UUID) (product.Review, error) {
	found, err := s.reviews(ctx, sql, id)
	if err != nil {
		return product.Review{}, err
	}
	if len(found) == 0 {
		return product.Review{}, product.ErrReviewNotFound
	}
	return found[0], nil
}

// ReviewsOf gives all reviews of a user, for the export of personal data.
func (s *Catalogue) ReviewsOf(ctx context.Context, userID uuid.UUID) ([]product.Review, error) {
	return s.reviews(ctx, reviewsOfUser, userID)
}

// AddReview implements product.ReviewStore.
func (s *Catalogue) AddReview(ctx context.Context, r product.Review) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Conn(ctx).Exec(ctx, lockUser, r.UserID); err != nil {
			return fmt.Errorf("lock user: %w", err)
		}
		tag, err := s.db.Conn(ctx).Exec(ctx, insertReview,
			r.ID, r.ProductID, r.UserID, r.Rating, r.Title, r.Body, r.Status, r.Verified, r.Version, r.CreatedAt)
		if err != nil {
			return refusal(err, "insert review")
		}
		if tag.RowsAffected() == 0 {
			return product.ErrUserErased
		}
		return s.rate(ctx, r.ProductID, nil, &r)
	})
}

// ChangeReview implements product.ReviewStore.
func (s *Catalogue) ChangeReview(ctx context.Context, id uuid.UUID, fn func(r product.Review) (*product.Review, error)) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		before, err := s.review(ctx, lockReview, id)
		if err != nil {
			return err
		}
		after, err := fn(before)
		if err != nil {
			return err
		}
		if after == nil {
			_, err = s.db.Conn(ctx).Exec(ctx, deleteReview, id)
		} else {
			_, err = s.db.Conn(ctx).Exec(ctx, updateReview, id, after.Rating, after.Title, after.Body, after.Status, after.Verified, after.Version, after.UpdatedAt)
		}
		if err != nil {
			return refusal(err, "save review")
		}
		return s.rate(ctx, before.ProductID, &before, after)
	})
}

// rate brings the product's rating summary in line with a change of a review.
func (s *Catalogue) rate(ctx context.Context, productID uuid.UUID, before, after *product.Review) error {
	var count, sum int64
	if before != nil && before.Status == product.ReviewPublished {
		count, sum = count-1, sum-int64(before.Rating)
	}
	if after != nil && after.Status == product.ReviewPublished {
		count, sum = count+1, sum+int64(after.Rating)
	}
	if count == 0 && sum == 0 {
		return nil
	}
	if _, err := s.db.Conn(ctx).Exec(ctx, addRating, productID, count, sum); err != nil {
		return fmt.Errorf("rate product: %w", err)
	}
	s.behind(ctx, productID)
	return nil
}

// ClaimUnverified implements product.ReviewStore.
func (s *Catalogue) ClaimUnverified(ctx context.Context, limit int, lease time.Duration) ([]product.Review, error) {
	return s.reviews(ctx, claimUnverified, limit, lease)
}

const (
	rememberErased = `INSERT INTO erased_users (user_id) VALUES ($1) ON CONFLICT ON CONSTRAINT erased_users_pkey DO NOTHING`
	anonymise      = `UPDATE product_reviews SET user_id = NULL, verified_purchase = coalesce(verified_purchase, false), verify_due_at = NULL WHERE user_id = $1`
	forgetKeys     = `DELETE FROM idempotency_keys WHERE user_id = $1`
)

// Erase takes the user's name off what this service keeps, for ever.
func (s *Catalogue) Erase(ctx context.Context, userID uuid.UUID) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		batch := &pgx.Batch{}
		batch.Queue(lockUser, userID)
		batch.Queue(rememberErased, userID)
		batch.Queue(anonymise, userID)
		batch.Queue(forgetAlert, userID)
		batch.Queue(forgetKeys, userID)
		if err := send(ctx, s.db, batch); err != nil {
			return fmt.Errorf("erase user: %w", err)
		}
		return nil
	})
}
