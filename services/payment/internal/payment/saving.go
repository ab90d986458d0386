package payment

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Saving keeps a user's cards with the provider.
type Saving struct {
	tx     Transactor
	wallet Wallet
	people People
	vault  Vault
	now    func() time.Time
	newID  func() uuid.UUID
}

// NewSaving wires the use case.
func NewSaving(tx Transactor, wallet Wallet, people People, vault Vault, now func() time.Time, newID func() uuid.UUID) *Saving {
	return &Saving{tx: tx, wallet: wallet, people: people, vault: vault, now: now, newID: newID}
}

// Inquire asks the provider what card the token stands for, and attaches it to
// the user's customer. It is done outside of any transaction; Save follows.
func (s *Saving) Inquire(ctx context.Context, user uuid.UUID, token string) (Card, error) {
	if !ValidToken(token) {
		return Card{}, ErrMethodUnknown
	}
	erased, err := s.people.IsErased(ctx, user)
	if err != nil {
		return Card{}, err
	}
	if erased {
		return Card{}, ErrErased
	}
	customer, err := s.people.Customer(ctx, user)
	if err != nil {
		return Card{}, err
	}
	card, err := s.vault.Keep(ctx, user, customer, token)
	if refusal, no := RefusalOf(err); no {
		return Card{}, ErrMethodRefused.Because(refusal)
	}
	if err != nil {
		return Card{}, ErrProviderUnavailable.Because(err)
	}
	return card, nil
}

// Save keeps what Inquire answered. The first card of a user is the default.
// The flag tells whether it is new.
func (s *Saving) Save(ctx context.Context, user uuid.UUID, card Card) (saved SavedMethod, isNew bool, err error) {
	err = s.tx.InTx(ctx, func(ctx context.Context) error {
		saved, isNew, err = s.wallet.Save(ctx, SavedMethod{
			ID: s.newID(), UserID: user, ProviderID: card.ProviderID, Brand: card.Brand, Last4: card.Last4,
			ExpMonth: card.ExpMonth, ExpYear: card.ExpYear, Version: 1, CreatedAt: s.now(), UpdatedAt: s.now(),
		}, card.Customer)
		if err != nil {
			return err
		}
		// Erased since Inquire: the transaction goes back.
		if erased, err := s.people.IsErased(ctx, user); err != nil || erased {
			return orErased(err)
		}
		return nil
	})
	return saved, isNew, err
}

func orErased(err error) error {
	if err != nil {
		return err
	}
	return ErrErased
}
