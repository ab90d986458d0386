package payment

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Transactor runs fn in one transaction; inside another it joins that one.
type Transactor interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Orders keeps the roots. Faults pass through unchanged.
type Orders interface {
	// Apply locks the order's row, making it if there is none, decides, saves
	// rows and events in one transaction and wakes a worker after commit.
	Apply(ctx context.Context, id uuid.UUID, in Input) (Order, error)
	// Find reads without a lock; ErrOrderUnknown when there is no row.
	Find(ctx context.Context, id uuid.UUID) (Order, error)
	// OfUser lists the orders that keep unused means of the user.
	OfUser(ctx context.Context, user uuid.UUID) ([]uuid.UUID, error)
	// OrderOf finds whose an intent or transaction is; false when not known.
	OrderOf(ctx context.Context, transaction uuid.UUID) (uuid.UUID, bool, error)
	// Nudge has a worker look at the order now.
	Nudge(ctx context.Context, id uuid.UUID) error
}

// Log reads transactions and refunds as rows, newest first.
type Log interface {
	Transaction(ctx context.Context, id uuid.UUID) (Transaction, error)
	Transactions(ctx context.Context, f TransactionFilter) ([]Transaction, error)
	Refund(ctx context.Context, id uuid.UUID) (RefundRow, error)
	Refunds(ctx context.Context, f RefundFilter) ([]RefundRow, error)
	Kinds(ctx context.Context) ([]MethodKind, error)
}

// Transaction is an attempt with the order that it is for.
type Transaction struct {
	Attempt
	OrderID uuid.UUID
	UserID  uuid.UUID
	Number  string
	Kind    string
}

// RefundRow is a refund with the order that it is for.
type RefundRow struct {
	Refund
	OrderID uuid.UUID
	Number  string
}

// TransactionFilter narrows a list; zero values do not.
type TransactionFilter struct {
	UserID  uuid.UUID
	OrderID uuid.UUID
	Status  string
	Before  uuid.UUID
	Limit   int
}

// RefundFilter narrows a list; zero values do not.
type RefundFilter struct {
	OrderID uuid.UUID
	Status  string
	Before  uuid.UUID
	Limit   int
}

// MethodKind is a row of the lookup table payment_methods.
type MethodKind struct {
	ID   uuid.UUID
	Code string
	Name string
}

// SavedMethod is a card that its owner keeps with the provider.
type SavedMethod struct {
	ID         uuid.UUID
	UserID     uuid.UUID
	ProviderID string // the provider's payment-method id: never leaves the service
	Brand      string
	Last4      string
	ExpMonth   int
	ExpYear    int
	Default    bool
	Version    int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Wallet keeps saved methods. Writes lock the user's methods, so that exactly
// one of them is the default.
type Wallet interface {
	// Save adds the method, or answers the one that is there already.
	Save(ctx context.Context, m SavedMethod, customer string) (SavedMethod, bool, error)
	Saved(ctx context.Context, user uuid.UUID) ([]SavedMethod, error)
	// Means gives what a charge needs; ErrMethodUnknown unless it is the user's.
	Means(ctx context.Context, user, id uuid.UUID) (Means, error)
	SetDefault(ctx context.Context, user, id uuid.UUID) (SavedMethod, error)
	// Remove forgets a method and notes that the provider has to detach it.
	Remove(ctx context.Context, user, id uuid.UUID) error
}

// People remembers who has been erased and whom the provider knows.
type People interface {
	IsErased(ctx context.Context, user uuid.UUID) (bool, error)
	// Erase notes the id and removes every saved method of the user.
	Erase(ctx context.Context, user uuid.UUID) error
	// Customer is the provider's customer id; "" when there is none yet.
	Customer(ctx context.Context, user uuid.UUID) (string, error)
}

// Vault is the provider's side of saved methods; errors as in Gateway.
type Vault interface {
	// Keep attaches a token to the user's customer, making one if customer is
	// "", and tells what card it is.
	Keep(ctx context.Context, user uuid.UUID, customer, token string) (Card, error)
	Detach(ctx context.Context, providerID string) error
}

// Card is what the provider tells of a payment method.
type Card struct {
	ProviderID string
	Customer   string
	Brand      string
	Last4      string
	ExpMonth   int
	ExpYear    int
}

// Notices remembers the provider's notifications.
type Notices interface {
	// Take notes a notification; false when it was taken in before.
	Take(ctx context.Context, n Notice) (bool, error)
}

// Notice is a notification of the provider, its signature already checked.
// What it says of the object is not believed: the object is read.
type Notice struct {
	ID       string
	Type     string
	ObjectID string
	// Transaction is our id out of the object's metadata; zero: not ours.
	Transaction uuid.UUID
}
