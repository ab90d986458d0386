package cart

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// Store keeps one document a key, each with a tag that every write replaces.
// Errors other than ErrConflict leave it open whether a write landed.
type Store interface {
	// Load gives a document and its tag; an absent one has the tag "".
	Load(ctx context.Context, key string) (Cart, string, error)
	// Save writes if the document still has the tag, and with the tag "" only
	// if it is absent; else ErrConflict. The document dies after ttl.
	Save(ctx context.Context, key string, c Cart, tag string, ttl time.Duration) error
}

// Cache keeps copies of signed-in users' carts. It may lose anything at any
// time, and its errors are its own affair: a miss is the only one seen here.
// Nothing read from it is ever the base of a write.
type Cache interface {
	// Get gives the copy, or, on a miss, a ticket to fill it with.
	Get(ctx context.Context, user uuid.UUID) (c Cart, ticket string, ok bool)
	// Fill stores what was read from the store since the ticket was drawn,
	// unless a writer came between.
	Fill(ctx context.Context, user uuid.UUID, ticket string, c Cart)
	// Block drops the copy before a write and bars fills until Settle.
	Block(ctx context.Context, user uuid.UUID) (mark string)
	// Settle stores what was written, if no other writer has begun since.
	Settle(ctx context.Context, user uuid.UUID, mark string, c Cart)
	// Drop forgets a copy that is suspected to be behind.
	Drop(ctx context.Context, user uuid.UUID)
}

// Catalog asks Product. Unknown ids are left out of the answer; an error means
// that Product could not be asked.
type Catalog interface {
	Lookup(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Product, error)
	// Glance may answer from what Product said a moment ago: it is for showing
	// carts, never for changing them.
	Glance(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Product, error)
}

// Deps are what Carts works with.
type Deps struct {
	Store    Store
	Cache    Cache
	Catalog  Catalog
	TTL      time.Duration
	Currency string
	Now      func() time.Time
	NewID    func() uuid.UUID
	Random   io.Reader
	Log      *slog.Logger
}

// Carts are the use cases.
type Carts struct {
	Deps
	locks locks
}

// New makes the use cases.
func New(d Deps) *Carts { return &Carts{Deps: d} }

// now is the clock at the precision that documents keep.
func (s *Carts) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }
