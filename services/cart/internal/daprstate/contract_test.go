package daprstate_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
	"github.com/caravan-shop/caravan/services/cart/internal/carttest"
	"github.com/caravan-shop/caravan/services/cart/internal/daprstate"
)

// TestServerContract asks of the Mongo server what the service relies on beyond the client's view, so that a stand-in
// differs in nothing from the real one. CARAVAN_TEST_MONGO names the server.
func TestServerContract(t *testing.T) {
	state := carttest.Open(t)
	user := uuid.New()
	if err := state.Store.Save(t.Context(), user.String(), sample(user, 2), "", time.Hour); err != nil {
		t.Fatal(err)
	}
	t.Run("of writers with one tag one wins", func(t *testing.T) { oneWriterWins(t, state, user) })
	t.Run("indexes", func(t *testing.T) { hasIndexes(t, state) })
	t.Run("the worklist goes by an index", func(t *testing.T) { goesByIndex(t, state) })
	t.Run("the stored document", func(t *testing.T) { keepsSchema(t, state, user) })
}

func oneWriterWins(t *testing.T, state carttest.State, user uuid.UUID) {
	ctx := t.Context()
	_, tag, err := state.Store.Load(ctx, user.String())
	if err != nil {
		t.Fatal(err)
	}
	const writers = 12
	outcomes := make([]error, writers)
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() { outcomes[n] = state.Store.Save(ctx, user.String(), sample(user, n), tag, time.Hour) })
	}
	all.Wait()
	won := 0
	for _, err := range outcomes {
		if err == nil {
			won++
		} else if !errors.Is(err, cart.ErrConflict) {
			t.Errorf("a writer that lost got %v, want a conflict", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d writers won, want one", won, writers)
	}
}

func hasIndexes(t *testing.T, state carttest.State) {
	ctx := t.Context()
	var indexes []struct {
		Key    bson.D
		Expire *int64 `bson:"expireAfterSeconds"`
	}
	cursor, err := state.DB.Collection("carts").Indexes().List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := cursor.All(ctx, &indexes); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, index := range indexes {
		name := index.Key[0].Key
		if index.Expire != nil && *index.Expire == 0 {
			name += " expires"
		}
		got = append(got, name)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"_id", "_ttl expires", "value.items.product_id", "value.reprice_product_id"}, got); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
}

// What is asked twice a second must not go through all carts.
func goesByIndex(t *testing.T, state carttest.State) {
	var plan bson.M
	err := state.DB.RunCommand(t.Context(), bson.D{
		{Key: "explain", Value: bson.D{{Key: "find", Value: "carts"}, {Key: "filter", Value: daprstate.Notes}, {Key: "limit", Value: 50}}},
		{Key: "verbosity", Value: "queryPlanner"},
	}).Decode(&plan)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bson.MarshalExtJSON(plan, false, false)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("COLLSCAN")) || !bytes.Contains(text, []byte("IXSCAN")) {
		t.Errorf("the worklist is not found by an index: %s", text)
	}
}

func keepsSchema(t *testing.T, state carttest.State, user uuid.UUID) {
	key := carttest.App + "||" + user.String()
	var raw bson.M
	if err := state.DB.Collection("carts").FindOne(t.Context(), bson.D{{Key: "_id", Value: key}}).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	var fields []string
	for name := range raw {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	if diff := cmp.Diff([]string{"_etag", "_id", "_ttl", "value"}, fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	text, err := bson.MarshalExtJSON(raw["value"], false, false)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile("../../document.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("value is not what document.schema.json says: %v\n%s", err, text)
	}
}
