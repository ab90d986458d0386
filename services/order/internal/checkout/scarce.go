package checkout

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
)

// A crowd that wants what has run out would undo thousands of checkouts, each
// asked of four neighbours. So once a hold was refused, those who want the same
// product in the next moments are first shown the shelf: a question that costs a
// fifth. It is asked anew by each, so that nobody is refused a unit that is there.
const (
	scarceFor  = 5 * time.Second // after the last refusal
	mostScarce = 1000            // products that are remembered
)

// scarce remembers what could not be had a moment ago. The zero value knows of
// nothing. Safe for concurrent use.
type scarce struct {
	mu    sync.Mutex
	until map[uuid.UUID]time.Time
}

// note remembers the products of a refusal.
func (s *scarce) note(short []Shortage, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = map[uuid.UUID]time.Time{}
	}
	for _, l := range short {
		if _, known := s.until[l.ProductID]; known || len(s.until) < mostScarce {
			s.until[l.ProductID] = now.Add(scarceFor)
		}
	}
}

// some tells whether anything is scarce, and forgets what no longer is.
func (s *scarce) some(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, until := range s.until {
		if !now.Before(until) {
			delete(s.until, id)
		}
	}
	return len(s.until) > 0
}

func (s *scarce) among(lines []Line) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		if _, ok := s.until[l.ProductID]; ok {
			return true
		}
	}
	return false
}

// look refuses a cart that wants more of something scarce than there is, before
// anything has to be undone. Where it can't tell, the hold decides.
func (r *run) look(ctx context.Context) error {
	if !r.scarce.some(r.Now()) {
		return nil
	}
	cart, err := r.Carts.Read(ctx, r.c.UserID)
	if err != nil {
		return err
	}
	r.cart, r.cartRead = cart, true
	if len(cart.Lines) > maxLines || !r.scarce.among(cart.Lines) {
		return nil
	}
	ids := make([]uuid.UUID, 0, len(cart.Lines))
	for _, l := range cart.Lines {
		ids = append(ids, l.ProductID)
	}
	products, err := r.Catalog.Lookup(ctx, ids)
	if err != nil {
		return err
	}
	var short []Shortage
	for _, l := range cart.Lines {
		p := products[l.ProductID]
		switch {
		case !p.ForSale:
			return nil
		case p.Available < l.Quantity:
			short = append(short, Shortage{ProductID: l.ProductID, Requested: l.Quantity, Available: p.Available})
		}
	}
	if len(short) == 0 {
		return nil
	}
	return r.outOfStock(short)
}

// outOfStock is the refusal of lines that are short.
func (r *run) outOfStock(short []Shortage) error {
	r.scarce.note(short, r.Now())
	return naming(ErrOutOfStock, short)
}
