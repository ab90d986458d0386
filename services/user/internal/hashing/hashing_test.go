package hashing

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

var cheap = Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}

func open(t *testing.T, cost Cost, workers, waiting int) *Queue {
	t.Helper()
	q, err := New(cost, workers, waiting)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestHashAndVerify(t *testing.T) {
	q := open(t, Default(), 1, 1)
	hash, err := q.Hash(t.Context(), "passphrase")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("got %q %v", hash, err)
	}
	for password, want := range map[string]bool{"passphrase": true, "another": false, "": false} {
		if match, outdated, err := q.Verify(t.Context(), password, hash); match != want || outdated || err != nil {
			t.Errorf("%q: got %v %v %v, want %v", password, match, outdated, err, want)
		}
	}
	if match, _, err := q.Verify(t.Context(), "no account has this hash", ""); match || err != nil {
		t.Errorf("no hash: got %v %v, want false", match, err)
	}
}

func TestQueueNeedsAWorker(t *testing.T) {
	if _, err := New(cheap, 0, 1); err == nil {
		t.Error("no worker: got no error, though all would wait for ever")
	}
}

func TestWeakerHashIsOutdated(t *testing.T) {
	hash, err := open(t, cheap, 1, 1).Hash(t.Context(), "passphrase")
	if err != nil {
		t.Fatal(err)
	}
	if match, outdated, _ := open(t, Default(), 1, 1).Verify(t.Context(), "passphrase", hash); !match || !outdated {
		t.Errorf("got match %v outdated %v, want both", match, outdated)
	}
}

func TestQueueIsBounded(t *testing.T) {
	q := open(t, cheap, 1, 1)
	hold, held := make(chan struct{}), make(chan struct{})
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- q.do(t.Context(), func() error { close(held); <-hold; return nil }) }()
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	go func() { second <- q.do(ctx, func() error { return nil }) }()
	for len(q.waiting) < 2 {
		time.Sleep(time.Millisecond)
	}
	err := q.do(t.Context(), func() error { return nil })
	if !errors.Is(err, ErrBusy) || ErrBusy.RetryAfter == 0 {
		t.Errorf("beyond the queue: got %v, want busy with a time to wait", err)
	}
	cancel()
	if err := <-second; !errors.Is(err, ErrBusy) {
		t.Errorf("given up while waiting: got %v, want busy", err)
	}
	close(hold)
	if err := <-first; err != nil {
		t.Errorf("in its slot: got %v", err)
	}
	if err := q.do(t.Context(), func() error { return nil }); err != nil {
		t.Errorf("afterwards: got %v", err)
	}
}

// BenchmarkVerify is the work of one sign-in.
func BenchmarkVerify(b *testing.B) {
	q, err := New(Default(), 1, 1)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_, _, _ = q.Verify(b.Context(), "passphrase", "")
	}
}
