package chaos

import (
	"fmt"
	"sync"

	"github.com/caravan-shop/caravan/tests/shop"
)

// book is what the shop has told its customers: what it may not go back on.
type book struct {
	mu       sync.Mutex
	orders   map[string]told     // by order id
	attempts map[string][]string // keys under which a user has asked for an order
	refunds  map[string]int64    // acknowledged to staff, by order
	answers  map[string]int      // every answer that was no success, counted by what it said
	erased   map[string]bool     // users who have left
	broken   []string            // promises broken in front of a customer
}

// told is one order as its customer was told of it.
type told struct {
	UserID, Key, Email string
	Number             string
	Total              int64
	Cancelled          bool // the customer was told that it is
}

func newBook() *book {
	return &book{orders: map[string]told{}, attempts: map[string][]string{}, refunds: map[string]int64{}, answers: map[string]int{}, erased: map[string]bool{}}
}

func (b *book) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.orders)
}

func (b *book) attempt(user, key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.attempts[user] = append(b.attempts[user], key)
}

func (b *book) placed(o *shop.Order, t told) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if before, again := b.orders[o.ID]; again && before.Key != t.Key {
		b.broken = append(b.broken, fmt.Sprintf("order %s was given for two keys", o.ID))
	}
	b.orders[o.ID] = t
}

func (b *book) cancelled(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.orders[id]
	t.Cancelled = true
	b.orders[id] = t
}

func (b *book) refunded(id string, amount int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refunds[id] += amount
}

func (b *book) left(user string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erased[user] = true
}

func (b *book) answered(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers[what]++
}

func (b *book) breach(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = append(b.broken, fmt.Sprintf(format, args...))
}

// some gives up to n orders, in no order: staff take what is there.
func (b *book) some(n int) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for id, t := range b.orders {
		if len(ids) == n {
			break
		}
		if !t.Cancelled {
			ids = append(ids, id)
		}
	}
	return ids
}
