package cart

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Merged notes a guest cart that came in, by the hash of its token.
type Merged struct {
	Guest string    `json:"guest"`
	At    time.Time `json:"at"`
}

// Close ends a guest cart on its way into a user's. Nothing can be added to a
// closed cart, so what is carried over is all there was.
func (c *Cart) Close(into uuid.UUID) (bool, error) {
	if c.MergedInto == nil {
		c.MergedInto = &into
		return true, nil
	}
	if *c.MergedInto != into {
		return false, ErrMergedElsewhere
	}
	return false, nil
}

// Absorb sums a guest cart's lines into this one, each capped by what is in
// stock and by the line's limit; it never lowers what was here. Lines that are
// not on sale, have no stock or find no room stay out. A guest cart comes in
// once: the bool tells whether it did now.
func (c *Cart) Absorb(guest string, lines []Item, products map[uuid.UUID]Product, now time.Time) bool {
	if slices.ContainsFunc(c.Merged, func(m Merged) bool { return m.Guest == guest }) {
		return false
	}
	for _, line := range lines {
		if p, ok := products[line.ProductID]; ok && p.Active() {
			c.absorbLine(p, line, now)
		}
	}
	c.Merged = append(c.Merged, Merged{Guest: guest, At: now})
	return true
}

func (c *Cart) absorbLine(p Product, line Item, now time.Time) {
	have := 0
	if i := c.find(p.ID); i >= 0 {
		have = c.Items[i].Quantity
	}
	limit := int(min(p.Available, MaxQuantity))
	sum := max(have, min(have+line.Quantity, limit))
	if sum == have {
		return
	}
	// The only refusal left is a cart with no room for one more line.
	_ = c.put(p, sum, now)
}
