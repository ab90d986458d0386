package chaos

import (
	"context"
	"math/rand/v2"

	"github.com/caravan-shop/caravan/tests/shop"
)

// shelf is what is for sale: a few products that never run out, and some of
// which there are not enough for everybody.
type shelf struct{ products []*shop.Product }

const (
	plenty = 6
	scarce = 6
	price  = 1250

	usualScarce = 25 // units of each
)

func stockUp(ctx context.Context, staff *shop.Shopper, few int64) (*shelf, error) {
	s := &shelf{}
	for i := range plenty + scarce {
		units := int64(100_000)
		if i >= plenty {
			units = few
		}
		p, err := staff.CreateProduct(ctx, price, units)
		if err != nil {
			return nil, err
		}
		s.products = append(s.products, p)
	}
	return s, nil
}

func (s *shelf) pick(dice *rand.Rand) *shop.Product { return s.products[dice.IntN(len(s.products))] }
