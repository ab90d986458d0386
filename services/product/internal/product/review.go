package product

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/fault"
)

// Statuses of a review: published ones are seen and counted in the rating.
const (
	ReviewPending   = "pending"
	ReviewPublished = "published"
	ReviewRejected  = "rejected"
)

// Review is one user's word on a product.
type Review struct {
	ID        uuid.UUID
	ProductID uuid.UUID
	UserID    *uuid.UUID // nil once the user is erased
	Rating    int
	Title     string
	Body      string
	Status    string
	// Verified tells whether the user bought the product; nil while the order
	// service has not answered.
	Verified  *bool
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Refusals about reviews.
var (
	ErrReviewNotFound  = fault.New(fault.NotFound, "review_not_found", "There is no such review.")
	ErrAlreadyReviewed = fault.New(fault.Conflict, "already_reviewed", "You have reviewed this product already.")
	ErrUserErased      = fault.New(fault.Conflict, "user_erased", "This account is erased.")
)

// ReviewFilter narrows a list to one product, newest first.
type ReviewFilter struct {
	ProductID uuid.UUID
	All       bool      // with those not published
	Before    uuid.UUID // ids below this one; the nil UUID starts at the newest
	Limit     int
}

// ReviewStore keeps reviews and the rating summary of their products, in one
// transaction.
type ReviewStore interface {
	Reviews(ctx context.Context, f ReviewFilter) ([]Review, error)
	// Review gives ErrReviewNotFound if there is none.
	Review(ctx context.Context, id uuid.UUID) (Review, error)
	// AddReview gives ErrAlreadyReviewed or ErrUserErased.
	AddReview(ctx context.Context, r Review) error
	// ChangeReview locks the review, runs fn and saves it; nil from fn deletes it.
	// ErrReviewNotFound.
	ChangeReview(ctx context.Context, id uuid.UUID, fn func(r Review) (*Review, error)) error
	// ClaimUnverified picks reviews that wait for the order service and puts their
	// next turn off.
	ClaimUnverified(ctx context.Context, limit int, lease time.Duration) ([]Review, error)
}

// Purchases asks the order service whether a user bought a product. An error
// means no answer.
type Purchases interface {
	Purchased(ctx context.Context, userID, productID uuid.UUID) (bool, error)
}

// Reviews is the use cases of reviews.
type Reviews struct {
	store     ReviewStore
	products  Reader
	purchases Purchases
	newID     func() uuid.UUID
	now       func() time.Time
	log       *slog.Logger
}

// NewReviews makes the use cases.
func NewReviews(store ReviewStore, products Reader, purchases Purchases, newID func() uuid.UUID, now func() time.Time, log *slog.Logger) *Reviews {
	return &Reviews{store: store, products: products, purchases: purchases, newID: newID, now: now, log: log}
}

// List gives a page of a product's reviews.
func (s *Reviews) List(ctx context.Context, f ReviewFilter, staff bool) ([]Review, error) {
	if _, err := visible(staff)(s.products.Product(ctx, f.ProductID)); err != nil {
		return nil, err
	}
	f.All = staff
	return s.store.Reviews(ctx, f)
}

// Get gives one review, whatever its status.
func (s *Reviews) Get(ctx context.Context, id uuid.UUID) (Review, error) {
	return s.store.Review(ctx, id)
}

// Owned checks that the review is the user's and of the version that match wants.
func (s *Reviews) Owned(ctx context.Context, id, userID uuid.UUID, match func(version int64) error) error {
	r, err := s.store.Review(ctx, id)
	if err != nil {
		return err
	}
	return r.owned(userID, match)
}

func (r Review) owned(userID uuid.UUID, match func(version int64) error) error {
	if r.UserID == nil || *r.UserID != userID {
		return ErrReviewNotFound
	}
	return matched(match, r.Version)
}

// verifyTimeout bounds the question to Order while the user waits: without an
// answer the review is taken and the question asked again later.
const verifyTimeout = 500 * time.Millisecond

// Create adds the user's review of a product.
func (s *Reviews) Create(ctx context.Context, productID, userID uuid.UUID, rating int, title, body string) (Review, error) {
	if _, err := visible(false)(s.products.Product(ctx, productID)); err != nil {
		return Review{}, err
	}
	at := s.now()
	r := Review{ID: s.newID(), ProductID: productID, UserID: &userID, Rating: rating, Title: title, Body: body,
		Status: ReviewPublished, Version: 1, CreatedAt: at, UpdatedAt: at}
	if err := r.check(); err != nil {
		return Review{}, err
	}
	asking, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	if bought, err := s.purchases.Purchased(asking, userID, productID); err == nil {
		r.Verified = &bought
	} else {
		s.log.Warn("purchase not verified yet", "review_id", r.ID, "error", err)
	}
	return r, s.store.AddReview(ctx, r)
}

func (r Review) check() error {
	var bad problems
	if r.Rating < 1 || r.Rating > 5 {
		bad.add("rating", "out_of_range", "1 to 5")
	}
	bad.text("title", r.Title, 0, 4*200)
	bad.text("body", r.Body, 0, 4*10_000)
	if len([]rune(r.Title)) > 200 {
		bad.add("title", "too_long", "at most 200 characters")
	}
	if len([]rune(r.Body)) > 10_000 {
		bad.add("body", "too_long", "at most 10,000 characters")
	}
	return bad.fault()
}

// ReviewChange names what to change; nil leaves a field as it is.
type ReviewChange struct {
	Rating      *int
	Title, Body *string
}

// Update changes one's own review.
func (s *Reviews) Update(ctx context.Context, id, userID uuid.UUID, change ReviewChange, match func(version int64) error) (Review, error) {
	return s.change(ctx, id, func(r *Review) error {
		if err := r.owned(userID, match); err != nil {
			return err
		}
		put(nil, "", &r.Rating, change.Rating)
		put(nil, "", &r.Title, change.Title)
		put(nil, "", &r.Body, change.Body)
		return r.check()
	})
}

// Moderate publishes a review or takes it out of sight.
func (s *Reviews) Moderate(ctx context.Context, id uuid.UUID, status string) (Review, error) {
	var bad problems
	bad.oneOf("status", status, ReviewPending, ReviewPublished, ReviewRejected)
	if err := bad.fault(); err != nil {
		return Review{}, err
	}
	return s.change(ctx, id, func(r *Review) error {
		r.Status = status
		return nil
	})
}

func (s *Reviews) change(ctx context.Context, id uuid.UUID, fn func(r *Review) error) (Review, error) {
	var after Review
	err := s.store.ChangeReview(ctx, id, func(r Review) (*Review, error) {
		if err := fn(&r); err != nil {
			return nil, err
		}
		r.Version++
		r.UpdatedAt = s.now()
		after = r
		return &r, nil
	})
	return after, err
}

// Delete removes one's own review; staff may remove any.
func (s *Reviews) Delete(ctx context.Context, id, userID uuid.UUID, staff bool, match func(version int64) error) error {
	return s.store.ChangeReview(ctx, id, func(r Review) (*Review, error) {
		if staff {
			return nil, matched(match, r.Version)
		}
		return nil, r.owned(userID, match)
	})
}

const (
	verifyBatch = 50
	verifyLease = 30 * time.Second
)

// VerifyWaiting asks the order service again about reviews that it has not
// answered for yet.
func (s *Reviews) VerifyWaiting(ctx context.Context) error {
	waiting, err := s.store.ClaimUnverified(ctx, verifyBatch, verifyLease)
	if err != nil {
		return err
	}
	for _, w := range waiting {
		if w.UserID == nil {
			continue
		}
		bought, err := s.purchases.Purchased(ctx, *w.UserID, w.ProductID)
		if err != nil {
			return err // the lease brings it back
		}
		err = s.store.ChangeReview(ctx, w.ID, func(r Review) (*Review, error) {
			r.Verified = &bought
			return &r, nil
		})
		if err != nil && fault.CodeOf(err) != ErrReviewNotFound.Code {
			return err
		}
	}
	return nil
}
