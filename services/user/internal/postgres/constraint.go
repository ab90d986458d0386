package postgres

import (
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// domainError turns the constraint that refused a statement into the refusal
// of the domain that it stands for.
func domainError(err error) error {
	name, ok := pg.ConstraintOf(err)
	if !ok {
		return err
	}
	switch name {
	case "users_email_normalized_key":
		return user.ErrEmailTaken
	case "user_addresses_user_id_fkey", "sessions_user_id_fkey":
		return user.ErrUserNotFound
	default:
		return err
	}
}
