package accounts

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

// Mails come in flocks, one or two for each order. Asking for one person at a
// time would cost two sidecars and User more than all the rest of the mail does.
const (
	// window is how long the first who asks waits for others.
	window = 25 * time.Millisecond
	// mostTogether is what User takes in one question.
	mostTogether = 100
)

type contactsAnswer struct {
	Contacts []contactAnswer `json:"contacts"`
}

type contactAnswer struct {
	UserID uuid.UUID `json:"user_id"`
	// Erased is always answered: without it the answer is not understood.
	Erased    *bool  `json:"erased"`
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

// gathering is one question for several people. Whoever opened it asks; once
// done is closed, answers and err stand.
type gathering struct {
	asked   map[uuid.UUID]bool
	done    chan struct{}
	answers map[uuid.UUID]contactAnswer
	err     error
}

// contacts gathers those who ask at about the same time.
type contacts struct {
	mu   sync.Mutex
	open *gathering // takes further people; nil when nobody waits
}

// join adds a person to the open gathering, or opens one, which the caller then leads.
func (c *contacts) join(id uuid.UUID) (g *gathering, leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil || len(c.open.asked) == mostTogether {
		c.open = &gathering{asked: map[uuid.UUID]bool{}, done: make(chan struct{})}
		leads = true
	}
	c.open.asked[id] = true
	return c.open, leads
}

// close lets nobody in any more, and gives who is.
func (c *contacts) close(g *gathering) []uuid.UUID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == g {
		c.open = nil
	}
	ids := make([]uuid.UUID, 0, len(g.asked))
	for id := range g.asked {
		ids = append(ids, id)
	}
	return ids
}

// Contact implements notification.Directory. Calls that begin within the same
// moment share one question, and one failure.
func (c *Client) Contact(ctx context.Context, userID uuid.UUID) (notification.Contact, bool, error) {
	g, leads := c.contacts.join(userID)
	if leads {
		// The others must not go without an answer because the leader was called off.
		c.lead(context.WithoutCancel(ctx), g)
	}
	select {
	case <-g.done:
	case <-ctx.Done():
		return notification.Contact{}, false, fmt.Errorf("accounts: %s: %w", contactsPath, ctx.Err())
	}
	if g.err != nil {
		return notification.Contact{}, false, g.err
	}
	a, answered := g.answers[userID]
	switch {
	case !answered || a.Erased == nil || (!*a.Erased && a.Email == ""):
		return notification.Contact{}, false, fmt.Errorf("accounts: %s: the answer is not understood", contactsPath)
	case *a.Erased:
		return notification.Contact{}, false, nil
	}
	return notification.Contact{Email: a.Email, FirstName: a.FirstName, LastName: a.LastName}, true, nil
}

func (c *Client) lead(ctx context.Context, g *gathering) {
	defer close(g.done)
	time.Sleep(window)
	var answer contactsAnswer
	if g.err = c.ask(ctx, contactsPath, map[string]any{"user_ids": c.contacts.close(g)}, &answer); g.err != nil {
		return
	}
	g.answers = make(map[uuid.UUID]contactAnswer, len(answer.Contacts))
	for _, a := range answer.Contacts {
		g.answers[a.UserID] = a
	}
}
