package daprstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dapr/go-sdk/client"
	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
)

// repricePrefix begins the key of a note that a product's carts are to be
// looked through. Notes lie beside the carts, so that an event is acknowledged
// only once its work is durable; each is gone when the work is done.
const (
	repricePrefix = "reprice-"
	noteTTL       = 7 * 24 * time.Hour
)

// Note is a product whose price may have changed, and the tag of the note.
type Note struct {
	Product uuid.UUID
	tag     string
}

// Worklist keeps notes durably: a product stands on it once.
type Worklist struct {
	store *Store
	read  *Collection
}

// NewWorklist makes a worklist over the state store.
func NewWorklist(s *Store, c *Collection) *Worklist { return &Worklist{s, c} }

// Add notes a product. A product that is noted already gets a new tag, so that
// work that began before does not strike out this note.
func (w *Worklist) Add(ctx context.Context, product uuid.UUID, at time.Time) error {
	data, err := json.Marshal(struct {
		Product uuid.UUID `json:"reprice_product_id"`
		At      time.Time `json:"noted_at"`
	}{product, at.UTC()})
	if err != nil {
		return fmt.Errorf("note a product: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	meta := map[string]string{"ttlInSeconds": seconds(noteTTL), "contentType": "application/json"}
	// The last writer wins: two notes of one product mean the same.
	err = w.store.dapr.SaveStateWithETag(ctx, Component, repricePrefix+product.String(), data, "", meta,
		client.WithConcurrency(client.StateConcurrencyLastWrite))
	if err != nil {
		return fmt.Errorf("note a product: %w", err)
	}
	return nil
}

// notedProduct is where a note keeps its product; no cart has it.
const notedProduct = "value.reprice_product_id"

// notes are found by a sparse index, however many carts there are.
var notes = bson.D{{Key: notedProduct, Value: bson.D{{Key: "$exists", Value: true}}}}

// Next gives up to limit notes.
func (w *Worklist) Next(ctx context.Context, limit int) ([]Note, error) {
	from := w.read.prefix + repricePrefix
	cur, err := w.read.carts.Find(ctx, notes,
		options.Find().SetLimit(int64(limit)).SetProjection(bson.D{{Key: "_id", Value: 1}, {Key: "_etag", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("read notes: %w", err)
	}
	var docs []struct {
		ID   string `bson:"_id"`
		Etag string `bson:"_etag"`
	}
	if err := cur.All(ctx, &docs); err != nil {
		return nil, fmt.Errorf("read notes: %w", err)
	}
	var next []Note
	for _, d := range docs {
		if id, err := uuid.Parse(strings.TrimPrefix(d.ID, from)); err == nil {
			next = append(next, Note{id, d.Etag})
		}
	}
	return next, nil
}

// Done strikes a note out, unless it was renewed since it was read.
func (w *Worklist) Done(ctx context.Context, n Note) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := w.store.dapr.DeleteStateWithETag(ctx, Component, repricePrefix+n.Product.String(), &client.ETag{Value: n.tag}, nil,
		&client.StateOptions{Concurrency: client.StateConcurrencyFirstWrite, Consistency: client.StateConsistencyStrong})
	if err != nil && !conflict(err) {
		return fmt.Errorf("strike a note out: %w", err)
	}
	return nil
}

// Reprice works the list off: for each noted product, every cart that holds it
// gets its present price. Work that stops half way is done again.
func (w *Worklist) Reprice(ctx context.Context, carts *cart.Carts) error {
	const turn = 50
	next, err := w.Next(ctx, turn)
	if err != nil {
		return err
	}
	var failed []error
	for _, n := range next {
		if _, err := carts.Reprice(ctx, w.read, n.Product); err != nil {
			failed = append(failed, err)
			continue
		}
		if err := w.Done(ctx, n); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
