package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// pair is two addresses whose answers must not tell which has an account.
type pair struct{ known, unknown string }

// pairs gives each of so many accounts so many turns. A turn of every account
// comes before the next one of any.
func pairs(t *testing.T, ctx context.Context, accounts, turns int) []pair {
	t.Helper()
	var all []pair
	for range accounts {
		p := pair{shop.Unique("known") + "@example.com", shop.Unique("stray") + "@example.com"}
		if _, err := w.http.Want(ctx, http.StatusCreated, nil, "POST", "user", "/v1/users", map[string]string{
			"email": p.known, "password": shop.Unique("pw"), "first_name": "Known", "last_name": "Person"}); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return slices.Repeat(all, turns)
}

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}

// alike times both addresses of each pair one after the other, in an order that
// is drawn, and holds the median of the differences to a tenth of the median
// answer. Whatever else the machine does is felt by both of a pair and drops out
// of their difference: with some hundred pairs chance moves it by 2 or 3 %, on a
// machine with ten times the load that it can carry as well.
func alike(t *testing.T, all []pair, send func(email string) time.Duration) {
	t.Helper()
	var known, unknown, differences []time.Duration
	for _, p := range all {
		var k, u time.Duration
		if rand.IntN(2) == 0 {
			k, u = send(p.known), send(p.unknown)
		} else {
			u, k = send(p.unknown), send(p.known)
		}
		known, unknown, differences = append(known, k), append(unknown, u), append(differences, k-u)
	}
	gap, usual := median(differences), median(unknown)
	t.Logf("%d pairs: medians %s (known) and %s (unknown), %.1f %% apart within a pair", len(all), median(known), usual, 100*float64(gap)/float64(usual))
	if gap.Abs()*10 > usual {
		t.Errorf("a known address is answered %s later than an unknown one, more than a tenth of %s", gap, usual)
	}
}

// perAddress is how many requests one client sends: below the limit of resets
// from one network address.
const perAddress = 80

// asking gives the time that one request takes and checks that all answers are
// the same but for the trace. Now and then it goes on from another network
// address, on a connection that is open already.
func asking(t *testing.T, ctx context.Context, want int, path string, body func(email string) any) func(email string) time.Duration {
	var c *shop.Client
	first, sent := "", 0
	once := func(email string) time.Duration {
		begin := time.Now()
		resp, err := c.Want(ctx, want, nil, "POST", "user", path, body(email))
		took := time.Since(begin)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(resp.Code(), len(resp.Body), resp.Header.Get("Content-Type")); first == "" {
			first = got
		} else if got != first {
			t.Fatalf("answers differ: %s and %s", got, first)
		}
		return took
	}
	return func(email string) time.Duration {
		if sent%perAddress == 0 {
			c = comingFrom(t)
			once(shop.Unique("stray") + "@example.com")
		}
		sent++
		return once(email)
	}
}

// TestNobodyLearnsWhoHasAnAccount times sign-in and password reset. That known
// and unknown addresses are the same work, call for call, is tested beside the
// service. Not parallel: it is long, and would be longer beside others.
func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	ctx := within(t)
	t.Run("sign-in", func(t *testing.T) {
		alike(t, pairs(t, ctx, 24, 8), asking(t, ctx, http.StatusUnauthorized, "/v1/sessions", func(email string) any {
			return object{"email": email, "password": "not the password"}
		}))
	})
	t.Run("reset", func(t *testing.T) {
		alike(t, pairs(t, ctx, 80, 4), asking(t, ctx, http.StatusAccepted, "/v1/password-resets", func(email string) any {
			return object{"email": email}
		}))
	})
}
