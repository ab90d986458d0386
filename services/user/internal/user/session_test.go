package user

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// family is one session's tokens as the store keeps them.
type family struct {
	revoked *time.Time
	expires time.Time
	used    []*time.Time
}

func (f *family) present(i int, at time.Time) Outcome {
	o := decideRefresh(RefreshToken{Session: Session{RevokedAt: f.revoked, ExpiresAt: f.expires}, Generation: i, UsedAt: f.used[i]}, at, 10*time.Second)
	switch o {
	case Advance:
		f.used[i] = &at
		f.used = append(f.used, nil)
	case Reused:
		f.revoked = &at
	case Dead, Repeat:
	}
	return o
}

// Whatever is presented when: one token at most waits to be used, what was
// revoked stays so, and only a late reuse ends a session.
func TestRotation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(1_700_000_000, 0)
		f := &family{expires: at.Add(24 * time.Hour), used: []*time.Time{nil}}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "seconds")) * time.Second)
			i := rapid.IntRange(0, len(f.used)-1).Draw(t, "token")
			wasRevoked, used := f.revoked != nil, f.used[i]
			o := f.present(i, at)
			late := used != nil && at.Sub(*used) > 10*time.Second
			switch {
			case wasRevoked && o != Dead:
				t.Fatalf("revoked family: got %d, want Dead", o)
			case !wasRevoked && late && (o != Reused || f.revoked == nil):
				t.Fatalf("late reuse: got %d, want Reused", o)
			case !wasRevoked && !late && f.revoked != nil:
				t.Fatalf("an honest client was signed out")
			}
			waiting := 0
			for _, u := range f.used {
				if u == nil {
					waiting++
				}
			}
			if waiting != 1 {
				t.Fatalf("unused tokens: got %d, want 1", waiting)
			}
		}
	})
}

func TestExpiredSessionIsDead(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	if got := decideRefresh(RefreshToken{Session: Session{ExpiresAt: at}}, at, time.Second); got != Dead {
		t.Errorf("got %d, want Dead", got)
	}
}

func TestExpiryMovesUpToTheGreatestAge(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	s := New(Parts{Policy: Policy{RefreshTTL: 10 * time.Hour, SessionMax: 24 * time.Hour}})
	for after, want := range map[time.Duration]time.Duration{0: 10 * time.Hour, 5 * time.Hour: 15 * time.Hour, 20 * time.Hour: 24 * time.Hour} {
		if got := s.expiry(Session{CreatedAt: start}, start.Add(after)); !got.Equal(start.Add(want)) {
			t.Errorf("used after %v: expires after %v, want %v", after, got.Sub(start), want)
		}
	}
}

func TestDeviceIsBounded(t *testing.T) {
	long := ""
	for range 100 {
		long += "é\n\x00x"
	}
	got := device(long)
	if len(got) > maxDevice || !printable(got) {
		t.Errorf("got %d bytes of %q", len(got), got)
	}
}
