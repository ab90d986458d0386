package reconcile

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

type cartReferences struct{ users, products []reference }

// readCarts reads the collection that Cart writes through Dapr's state store. A cart without lines is what an ended one
// leaves behind; it refers to nobody.
func readCarts(ctx context.Context, url string) (cartReferences, error) {
	var found cartReferences
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		return found, fmt.Errorf("carts: %w", err)
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	cursor, err := client.Database("cart_service_db").Collection("carts").Find(ctx, bson.D{},
		options.Find().SetProjection(bson.D{{Key: "value.user_id", Value: 1}, {Key: "value.items.product_id", Value: 1}}))
	if err != nil {
		return found, fmt.Errorf("carts: %w", err)
	}
	var documents []struct {
		ID    string `bson:"_id"`
		Value struct {
			UserID *string `bson:"user_id"`
			Items  []struct {
				ProductID string `bson:"product_id"`
			} `bson:"items"`
		} `bson:"value"`
	}
	if err := cursor.All(ctx, &documents); err != nil {
		return found, fmt.Errorf("carts: %w", err)
	}
	for _, d := range documents {
		if d.Value.UserID != nil && *d.Value.UserID != "" && len(d.Value.Items) > 0 {
			found.users = append(found.users, reference{what: "cart " + d.ID, id: *d.Value.UserID})
		}
		for _, item := range d.Value.Items {
			found.products = append(found.products, reference{what: "cart " + d.ID, id: item.ProductID})
		}
	}
	return found, nil
}
