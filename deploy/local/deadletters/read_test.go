package deadletters

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func header(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

func record(value string, headers ...kgo.RecordHeader) *kgo.Record {
	return &kgo.Record{Topic: "dead-letter.order", Partition: 3, Offset: 17, Key: []byte("k"), Value: []byte(value), Headers: headers,
		Timestamp: time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)}
}

const event = `{"id":"e1","type":"payment.success","data":{}}`

func note(t *testing.T, data string) Note {
	t.Helper()
	n, is := noteOf(record(`{"id":"n","type":"dead-letter.order","data":` + data + `}`))
	if !is {
		t.Fatalf("%s is no note", data)
	}
	return n
}

func TestLettersAreToldFromNotes(t *testing.T) {
	for _, value := range []string{event, `{"id":"e1","type":"dead-letter.order"}`, `garbage`, ``, `[]`, `null`} {
		if _, is := noteOf(record(value)); is {
			t.Errorf("%q is taken for a note", value)
		}
	}
}

func TestALetterFindsItsReason(t *testing.T) {
	at := []kgo.RecordHeader{header("__topic", "payment.success"), header("__partition", "2"), header("__offset", "9"), header("content-type", "x")}
	for _, c := range []struct {
		name, note string
		headers    []kgo.RecordHeader
		found      bool
	}{
		{"by place", `{"kind":"refused","event_id":"e1","topic":"payment.success","partition":2,"offset":9,"reason":"why"}`, at, true},
		{"the same event given up elsewhere", `{"kind":"refused","event_id":"e1","topic":"payment.success","partition":2,"offset":8,"reason":"why"}`, at, false},
		{"by id where the note has no place", `{"kind":"refused","event_id":"e1","topic":"payment.success","reason":"why"}`, at, true},
		{"by id where the letter has no place", `{"kind":"refused","event_id":"e1","topic":"payment.success","partition":2,"offset":9,"reason":"why"}`, nil, true},
		{"another event", `{"kind":"refused","event_id":"e2","topic":"payment.success","reason":"why"}`, at, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := letterOf("order", record(event, c.headers...))
			l.apply([]Note{note(t, c.note)})
			if got := l.Reason == "why"; got != c.found {
				t.Errorf("reason: got %q, want it found: %t", l.Reason, c.found)
			}
		})
	}
}

func TestALetterForgetsOnlyItsPlace(t *testing.T) {
	l := letterOf("order", record(event, header("__topic", "payment.success"), header("__key", "order-1"), header("content-type", "x")))
	if l.ID != "order/3/17" || l.Topic != "payment.success" || string(l.key) != "order-1" {
		t.Errorf("got %s from %s with key %s", l.ID, l.Topic, l.key)
	}
	if len(l.headers) != 1 || l.headers[0].Key != "content-type" {
		t.Errorf("headers to redrive with: got %v, want content-type alone", l.headers)
	}
}

func TestTheLastDecisionCounts(t *testing.T) {
	l := letterOf("order", record(event))
	if l.State != Open {
		t.Errorf("state: got %s, want open", l.State)
	}
	l.apply([]Note{
		note(t, `{"kind":"dropped","letter":"order/3/17","by":"ann","reason":"old","occurred_at":"2026-05-02T00:00:00Z"}`),
		note(t, `{"kind":"redriven","letter":"order/3/17","by":"ben","occurred_at":"2026-05-01T00:00:00Z"}`),
		note(t, `{"kind":"redriven","letter":"order/3/18","by":"eve","occurred_at":"2026-05-03T00:00:00Z"}`),
	})
	if l.State != Dropped || l.Decision == nil || l.Decision.By != "ann" {
		t.Errorf("got %s by %+v, want dropped by ann", l.State, l.Decision)
	}
}

func TestOnlyAnOpenLetterWithAnIDIsRedriven(t *testing.T) {
	o := &Office{}
	for _, l := range []*Letter{
		{ID: "order/0/0", State: Dropped, EventID: "e", Topic: "t"},
		{ID: "order/0/0", State: Redriven, EventID: "e", Topic: "t"},
		{ID: "order/0/0", State: Open, Topic: "t"},
		{ID: "order/0/0", State: Open, EventID: "e"},
	} {
		if err := o.Redrive(t.Context(), l); err == nil {
			t.Errorf("%+v was redriven", l)
		}
	}
	if err := o.Drop(t.Context(), &Letter{ID: "order/0/0", State: Open}, ""); err == nil {
		t.Error("dropped without a reason")
	}
}
