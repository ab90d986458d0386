package checkout

import (
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
)

// An order mostly follows a quote of the same cart. What the cart held then serves
// for the order too, if this process still knows it: taking the cart says whether it
// changed, and only a refusal has to be held against the cart as it is.
const (
	quotedFor  = 5 * time.Minute
	mostQuoted = 10_000 // customers
	mostLines  = 100    // of a cart that is worth its room
)

// Quoted remembers the carts of the latest quotes; a nil one none. Safe for
// concurrent use.
type Quoted struct {
	carts *lru.Cache[uuid.UUID, quotedCart]
}

type quotedCart struct {
	cart Cart
	at   time.Time
}

// NewQuoted makes an empty memory.
func NewQuoted() *Quoted {
	carts, err := lru.New[uuid.UUID, quotedCart](mostQuoted)
	if err != nil {
		panic(err) // the size is positive
	}
	return &Quoted{carts}
}

func (q *Quoted) keep(user uuid.UUID, cart Cart, now time.Time) {
	if q == nil || len(cart.Lines) > mostLines {
		return
	}
	q.carts.Add(user, quotedCart{cart, now})
}

// recall gives a customer's cart once; nil if none is known.
func (q *Quoted) recall(user uuid.UUID, now time.Time) *Cart {
	if q == nil {
		return nil
	}
	known, ok := q.carts.Get(user)
	if !ok {
		return nil
	}
	q.carts.Remove(user)
	if now.Sub(known.at) > quotedFor {
		return nil
	}
	return &known.cart
}
