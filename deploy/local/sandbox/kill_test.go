package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v86"
)

// childEnv makes the test binary be the sandbox itself, so that it can be killed.
const childEnv = "SANDBOX_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	if err := run(context.Background(), discard()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// startChild runs a sandbox in a process of its own and returns it and its URL.
func startChild(t *testing.T, dir, hookURL string) (*exec.Cmd, string) {
	t.Helper()
	free, err := listenAnywhere(t)
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childEnv+"=1", "SANDBOX_PORT="+address[len("127.0.0.1:"):], "SANDBOX_DIR="+dir,
		"SANDBOX_API_KEY="+testKey, "SANDBOX_WEBHOOK_SECRET="+testSecret, "SANDBOX_WEBHOOK_URL="+hookURL)
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	url := "http://" + address
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if res, err := http.Get(url + "/healthz"); err == nil {
			res.Body.Close()
			return child, url
		}
	}
	t.Fatal("the child does not answer")
	return nil, ""
}

func TestAKilledSandboxForgetsNothingItAnswered(t *testing.T) {
	dir, shop := t.TempDir(), newReceiver(t)
	child, url := startChild(t, dir, shop.server.URL)
	sc := client(url, testKey)
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	enough := make(chan struct{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				p := intentOf("pm_card_visa", 500)
				p.Confirm = stripe.Bool(true)
				pi, err := sc.V1PaymentIntents.Create(t.Context(), p)
				if err != nil {
					return // killed
				}
				mu.Lock()
				acknowledged[pi.ID] = true
				if len(acknowledged) == 200 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	group.Wait()

	s := startIn(t, dir, shop, func(*config) {})
	there := map[string]bool{}
	for _, row := range s.books()["payment_intents"].([]any) {
		r := row.(map[string]any)
		there[r["id"].(string)] = r["status"] == "succeeded"
	}
	for id := range acknowledged {
		if !there[id] {
			t.Errorf("%s was answered and is gone", id)
		}
	}
	// Each payment in the books is announced, those that the kill left unannounced too.
	announced := map[any]bool{}
	for end := time.Now().Add(15 * time.Second); len(announced) < len(there) && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		shop.mu.Lock()
		for _, e := range shop.events {
			announced[e.Data.Object["id"]] = true
		}
		shop.mu.Unlock()
	}
	if len(announced) != len(there) {
		t.Errorf("announced: got %d, want %d", len(announced), len(there))
	}
}
