package chaos

import (
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/caravan-shop/caravan/tests/shop"
)

func TestWhichAnswersAreOfTheMoment(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   bool
	}{
		{http.StatusCreated, "", false},
		{http.StatusConflict, `{"code":"out_of_stock"}`, false},
		{http.StatusConflict, `{"code":"idempotency_in_progress"}`, true},
		{http.StatusConflict, `{"code":"checkout_in_progress"}`, true},
		{http.StatusTooManyRequests, "", true},
		{http.StatusInternalServerError, "", true},
		{http.StatusServiceUnavailable, "", true},
		{http.StatusUnprocessableEntity, "", false},
	} {
		if got := passing(&shop.Response{Status: c.status, Body: []byte(c.body)}); got != c.want {
			t.Errorf("%d %s: got %t, want %t", c.status, c.body, got, c.want)
		}
	}
}

func TestAVerdictFailsForAnythingBroken(t *testing.T) {
	for name, v := range map[string]Verdict{
		"stuck":              {Stuck: []string{"an order"}},
		"violated":           {Lines: []Line{{Name: "sound", Checked: 1}, {Name: "broken", Checked: 1, Violated: []string{"it"}}}},
		"recovered too late": {Recoveries: []Recovery{{Process: "kafka", Took: recoveryLimit + 1}}},
	} {
		if !v.Failed() {
			t.Errorf("%s: passes", name)
		}
	}
	sound := Verdict{Lines: []Line{{Name: "sound", Checked: 1}}, Recoveries: []Recovery{{Took: recoveryLimit}}}
	if sound.Failed() {
		t.Error("a sound verdict fails")
	}
}

func TestAnOrderForTwoKeysBreaksAPromise(t *testing.T) {
	b := newBook()
	o := &shop.Order{ID: "o"}
	b.placed(o, told{Key: "a"})
	b.placed(o, told{Key: "a"})
	if len(b.broken) != 0 {
		t.Errorf("the same answer twice: %v", b.broken)
	}
	b.placed(o, told{Key: "b"})
	if len(b.broken) != 1 {
		t.Errorf("one order for two keys: got %v, want one breach", b.broken)
	}
}

func TestAFamilyHasItsChildren(t *testing.T) {
	if got := family(os.Getppid()); !slices.Contains(got, os.Getpid()) {
		t.Errorf("children of %d: got %v, want %d among them", os.Getppid(), got, os.Getpid())
	}
}

func TestOrderNumbersAreKnownByTheirShape(t *testing.T) {
	for word, want := range map[string]bool{"7KQX-M2VT-9R6": true, "7KQX-M2VT": false, "well-made-sets": false, "": false} {
		if orderNumber(word) != want {
			t.Errorf("%q: want %t", word, want)
		}
	}
}
