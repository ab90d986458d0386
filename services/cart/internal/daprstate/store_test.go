package daprstate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/caravan-shop/caravan/services/cart/internal/cart"
	"github.com/caravan-shop/caravan/services/cart/internal/carttest"
)

func sample(user uuid.UUID, lines int) cart.Cart {
	now := time.Now().UTC().Truncate(time.Millisecond)
	c := cart.Cart{
		UserID: &user, Version: now.UnixMilli(), Items: []cart.Item{}, Currency: "GBP", SubtotalAmount: 1<<53 - 1,
		CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour), Writes: []string{uuid.NewString()},
	}
	for range lines {
		c.Items = append(c.Items, cart.Item{ProductID: uuid.New(), Quantity: 3, UnitPriceAmount: 1999, AddedAt: now})
	}
	return c
}

func TestStore(t *testing.T) {
	state := carttest.Open(t)
	ctx := t.Context()

	t.Run("what is saved is loaded", func(t *testing.T) {
		for _, lines := range []int{0, 1, cart.MaxLines} {
			user := uuid.New()
			want := sample(user, lines)
			if err := state.Store.Save(ctx, user.String(), want, "", time.Hour); err != nil {
				t.Fatal(err)
			}
			got, tag, err := state.Store.Load(ctx, user.String())
			if err != nil || tag == "" {
				t.Fatalf("load: tag %q, error %v", tag, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%d lines: loaded cart differs (-want +got):\n%s", lines, d)
			}
		}
	})

	t.Run("an absent cart has no tag", func(t *testing.T) {
		if _, tag, err := state.Store.Load(ctx, uuid.NewString()); tag != "" || err != nil {
			t.Errorf("got tag %q, error %v", tag, err)
		}
	})

	t.Run("creation and stale tags conflict", func(t *testing.T) {
		user := uuid.New()
		c := sample(user, 1)
		if err := state.Store.Save(ctx, user.String(), c, "", time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := state.Store.Save(ctx, user.String(), c, "", time.Hour); !errors.Is(err, cart.ErrConflict) {
			t.Errorf("create over a document: got %v, want a conflict", err)
		}
		_, old, err := state.Store.Load(ctx, user.String())
		if err != nil {
			t.Fatal(err)
		}
		if err := state.Store.Save(ctx, user.String(), c, old, time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := state.Store.Save(ctx, user.String(), c, old, time.Hour); !errors.Is(err, cart.ErrConflict) {
			t.Errorf("stale tag: got %v, want a conflict", err)
		}
	})

	t.Run("every document has an end, and one past it makes room", func(t *testing.T) {
		user := uuid.New()
		if err := state.Store.Save(ctx, user.String(), sample(user, 1), "", time.Second); err != nil {
			t.Fatal(err)
		}
		waitGone(ctx, t, state, user.String())
		if err := state.Store.Save(ctx, user.String(), sample(user, 2), "", 90*time.Second); err != nil {
			t.Fatalf("create in place of an expired document: %v", err)
		}
		var doc struct {
			TTL time.Time `bson:"_ttl"`
		}
		err := state.DB.Collection("carts").FindOne(ctx, bson.D{{Key: "_id", Value: carttest.App + "||" + user.String()}}).Decode(&doc)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(doc.TTL); left < 80*time.Second || left > 91*time.Second {
			t.Errorf("time to live is %v, want about 90 s", left)
		}
	})
}

func waitGone(ctx context.Context, t *testing.T, state carttest.State, key string) {
	t.Helper()
	for range 100 {
		_, tag, err := state.Store.Load(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if tag == "" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("document did not expire")
}

func TestFinder(t *testing.T) {
	state := carttest.Open(t)
	ctx := t.Context()
	product, other := uuid.New(), uuid.New()
	var want []string
	for i := range 5 {
		user := uuid.New()
		c := sample(user, 1)
		c.Items[0].ProductID = product
		if i == 4 {
			c.Items[0].ProductID = other
		} else {
			want = append(want, user.String())
		}
		if err := state.Store.Save(ctx, user.String(), c, "", time.Duration(i+1)*time.Hour); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("carts that hold a product, page by page", func(t *testing.T) {
		got := map[string]bool{}
		after := ""
		for {
			keys, err := state.Collection.Holding(ctx, product, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			if len(keys) == 0 {
				break
			}
			for _, k := range keys {
				got[k] = true
			}
			after = keys[len(keys)-1]
		}
		if len(got) != len(want) {
			t.Fatalf("got %d carts, want %d", len(got), len(want))
		}
		for _, k := range want {
			if !got[k] {
				t.Errorf("cart %s was not found", k)
			}
		}
	})

	t.Run("carts that end soon, page by page", func(t *testing.T) {
		now := time.Now()
		var got []string
		mark := cart.ExpiringMark{}
		for {
			found, err := state.Collection.Expiring(ctx, now, now.Add(3*time.Hour+time.Minute), mark, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(found) == 0 {
				break
			}
			for _, e := range found {
				got = append(got, fmt.Sprint(e.Key, " ", e.Lines))
				mark = cart.ExpiringMark{TTL: e.TTL, Key: e.Key}
			}
		}
		soon := []string{want[0] + " 1", want[1] + " 1", want[2] + " 1"}
		if d := cmp.Diff(soon, got); d != "" {
			t.Errorf("expiring carts differ (-want +got):\n%s", d)
		}
	})
}

func TestWorklist(t *testing.T) {
	state := carttest.Open(t)
	ctx := t.Context()
	product := uuid.New()
	for range 2 {
		if err := state.Worklist.Add(ctx, product, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	notes, err := state.Worklist.Next(ctx, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) != 1 || notes[0].Product != product {
		t.Fatalf("got notes %v, want one of %s", notes, product)
	}
	if err := state.Worklist.Add(ctx, product, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := state.Worklist.Done(ctx, notes[0]); err != nil {
		t.Fatal(err)
	}
	renewed, err := state.Worklist.Next(ctx, 10)
	if err != nil || len(renewed) != 1 {
		t.Fatalf("a note renewed while it was worked on: got %v, %v, want it kept", renewed, err)
	}
	if err := state.Worklist.Done(ctx, renewed[0]); err != nil {
		t.Fatal(err)
	}
	if left, err := state.Worklist.Next(ctx, 10); err != nil || len(left) != 0 {
		t.Errorf("after the work: got %v, %v, want none", left, err)
	}
}
