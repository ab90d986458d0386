package payment

import (
	"context"
	"regexp"
	"time"

	"github.com/google/uuid"
)

// Checkout is what Order and its events ask of Payment.
type Checkout struct {
	tx     Transactor
	orders Orders
	wallet Wallet
	people People
	now    func() time.Time
	// window is pay_by and its grace: until then an attempt that waits for the
	// payer is not voided, whoever asks.
	window time.Duration
}

// NewCheckout wires the use cases.
func NewCheckout(tx Transactor, orders Orders, wallet Wallet, people People, now func() time.Time, window time.Duration) *Checkout {
	return &Checkout{tx: tx, orders: orders, wallet: wallet, people: people, now: now, window: window}
}

// Choice is a means of payment as a client names it: exactly one of a token and
// a saved method.
type Choice struct {
	Kind    string
	Token   string
	SavedID uuid.UUID
}

// The provider's tokens; what else looks like one is refused before it is kept.
var tokenPattern = regexp.MustCompile(`^(pm|tok|card)_[A-Za-z0-9_]{1,200}$`)

// ValidToken tells whether a text can be a token of the provider.
func ValidToken(token string) bool {
	return tokenPattern.MatchString(token) && !HoldsCardNumber([]byte(token))
}

// means checks that the choice is the user's to make.
func (c *Checkout) means(ctx context.Context, user uuid.UUID, choice Choice) (Means, error) {
	if erased, err := c.people.IsErased(ctx, user); err != nil || erased {
		return Means{}, orUnknown(err)
	}
	if choice.SavedID != uuid.Nil {
		return c.wallet.Means(ctx, user, choice.SavedID)
	}
	if choice.Kind != KindCard || !ValidToken(choice.Token) {
		return Means{}, ErrMethodUnknown
	}
	return Means{Kind: KindCard, Token: choice.Token}, nil
}

func orUnknown(err error) error {
	if err != nil {
		return err
	}
	return ErrMethodUnknown
}

// Prepare checks and keeps the means of payment of an order to be. Repeating
// it replaces them, until the order exists.
func (c *Checkout) Prepare(ctx context.Context, order, user uuid.UUID, choice Choice) error {
	return c.tx.InTx(ctx, func(ctx context.Context) error {
		means, err := c.means(ctx, user, choice)
		if err != nil {
			return err
		}
		_, err = c.orders.Apply(ctx, order, Prepared{UserID: user, Means: means})
		return err
	})
}

// Place takes order.created in.
func (c *Checkout) Place(ctx context.Context, order uuid.UUID, in Placed) error {
	return c.tx.InTx(ctx, func(ctx context.Context) error {
		erased, err := c.people.IsErased(ctx, in.UserID)
		if err != nil {
			return err
		}
		in.Erased = erased
		_, err = c.orders.Apply(ctx, order, in)
		return err
	})
}

// Cancel takes order.cancelled in.
func (c *Checkout) Cancel(ctx context.Context, order uuid.UUID) error {
	_, err := c.orders.Apply(ctx, order, Cancelled{})
	return err
}

// Close ends the time to pay. ClosingOpen asks the caller to come again.
func (c *Checkout) Close(ctx context.Context, order uuid.UUID) (answer Closing, transaction uuid.UUID, err error) {
	err = c.tx.InTx(ctx, func(ctx context.Context) error {
		o, err := c.orders.Apply(ctx, order, CloseAsked{})
		if err != nil {
			return err
		}
		if o.State == StateClosing && !c.now().Before(o.PlacedAt.Add(c.window)) {
			if o, err = c.orders.Apply(ctx, order, CloseAsked{Final: true}); err != nil {
				return err
			}
		}
		answer, transaction = o.Closing()
		return nil
	})
	return answer, transaction, err
}

// Attempt tries again to pay an order of the user's.
func (c *Checkout) Attempt(ctx context.Context, order, user uuid.UUID, choice Choice) (made Transaction, err error) {
	err = c.tx.InTx(ctx, func(ctx context.Context) error {
		means, err := c.means(ctx, user, choice)
		if err != nil {
			return err
		}
		o, err := c.orders.Apply(ctx, order, AttemptAsked{Means: means})
		if err != nil {
			return err
		}
		last := o.Attempts[len(o.Attempts)-1]
		made = Transaction{Attempt: last, OrderID: o.ID, UserID: o.UserID, Number: o.Number, Kind: KindCard}
		return nil
	})
	return made, err
}

// Owns tells an owner from everybody else: ErrOrderUnknown for the latter.
func (c *Checkout) Owns(ctx context.Context, order, user uuid.UUID) error {
	o, err := c.orders.Find(ctx, order)
	if err != nil {
		return err
	}
	if o.UserID != user {
		return ErrOrderUnknown
	}
	return nil
}

// Erase forgets a person: saved methods and unused means go, figures stay.
func (c *Checkout) Erase(ctx context.Context, user uuid.UUID) error {
	return c.tx.InTx(ctx, func(ctx context.Context) error {
		if err := c.people.Erase(ctx, user); err != nil {
			return err
		}
		ids, err := c.orders.OfUser(ctx, user)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := c.orders.Apply(ctx, id, Erased{}); err != nil {
				return err
			}
		}
		return nil
	})
}
