package user

import (
	"maps"
	"slices"

	"github.com/caravan-shop/caravan/services/internal/fault"
)

// The refusals of this domain. Their codes are part of the contract.
var (
	ErrEmailTaken         = fault.New(fault.Conflict, "email_taken", "Another account has this e-mail address.")
	ErrPasswordTooWeak    = fault.New(fault.Invalid, "password_too_weak", "The password is too short, or known from breaches.")
	ErrValidation         = fault.New(fault.Invalid, "validation_failed", "Some fields are not acceptable.")
	ErrInvalidCredentials = fault.New(fault.Unauthenticated, "invalid_credentials", "The e-mail address or the password is wrong.")
	ErrOTPRequired        = fault.New(fault.Unauthenticated, "otp_required", "This account asks for a code of its authenticator app as well, or a recovery code.")
	ErrOTPInvalid         = fault.New(fault.Unauthenticated, "otp_invalid", "The code is wrong, was used before or is too old.")
	ErrAccountDisabled    = fault.New(fault.Forbidden, "account_disabled", "This account has been disabled.")
	ErrTooManyAttempts    = fault.New(fault.TooMany, "too_many_attempts", "Too many attempts; try again later.")
	ErrRefreshInvalid     = fault.New(fault.Unauthenticated, "refresh_token_invalid", "The refresh token is unknown, or its session has ended.")
	ErrRefreshReused      = fault.New(fault.Unauthenticated, "refresh_token_reused", "The refresh token was used before; its session has ended.")
	ErrSessionRevoked     = fault.New(fault.Unauthenticated, "session_revoked", "The session has ended.")
	ErrSessionNotFound    = fault.New(fault.NotFound, "session_not_found", "There is no such session.")
	ErrUserNotFound       = fault.New(fault.NotFound, "user_not_found", "There is no such account.")
	ErrAddressNotFound    = fault.New(fault.NotFound, "address_not_found", "There is no such address.")
	ErrTooManyAddresses   = fault.New(fault.Conflict, "too_many_addresses", "An account keeps at most 100 addresses.")
	ErrStale              = fault.New(fault.Stale, "precondition_failed", "It was changed since you read it.")
	ErrCurrentPassword    = fault.New(fault.Invalid, "current_password_wrong", "The current password is wrong.")
	ErrCodeRequired       = fault.New(fault.Invalid, "code_required", "The account has a second factor: give a code of it as well.")
	ErrCodeInvalid        = fault.New(fault.Invalid, "code_invalid", "The code is wrong, was used before or is too old.")
	ErrFactorEnabled      = fault.New(fault.Conflict, "two_factor_enabled", "The account has a second factor; disable it first.")
	ErrFactorDisabled     = fault.New(fault.Conflict, "two_factor_disabled", "The account has no second factor.")
	ErrFactorNotBegun     = fault.New(fault.Conflict, "two_factor_not_begun", "No second factor waits to be confirmed; begin anew.")
	ErrOwnFactor          = fault.New(fault.Conflict, "own_account", "Disable the second factor of your own account with its password and a code.")
	ErrResetToken         = fault.New(fault.Invalid, "reset_token_invalid", "The reset token is unknown, used or too old.")
	ErrVerificationToken  = fault.New(fault.Invalid, "verification_token_invalid", "The verification token is unknown, used or too old.")
	ErrEmailVerified      = fault.New(fault.Conflict, "email_verified", "The e-mail address has been verified already.")
	ErrRoleUnknown        = fault.New(fault.Invalid, "role_unknown", "Roles are customer, staff and admin.")
	ErrLastAdmin          = fault.New(fault.Conflict, "last_admin", "The shop needs one administrator who can sign in.")
)

// check collects what is wrong with the fields of one input.
type check struct{ fields []fault.Field }

func (c *check) bad(field, code, detail string) {
	c.fields = append(c.fields, fault.Field{Field: field, Code: code, Detail: detail})
}

func (c *check) err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return ErrValidation.Naming(c.fields...)
}

// required refuses fields that are empty.
func required(fields map[string]string) error {
	var c check
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fields[name] == "" {
			c.bad(name, "required", "Must not be empty.")
		}
	}
	return c.err()
}
