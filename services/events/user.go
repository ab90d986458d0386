package events

import "github.com/google/uuid"

// UserData is the data of the user.* events.
type UserData struct {
	Meta
	UserID uuid.UUID `json:"user_id"`
	Locale string    `json:"locale,omitempty"`
	// Changed names the fields that changed, never their values.
	Changed []string `json:"changed,omitempty"`
}

// Key implements Event.
func (d *UserData) Key() string { return d.UserID.String() }

// UserRegistered tells that an account exists.
type UserRegistered struct{ UserData }

// UserUpdated tells which fields of an account changed.
type UserUpdated struct{ UserData }

// UserDeleted asks every service to forget a person. The bare id stays.
type UserDeleted struct{ UserData }

// Topic implements Event.
func (*UserRegistered) Topic() string { return TopicUserRegistered }

// Topic implements Event.
func (*UserUpdated) Topic() string { return TopicUserUpdated }

// Topic implements Event.
func (*UserDeleted) Topic() string { return TopicUserDeleted }

// PasswordReset tells that a reset was asked for. The token is not in it:
// Notification fetches it from User by ResetID.
type PasswordReset struct {
	Meta
	UserID  uuid.UUID `json:"user_id"`
	ResetID uuid.UUID `json:"reset_id"`
}

// Topic implements Event.
func (*PasswordReset) Topic() string { return TopicPasswordReset }

// Key implements Event.
func (d *PasswordReset) Key() string { return d.UserID.String() }

// EmailData is the data of the email.* events. No address is in it:
// Notification fetches it from User by VerificationID.
type EmailData struct {
	Meta
	UserID         uuid.UUID `json:"user_id"`
	VerificationID uuid.UUID `json:"verification_id"`
}

// Key implements Event.
func (d *EmailData) Key() string { return d.UserID.String() }

// EmailVerification tells that an address is to be verified: the account's own
// once more, or another one that it shall change to.
type EmailVerification struct{ EmailData }

// EmailChanged tells that an account has another address now.
type EmailChanged struct{ EmailData }

// Topic implements Event.
func (*EmailVerification) Topic() string { return TopicEmailVerification }

// Topic implements Event.
func (*EmailChanged) Topic() string { return TopicEmailChanged }
