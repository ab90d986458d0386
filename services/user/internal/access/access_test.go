package access

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/auth"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

type keys struct {
	p   auth.Principal
	err error
}

func (k keys) Parse(context.Context, string) (auth.Principal, error) { return k.p, k.err }

type sessions struct {
	live  user.Session
	err   error
	asked int
}

func (s *sessions) Live(context.Context, uuid.UUID, time.Time) (user.Session, error) {
	s.asked++
	return s.live, s.err
}

type copies map[uuid.UUID]user.Copy

func (c copies) Get(_ context.Context, id uuid.UUID) (user.Copy, bool) { v, ok := c[id]; return v, ok }

func (c copies) Put(_ context.Context, id uuid.UUID, v user.Copy) { c[id] = v }

func TestVerify(t *testing.T) {
	at := time.Now().Truncate(time.Microsecond)
	p := auth.Principal{UserID: uuid.New(), SessionID: uuid.New(), Roles: []string{"customer"}}
	live := user.Session{ID: p.SessionID, UserID: p.UserID, ExpiresAt: at.Add(time.Hour)}
	fresh := user.Copy{UserID: p.UserID, ExpiresAt: live.ExpiresAt, CheckedAt: at.Add(-time.Second)}
	stale, foreign, over := fresh, fresh, fresh
	stale.CheckedAt = at.Add(-time.Minute)
	foreign.UserID = uuid.New()
	over.ExpiresAt = at
	away := errors.New("database is away")
	for name, c := range map[string]struct {
		copy   *user.Copy
		row    user.Session
		rowErr error
		asked  int
		want   error
	}{
		"fresh copy":           {copy: &fresh, rowErr: away, asked: 0},
		"stale copy":           {copy: &stale, row: live, asked: 1},
		"stale copy, ended":    {copy: &stale, rowErr: user.ErrSessionRevoked, asked: 1, want: auth.ErrRevoked},
		"copy of another":      {copy: &foreign, row: live, asked: 1},
		"copy past its end":    {copy: &over, rowErr: user.ErrSessionRevoked, asked: 1, want: auth.ErrRevoked},
		"no copy":              {row: live, asked: 1},
		"no copy, row away":    {rowErr: away, asked: 1, want: away},
		"row of somebody else": {row: user.Session{UserID: uuid.New()}, asked: 1, want: auth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			rows, kept := &sessions{live: c.row, err: c.rowErr}, copies{}
			if c.copy != nil {
				kept[p.SessionID] = *c.copy
			}
			got, err := New(keys{p: p}, rows, kept, func() time.Time { return at }).Verify(t.Context(), "token")
			if !errors.Is(err, c.want) || rows.asked != c.asked {
				t.Fatalf("got %v after %d reads, want %v after %d", err, rows.asked, c.want, c.asked)
			}
			if err == nil && (got.UserID != p.UserID || kept[p.SessionID].UserID != p.UserID) {
				t.Errorf("got %+v, copy %+v", got, kept[p.SessionID])
			}
		})
	}
}

func TestBadTokenAsksNobody(t *testing.T) {
	rows := &sessions{}
	_, err := New(keys{err: auth.ErrExpired}, rows, copies{}, time.Now).Verify(t.Context(), "token")
	if !errors.Is(err, auth.ErrExpired) || rows.asked != 0 {
		t.Errorf("got %v after %d reads", err, rows.asked)
	}
}
