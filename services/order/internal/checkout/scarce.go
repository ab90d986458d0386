package checkout

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/idempotency"
)

// A crowd that wants what has run out would undo thousands of checkouts, each
// asked of four neighbours. So once a hold was refused, those who want the same
// product in the next moments are first shown the shelf: nothing is written then,
// and nothing to be undone. Nobody is refused a unit that is there: each sees the
// shelf as it is after they came.
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

// look refuses a customer whose cart wants more of something scarce than there is,
// before anything is begun. Where it can't tell, the checkout decides. It gives the
// cart if it has read it.
func (s *Service) look(ctx context.Context, user uuid.UUID, key idempotency.Key) (*Cart, error) {
	if !s.scarce.some(s.Now()) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.Lease)
	defer cancel()
	cart, err := s.Carts.Read(ctx, user)
	if err != nil {
		return nil, err
	}
	if len(cart.Lines) > maxLines || !s.scarce.among(cart.Lines) {
		return &cart, nil
	}
	short, err := s.shortages(ctx, cart.Lines)
	if err != nil || len(short) == 0 {
		return &cart, err
	}
	// What is missing on the shelf may be in the hands of another request of this
	// customer's, maybe of the same: then that one's end is the answer.
	busy, err := s.Store.Busy(ctx, user, key)
	if err != nil || busy {
		return &cart, err
	}
	return nil, s.outOfStock(short)
}

// shortages tells what of the lines is not on the shelf, if that is all that is
// wrong with them.
func (s *Service) shortages(ctx context.Context, lines []Line) ([]Shortage, error) {
	ids := make([]uuid.UUID, 0, len(lines))
	for _, l := range lines {
		ids = append(ids, l.ProductID)
	}
	products, err := s.shelf.look(ctx, s.Catalog, ids)
	if err != nil {
		return nil, err
	}
	var short []Shortage
	for _, l := range lines {
		p := products[l.ProductID]
		switch {
		case !p.ForSale:
			return nil, nil
		case p.Available < l.Quantity:
			short = append(short, Shortage{ProductID: l.ProductID, Requested: l.Quantity, Available: p.Available})
		}
	}
	return short, nil
}

// outOfStock is the refusal of lines that are short.
func (s *Service) outOfStock(short []Shortage) error {
	s.scarce.note(short, s.Now())
	return naming(ErrOutOfStock, short)
}
