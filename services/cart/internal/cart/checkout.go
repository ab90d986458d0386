package cart

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Taken is a cart's content in an order's hands. It stays in the document, so
// that an undone checkout can put it back.
type Taken struct {
	OrderID uuid.UUID `json:"order_id"`
	Version int64     `json:"version"`
	TakenAt time.Time `json:"taken_at"`
	// Items is let go of where newer checkouts need the room; the id stays.
	Items []Item `json:"items"`
}

// Undone is a checkout that was called off: what is late of it takes nothing.
type Undone struct {
	OrderID  uuid.UUID `json:"order_id"`
	At       time.Time `json:"at"`
	Restored bool      `json:"restored"`
}

// TakeResult is the answer to an order that wants the cart's content.
type TakeResult string

// The answers of Take.
const (
	TakeTaken   TakeResult = "taken"
	TakeChanged TakeResult = "changed"
	TakeUndone  TakeResult = "undone"
)

// RestoreResult is the answer to an order that gives the content back.
type RestoreResult string

// The answers of Restore.
const (
	RestoreRestored RestoreResult = "restored"
	RestoreNothing  RestoreResult = "nothing"
)

// Take moves the content into the hands of an order, if the cart still is as
// the order read it. The bool tells whether the cart changed: a repeated call
// gives the first answer and changes nothing.
func (c *Cart) Take(order uuid.UUID, version int64, now time.Time) (TakeResult, bool) {
	if c.undone(order) != nil {
		return TakeUndone, false
	}
	if c.taken(order) >= 0 {
		return TakeTaken, false
	}
	if c.Version != version || len(c.Items) == 0 {
		return TakeChanged, false
	}
	c.Taken = append(c.Taken, Taken{OrderID: order, Version: version, TakenAt: now, Items: c.Items})
	c.Items = []Item{}
	return TakeTaken, true
}

// Restore puts back what an order took, beside what was added since, and bars
// a take that comes late. A repeated call gives the first answer.
func (c *Cart) Restore(order uuid.UUID, now time.Time) (RestoreResult, bool) {
	if u := c.undone(order); u != nil {
		return restoreResult(u.Restored), false
	}
	i := c.taken(order)
	restored := i >= 0 && len(c.Taken[i].Items) > 0
	if restored {
		c.putBack(c.Taken[i].Items)
	}
	if i >= 0 {
		c.Taken = slices.Delete(c.Taken, i, i+1)
	}
	c.Undone = append(c.Undone, Undone{OrderID: order, At: now, Restored: restored})
	return restoreResult(restored), true
}

func restoreResult(restored bool) RestoreResult {
	if restored {
		return RestoreRestored
	}
	return RestoreNothing
}

// putBack merges taken lines with the present ones. It may exceed MaxLines:
// nothing of an undone checkout is lost, and no more can be added then.
func (c *Cart) putBack(lines []Item) {
	back := slices.Clone(lines)
	for _, now := range c.Items {
		i := slices.IndexFunc(back, func(it Item) bool { return it.ProductID == now.ProductID })
		if i < 0 {
			back = append(back, now)
			continue
		}
		now.Quantity = min(now.Quantity+back[i].Quantity, MaxQuantity)
		now.AddedAt = back[i].AddedAt
		back[i] = now
	}
	c.Items = back
}

func (c *Cart) taken(order uuid.UUID) int {
	return slices.IndexFunc(c.Taken, func(t Taken) bool { return t.OrderID == order })
}

func (c *Cart) undone(order uuid.UUID) *Undone {
	i := slices.IndexFunc(c.Undone, func(u Undone) bool { return u.OrderID == order })
	if i < 0 {
		return nil
	}
	return &c.Undone[i]
}
