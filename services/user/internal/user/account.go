// Package user is the identity domain: accounts, sessions, one-time tokens,
// addresses and roles, one use case a method. It knows neither HTTP nor SQL; it
// must not log, since all that passes here is personal.
package user

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/language"

	"github.com/caravan-shop/caravan/services/events"
)

// Status tells what an account may do.
type Status string

// The statuses. Erased is final.
const (
	Active   Status = "active"
	Disabled Status = "disabled"
	Erased   Status = "erased"
)

// The roles, as they stand in access tokens and in table user_roles.
const (
	RoleCustomer = "customer"
	RoleStaff    = "staff"
	RoleAdmin    = "admin"
)

// User is one account. Once erased only its id, status and times are left.
type User struct {
	ID            uuid.UUID
	Email         Email
	EmailVerified bool
	PasswordHash  string
	FirstName     string
	LastName      string
	Locale        string
	Roles         []string // sorted
	Status        Status
	Version       int64
	CreatedAt     time.Time
	UpdatedAt     time.Time
	// TwoFactor: signing in needs more than the password. RecoveryCodes are left
	// for who has lost the app.
	TwoFactor     bool
	RecoveryCodes int
}

// Registration is what a newcomer gives.
type Registration struct {
	Email     string
	Password  string
	FirstName string
	LastName  string
	Locale    string
}

// Profile is a change of what a person says of themselves; nil leaves a field.
type Profile struct {
	FirstName, LastName, Locale *string
}

const (
	maxName       = 100
	maxLocale     = 35
	defaultLocale = "en"
)

// name trims a name and finds fault with it.
func (c *check) name(field, value string) string {
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		c.bad(field, "required", "Must not be empty.")
	case utf8.RuneCountInString(value) > maxName:
		c.bad(field, "too_long", "At most 100 characters.")
	case !printable(value):
		c.bad(field, "bad_characters", "Control characters are not allowed.")
	}
	return value
}

// locale gives the canonical BCP 47 form.
func (c *check) locale(value string) string {
	if value == "" {
		return defaultLocale
	}
	tag, err := language.Parse(value[:min(len(value), maxLocale+1)])
	if err != nil || len(value) > maxLocale {
		c.bad("locale", "bad_locale", "Must be a BCP 47 language tag.")
		return ""
	}
	return tag.String()
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// newUser checks a registration, all but its password.
func newUser(r Registration, id uuid.UUID, at time.Time) (User, error) {
	var c check
	email, ok := ParseEmail(r.Email)
	if !ok {
		c.bad("email", "bad_email", "Must be an e-mail address.")
	}
	u := User{
		ID: id, Email: email, FirstName: c.name("first_name", r.FirstName), LastName: c.name("last_name", r.LastName),
		Locale: c.locale(r.Locale), Roles: []string{RoleCustomer}, Status: Active, Version: 1, CreatedAt: at, UpdatedAt: at,
	}
	return u, c.err()
}

// applyProfile changes u and names the fields that differ now.
func (u *User) applyProfile(p Profile) ([]string, error) {
	var c check
	var changed []string
	set := func(field string, to *string, value string) {
		if *to != value {
			*to = value
			changed = append(changed, field)
		}
	}
	if p.FirstName != nil {
		set("first_name", &u.FirstName, c.name("first_name", *p.FirstName))
	}
	if p.LastName != nil {
		set("last_name", &u.LastName, c.name("last_name", *p.LastName))
	}
	if p.Locale != nil {
		set("locale", &u.Locale, c.locale(*p.Locale))
	}
	return changed, c.err()
}

// setRoles replaces the roles and tells whether that changed anything.
func (u *User) setRoles(roles []string) (bool, error) {
	if len(roles) == 0 {
		var c check
		c.bad("roles", "required", "An account has at least one role.")
		return false, c.err()
	}
	next := slices.Compact(slices.Sorted(slices.Values(roles)))
	for _, r := range next {
		if r != RoleCustomer && r != RoleStaff && r != RoleAdmin {
			return false, ErrRoleUnknown
		}
	}
	if slices.Equal(next, u.Roles) {
		return false, nil
	}
	u.Roles = next
	return true, nil
}

// isActiveAdmin tells whether the shop could be administered with this account.
func (u *User) isActiveAdmin() bool {
	return u.Status == Active && slices.Contains(u.Roles, RoleAdmin)
}

// erase removes the person and keeps the id.
func (u *User) erase() {
	u.Email, u.EmailVerified, u.PasswordHash = Email{}, false, ""
	u.FirstName, u.LastName, u.Locale = "", "", ""
	u.Roles, u.Status = nil, Erased
	u.TwoFactor, u.RecoveryCodes = false, 0
}

// updated is the event of a change; it names fields and never their values.
func (u *User) updated(changed ...string) []events.Event {
	return []events.Event{&events.UserUpdated{UserData: events.UserData{UserID: u.ID, Locale: u.Locale, Changed: changed}}}
}
