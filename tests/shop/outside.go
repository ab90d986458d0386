package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Mail as the catcher shows it.
type Mail struct {
	ID        string         `json:"id"`
	Subject   string         `json:"subject"`
	From      []Mailbox      `json:"from"`
	To        []Mailbox      `json:"to"`
	Text      string         `json:"text"`
	HTML      string         `json:"html"`
	Headers   map[string]any `json:"headers"`
	MessageID string         `json:"messageId"`
}

// Mailbox is one sender or recipient.
type Mailbox struct {
	Address string `json:"address"`
	Name    string `json:"name"`
}

// Ledger is the payment sandbox's own book.
type Ledger struct {
	PaymentIntents []struct {
		ID             string `json:"id"`
		Amount         int64  `json:"amount"`
		AmountRefunded int64  `json:"amount_refunded"`
		Currency       string `json:"currency"`
		Status         string `json:"status"`
		OrderID        string `json:"order_id"`
		TransactionID  string `json:"transaction_id"`
		IdempotencyKey string `json:"idempotency_key"`
	} `json:"payment_intents"`
	Refunds []struct {
		ID             string `json:"id"`
		PaymentIntent  string `json:"payment_intent"`
		Amount         int64  `json:"amount"`
		IdempotencyKey string `json:"idempotency_key"`
	} `json:"refunds"`
}

// AllMails gives every mail that was caught.
func (s *Stack) AllMails(ctx context.Context) ([]Mail, error) {
	var all []Mail
	err := getJSON(ctx, s.Mail.HTTP+"/api/email", &all)
	return all, err
}

// Mails gives the mails to an address, oldest first.
func (s *Stack) Mails(ctx context.Context, to string) ([]Mail, error) {
	all, err := s.AllMails(ctx)
	if err != nil {
		return nil, err
	}
	var mine []Mail
	for _, m := range all {
		for _, box := range m.To {
			if box.Address == to {
				mine = append(mine, m)
				break
			}
		}
	}
	return mine, nil
}

// Ledger reads the sandbox's book.
func (s *Stack) Ledger(ctx context.Context) (Ledger, error) {
	var l Ledger
	err := getJSON(ctx, s.Sandbox+"/ledger", &l)
	return l, err
}

func getJSON(ctx context.Context, url string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: status %d", url, resp.StatusCode)
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

// Eventually calls check until it gives nil or ctx ends; then it gives the last
// error. It is how tests wait: never by a fixed sleep.
func Eventually(ctx context.Context, check func() error) error {
	for {
		err := check()
		if err == nil {
			return nil
		}
		t := time.NewTimer(25 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("in vain: %w", err)
		case <-t.C:
		}
	}
}
