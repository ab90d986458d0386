package daprstate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
)

// Where the component keeps its documents.
const (
	Database   = "cart_service_db"
	collection = "carts"
	separator  = "||"
)

// Collection reads the state store's documents. It writes nothing: every
// change goes through the sidecar. It implements cart.Finder and Ghosts.
type Collection struct {
	carts  *mongo.Collection
	prefix string
	now    func() time.Time
}

// NewCollection reads the documents that the sidecar of an app writes.
func NewCollection(db *mongo.Database, app string, now func() time.Time) *Collection {
	return &Collection{db.Collection(collection), app + separator, now}
}

// Connect makes a client; it connects when it is used first.
func Connect(url string) (*mongo.Client, error) {
	c, err := mongo.Connect(options.Client().ApplyURI(url).SetTimeout(callTimeout).
		SetServerSelectionTimeout(2 * time.Second).SetMaxPoolSize(16))
	if err != nil {
		return nil, fmt.Errorf("mongo client: %w", err)
	}
	return c, nil
}

// Indexes makes the indexes by product and of the notes. It runs before the service
// does, with a role that may; the service itself may only read. The index on the
// time to live is the state store component's own.
func Indexes(ctx context.Context, db *mongo.Database) error {
	_, err := db.Collection(collection).Indexes().CreateMany(ctx, []mongo.IndexModel{
		{Keys: bson.D{{Key: "value.items.product_id", Value: 1}}, Options: options.Index().SetName("carts_by_product")},
		{Keys: bson.D{{Key: notedProduct, Value: 1}}, Options: options.Index().SetName("notes").SetSparse(true)},
	})
	if err != nil {
		return fmt.Errorf("cart indexes: %w", err)
	}
	return nil
}

// GhostTag implements Ghosts.
func (c *Collection) GhostTag(ctx context.Context, key string) (string, error) {
	var doc struct {
		Etag string    `bson:"_etag"`
		TTL  time.Time `bson:"_ttl"`
	}
	err := c.carts.FindOne(ctx, bson.D{{Key: "_id", Value: c.prefix + key}},
		options.FindOne().SetProjection(bson.D{{Key: "_etag", Value: 1}, {Key: "_ttl", Value: 1}})).Decode(&doc)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("look for an expired document: %w", err)
	case doc.TTL.IsZero() || doc.TTL.After(c.now()):
		return "", nil
	}
	return doc.Etag, nil
}

// Holding implements cart.Finder.
func (c *Collection) Holding(ctx context.Context, product uuid.UUID, after string, limit int) ([]string, error) {
	filter := bson.D{
		{Key: "value.items.product_id", Value: product.String()},
		{Key: "_id", Value: bson.D{{Key: "$gt", Value: c.prefix + after}}},
	}
	cur, err := c.carts.Find(ctx, filter, options.Find().SetLimit(int64(limit)).
		SetSort(bson.D{{Key: "_id", Value: 1}}).SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("find carts by product: %w", err)
	}
	var docs []struct {
		ID string `bson:"_id"`
	}
	if err := cur.All(ctx, &docs); err != nil {
		return nil, fmt.Errorf("find carts by product: %w", err)
	}
	keys := make([]string, 0, len(docs))
	for _, d := range docs {
		keys = append(keys, strings.TrimPrefix(d.ID, c.prefix))
	}
	return keys, nil
}

type expiringDoc struct {
	ID    string    `bson:"_id"`
	TTL   time.Time `bson:"_ttl"`
	Value struct {
		UserID         string   `bson:"user_id"`
		SubtotalAmount float64  `bson:"subtotal_amount"`
		Currency       string   `bson:"currency"`
		Items          []bson.M `bson:"items"`
	} `bson:"value"`
}

// Expiring implements cart.Finder.
func (c *Collection) Expiring(ctx context.Context, from, until time.Time, after cart.ExpiringMark, limit int) ([]cart.Expiring, error) {
	window := bson.D{{Key: "$gte", Value: from}, {Key: "$lt", Value: until}}
	filter := bson.D{{Key: "_ttl", Value: window}, {Key: "value.items.0", Value: bson.D{{Key: "$exists", Value: true}}}}
	if after.Key != "" {
		filter = append(filter, bson.E{Key: "$or", Value: bson.A{
			bson.D{{Key: "_ttl", Value: bson.D{{Key: "$gt", Value: after.TTL}}}},
			bson.D{{Key: "_ttl", Value: after.TTL}, {Key: "_id", Value: bson.D{{Key: "$gt", Value: c.prefix + after.Key}}}},
		}})
	}
	cur, err := c.carts.Find(ctx, filter, options.Find().SetLimit(int64(limit)).
		SetSort(bson.D{{Key: "_ttl", Value: 1}, {Key: "_id", Value: 1}}).
		SetProjection(bson.D{
			{Key: "_ttl", Value: 1}, {Key: "value.user_id", Value: 1}, {Key: "value.subtotal_amount", Value: 1},
			{Key: "value.currency", Value: 1}, {Key: "value.items.product_id", Value: 1},
		}))
	if err != nil {
		return nil, fmt.Errorf("find expiring carts: %w", err)
	}
	var docs []expiringDoc
	if err := cur.All(ctx, &docs); err != nil {
		return nil, fmt.Errorf("find expiring carts: %w", err)
	}
	out := make([]cart.Expiring, 0, len(docs))
	for _, d := range docs {
		out = append(out, d.toExpiring(c.prefix))
	}
	return out, nil
}

func (d expiringDoc) toExpiring(prefix string) cart.Expiring {
	e := cart.Expiring{
		Key: strings.TrimPrefix(d.ID, prefix), Lines: len(d.Value.Items), TTL: d.TTL.UTC(),
		SubtotalAmount: int64(d.Value.SubtotalAmount), Currency: d.Value.Currency, ExpiresAt: d.TTL.UTC(),
	}
	if id, err := uuid.Parse(d.Value.UserID); err == nil {
		e.UserID = &id
	}
	return e
}
