package reconcile

import (
	"encoding/json"
	"testing"
)

func TestEachRelationshipHasItsRule(t *testing.T) {
	p := &parents{
		users:     map[string]string{"ann": "active", "gone": "erased", "off": "disabled"},
		addresses: map[string]string{"home": "ann"},
		products:  map[string]bool{"lamp": true},
		orders:    map[string]bool{"o1": true},
	}
	for _, c := range []struct {
		kind, id, user string
		wrong          bool
	}{
		{orderUser, "ann", "", false}, {orderUser, "gone", "", false}, {orderUser, "gone", personKept, true}, {orderUser, "nobody", "", true},
		{orderShipping, "home", "ann", false}, {orderShipping, "home", "gone", true}, {orderBilling, "nowhere", "ann", true},
		{itemProduct, "lamp", "", false}, {itemProduct, "none", "", true}, {cartProduct, "lamp", "", false}, {cartProduct, "none", "", true},
		{txOrder, "o1", "", false}, {txOrder, "o2", "", true},
		{txUser, "gone", "", false}, {txUser, "nobody", "", true},
		{savedMethodUser, "ann", "", false}, {savedMethodUser, "off", "", false}, {savedMethodUser, "gone", "", true}, {savedMethodUser, "nobody", "", true},
		{cartUser, "ann", "", false}, {cartUser, "gone", "", true},
		{reviewUser, "ann", "", false}, {reviewUser, "gone", "", true},
	} {
		d, wrong := p.judge(c.kind, reference{what: "it", id: c.id, user: c.user})
		if wrong != c.wrong {
			t.Errorf("%s to %s (%s): got drift %t, want %t", c.kind, c.id, c.user, wrong, c.wrong)
		}
		if mend := wrong && Mendable(c.kind) && c.id == "gone"; mend && d.User != "gone" {
			t.Errorf("%s to %s: no repair is offered", c.kind, c.id)
		}
	}
}

func TestEveryKindIsRead(t *testing.T) {
	for _, kind := range Kinds() {
		if _, read := references[kind]; !read && kind != cartUser && kind != cartProduct {
			t.Errorf("%s is never read", kind)
		}
	}
}

func TestAnEventToldAgainDiffersByItsIDAlone(t *testing.T) {
	again, err := anew([]byte(`{"id":"e1","type":"user.deleted","source":"user","data":{"user_id":"u","sequence":3}}`))
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		ID, Type, Source string
		Data             struct {
			UserID   string `json:"user_id"`
			Sequence int
		}
	}
	if err := json.Unmarshal(again, &e); err != nil {
		t.Fatal(err)
	}
	if e.ID == "e1" || e.ID == "" || e.Type != "user.deleted" || e.Source != "caravan-reconcile" || e.Data.UserID != "u" || e.Data.Sequence != 3 {
		t.Errorf("got %s", again)
	}
}
