// Package accounts asks User for whom a mail goes to and for one-time tokens.
// It keeps nothing: a person who is erased is gone with the next question.
package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/notification/internal/notification"
)

const (
	app          = "user"
	contactsPath = "/internal/contacts"
	resetPath    = "/internal/password-resets/token"
	verifyPath   = "/internal/email-verifications/token"
	formerPath   = "/internal/email-changes/former"
)

// Invoker calls another service. Its error means that there was no answer, or
// one that is no success.
type Invoker interface {
	Invoke(ctx context.Context, app, path string, in, out any) error
}

// Client implements notification.Directory. Safe for concurrent use.
type Client struct {
	invoker Invoker
	// patience bounds one call, so that a slow neighbour leaves time for the mail.
	patience time.Duration
	contacts contacts
}

// New makes a client.
func New(invoker Invoker, patience time.Duration) *Client {
	return &Client{invoker: invoker, patience: patience}
}

type tokenAnswer struct {
	Result    string    `json:"result"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
	Email     string    `json:"email"`
}

// ResetToken implements notification.Directory.
func (c *Client) ResetToken(ctx context.Context, resetID uuid.UUID) (notification.Token, bool, error) {
	return c.token(ctx, resetPath, map[string]any{"reset_id": resetID})
}

// VerificationToken implements notification.Directory.
func (c *Client) VerificationToken(ctx context.Context, userID uuid.UUID) (notification.Token, bool, error) {
	return c.token(ctx, verifyPath, map[string]any{"user_id": userID})
}

func (c *Client) token(ctx context.Context, path string, in any) (notification.Token, bool, error) {
	a, found, err := c.answer(ctx, path, in, func(a tokenAnswer) bool { return a.Token != "" })
	return notification.Token{Value: a.Token, ExpiresAt: a.ExpiresAt}, found, err
}

// Verification implements notification.Directory.
func (c *Client) Verification(ctx context.Context, userID, id uuid.UUID) (notification.Token, string, bool, error) {
	a, found, err := c.answer(ctx, verifyPath, map[string]any{"user_id": userID, "verification_id": id},
		func(a tokenAnswer) bool { return a.Token != "" && a.Email != "" })
	return notification.Token{Value: a.Token, ExpiresAt: a.ExpiresAt}, a.Email, found, err
}

// FormerAddress implements notification.Directory.
func (c *Client) FormerAddress(ctx context.Context, userID, id uuid.UUID) (string, bool, error) {
	a, found, err := c.answer(ctx, formerPath, map[string]any{"user_id": userID, "verification_id": id},
		func(a tokenAnswer) bool { return a.Email != "" })
	return a.Email, found, err
}

// answer asks a route whose answer is "gone" or whole.
func (c *Client) answer(ctx context.Context, path string, in any, whole func(tokenAnswer) bool) (tokenAnswer, bool, error) {
	var a tokenAnswer
	if err := c.ask(ctx, path, in, &a); err != nil {
		return tokenAnswer{}, false, err
	}
	switch {
	case a.Result == "gone":
		return tokenAnswer{}, false, nil
	case a.Result == "ok" && whole(a):
		return a, true, nil
	default:
		return tokenAnswer{}, false, fmt.Errorf("accounts: %s: the answer is not understood", path)
	}
}

func (c *Client) ask(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	if err := c.invoker.Invoke(ctx, app, path, in, out); err != nil {
		return fmt.Errorf("accounts: %s: %w", path, err)
	}
	return nil
}
