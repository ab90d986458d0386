package httpapi

import (
	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// pageOf reads a page whose cursor is an id; the zero id is the start.
func pageOf(limit *int, cursor *string) (web.Page, uuid.UUID, error) {
	page, err := web.PageOf(limit, cursor)
	if err != nil {
		return page, uuid.Nil, err
	}
	var at uuid.UUID
	err = web.DecodeCursor(page.Cursor, &at)
	return page, at, err
}

// listOf makes a page of items of which one more than limit was asked for.
func listOf[T any](items []T, limit int, id func(T) uuid.UUID) web.List[T] {
	if len(items) <= limit {
		return web.List[T]{Items: items}
	}
	items = items[:limit]
	next := web.EncodeCursor(id(items[limit-1]))
	return web.List[T]{Items: items, NextCursor: &next}
}

func userBody(u user.User) User {
	return User{
		Id: u.ID, Email: u.Email.Typed, EmailVerified: u.EmailVerified, FirstName: u.FirstName, LastName: u.LastName,
		Locale: u.Locale, Roles: append([]string{}, u.Roles...), Status: string(u.Status), CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.UpdatedAt.UTC(),
		TwoFactor: TwoFactor{Enabled: u.TwoFactor, RecoveryCodesLeft: u.RecoveryCodes},
	}
}

func userAnswer(u user.User, err error) (web.Response, error) {
	if err != nil {
		return web.Response{}, err
	}
	return web.OK(userBody(u)).WithETag(web.VersionTag(u.Version)), nil
}

func grantBody(g user.Grant) Grant {
	return Grant{
		AccessToken: g.AccessToken, TokenType: "Bearer", ExpiresIn: int(g.ExpiresIn.Seconds()), RefreshToken: g.RefreshToken,
		SessionId: g.SessionID, User: userBody(g.User),
	}
}

func sessionBody(v user.Session, current uuid.UUID) Session {
	return Session{
		Id: v.ID, Current: v.ID == current, Device: v.Device, Address: v.Address,
		CreatedAt: v.CreatedAt.UTC(), LastSeenAt: v.LastSeenAt.UTC(), ExpiresAt: v.ExpiresAt.UTC(),
	}
}

func placeOf(in AddressInput) user.Place {
	return user.Place{
		Label: deref(in.Label), Recipient: in.Recipient, Line1: in.Line1, Line2: deref(in.Line2), City: in.City,
		Region: deref(in.Region), PostalCode: in.PostalCode, Country: in.Country, Phone: deref(in.Phone),
		IsDefaultShipping: deref(in.IsDefaultShipping), IsDefaultBilling: deref(in.IsDefaultBilling),
	}
}

func addressBody(a user.Address) Address {
	return Address{
		Id: a.ID, Label: optional(a.Label), Recipient: a.Recipient, Line1: a.Line1, Line2: optional(a.Line2), City: a.City,
		Region: optional(a.Region), PostalCode: a.PostalCode, Country: a.Country, Phone: optional(a.Phone),
		IsDefaultShipping: a.IsDefaultShipping, IsDefaultBilling: a.IsDefaultBilling,
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
	}
}

func addressAnswer(a user.Address, err error) (web.Response, error) {
	if err != nil {
		return web.Response{}, err
	}
	return web.OK(addressBody(a)).WithETag(web.VersionTag(a.Version)), nil
}

func postalBody(a user.Address) PostalAddress {
	return PostalAddress{
		Id: a.ID, Recipient: a.Recipient, Line1: a.Line1, Line2: optional(a.Line2), City: a.City, Region: optional(a.Region),
		PostalCode: a.PostalCode, Country: a.Country, Phone: optional(a.Phone),
	}
}

// exportBody tells of tokens only that and when they were asked for.
func exportBody(e user.Export) Export {
	addresses := []map[string]any{}
	for _, a := range e.Record.Addresses {
		addresses = append(addresses, map[string]any{"address": addressBody(a), "deleted_at": a.DeletedAt})
	}
	sessions := []map[string]any{}
	for _, v := range e.Record.Sessions {
		sessions = append(sessions, map[string]any{"session": sessionBody(v, uuid.Nil), "revoked_at": v.RevokedAt})
	}
	resets := []map[string]any{}
	for _, t := range e.Record.Resets {
		resets = append(resets, map[string]any{"created_at": t.CreatedAt, "used_at": t.UsedAt})
	}
	verifications := []map[string]any{}
	for _, v := range e.Record.Verifications {
		verifications = append(verifications, map[string]any{
			"created_at": v.CreatedAt, "used_at": v.UsedAt, "email": optional(v.Email.Typed), "former_email": optional(v.Former),
		})
	}
	services := map[string]any{"user": map[string]any{
		"account": userBody(e.User), "addresses": addresses, "sessions": sessions, "password_resets": resets,
		"email_verifications": verifications,
	}}
	for app, data := range e.Services {
		services[app] = data
	}
	return Export{UserId: e.User.ID, GeneratedAt: e.GeneratedAt, Services: services}
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
