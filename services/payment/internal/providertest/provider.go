// Package providertest is a payment provider in memory for tests: it keeps
// intents and refunds as Stripe does, and loses requests and answers on demand.
package providertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// Tokens and how the provider treats them; any other token is charged.
const (
	Visa     = "pm_card_visa"
	Declined = "pm_card_chargeDeclined"
	ThreeDS  = "pm_card_authenticationRequired"
	Unknown  = "pm_unknown"
	// Slow is charged when Authenticate says so, like 3-D Secure without a payer.
	Slow = "pm_card_slow"
	// NoRefund is charged, but refuses every refund.
	NoRefund = "pm_card_noRefund"
)

// ErrLost is what a lost request or answer looks like.
var ErrLost = errors.New("providertest: connection lost")

// Loss says what happens to a call.
type Loss int

// A request that is lost had no effect; of a lost answer nobody knows.
const (
	Arrives Loss = iota
	LostRequest
	LostAnswer
)

// Intent is one intent as the provider keeps it.
type Intent struct {
	ID, Key, Order, Transaction string
	Amount, Refunded            int64
	State                       payment.IntentState
	Token                       string
	FailureCode                 string
}

// Provider implements payment.Gateway and payment.Refunder. Safe for
// concurrent use.
type Provider struct {
	// Lose decides about each call; nil loses none. Called without the lock.
	Lose func(call string) Loss
	// Manual authorizes first.
	Manual bool
	// Before is called ahead of each call, without the lock.
	Before func(call string)

	mu      sync.Mutex
	intents []*Intent
	refunds map[string]payment.ProviderRefund // by idempotency key
	calls   map[string]int
}

// New makes a provider without any intent.
func New() *Provider {
	return &Provider{refunds: map[string]payment.ProviderRefund{}, calls: map[string]int{}}
}

// Intents copies what the provider keeps.
func (p *Provider) Intents() []Intent {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Intent
	for _, i := range p.intents {
		out = append(out, *i)
	}
	return out
}

// Calls counts the calls of a name that were carried out.
func (p *Provider) Calls(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[name]
}

// Authenticate ends 3-D Secure, or slow processing, on every intent that waits.
func (p *Provider) Authenticate(ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.intents {
		switch {
		case i.State != payment.IntentAction && i.State != payment.IntentProcessing:
		case ok:
			i.charge(p.Manual)
		default:
			i.State, i.FailureCode = payment.IntentDeclined, payment.FailAuthentication
		}
	}
}

// Reconfirm pays a declined intent by other means, as a client could; slowly,
// it is only charged by Authenticate.
func (p *Provider) Reconfirm(slowly bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.intents {
		if i.State == payment.IntentDeclined {
			if i.Token = Visa; slowly {
				i.State = payment.IntentProcessing
				continue
			}
			i.charge(p.Manual)
		}
	}
}

func (i *Intent) charge(manual bool) {
	i.State = payment.IntentCaptured
	if manual {
		i.State = payment.IntentCapturable
	}
}

func (i *Intent) tell() payment.Intent {
	out := payment.Intent{ID: i.ID, State: i.State, FailureCode: i.FailureCode}
	if i.State == payment.IntentAction {
		out.NextAction = &payment.NextAction{Type: "redirect_to_url", RedirectToURL: &payment.RedirectToURL{URL: "https://bank.example/" + i.ID}}
	}
	return out
}

// carry runs one call with its losses around it.
func carry[T any](ctx context.Context, p *Provider, name string, call func() (T, error)) (T, error) {
	var none T
	if p.Before != nil {
		p.Before(name)
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	loss := Arrives
	if p.Lose != nil {
		loss = p.Lose(name)
	}
	if loss == LostRequest {
		return none, ErrLost
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[name]++
	out, err := call()
	if loss == LostAnswer {
		return none, ErrLost
	}
	return out, err
}

// find is called with the lock.
func (p *Provider) find(id string) *Intent {
	for _, i := range p.intents {
		if i.ID == id {
			return i
		}
	}
	return &Intent{ID: id}
}

// CreateIntent implements payment.Gateway.
func (p *Provider) CreateIntent(ctx context.Context, o payment.Order, a payment.Attempt) (payment.Intent, error) {
	return carry(ctx, p, "create", func() (payment.Intent, error) {
		for _, i := range p.intents {
			if i.Key == a.ID.String() {
				return payment.Intent{ID: i.ID, State: payment.IntentUnconfirmed}, nil // as it was
			}
		}
		i := &Intent{
			ID: "pi_" + a.ID.String(), Key: a.ID.String(), Order: o.ID.String(), Transaction: a.ID.String(),
			Amount: a.Amount, State: payment.IntentUnconfirmed,
		}
		p.intents = append(p.intents, i)
		return i.tell(), nil
	})
}

// ReadIntent implements payment.Gateway.
func (p *Provider) ReadIntent(ctx context.Context, id string) (payment.Intent, error) {
	return carry(ctx, p, "read", func() (payment.Intent, error) {
		if i := p.find(id); i.State != "" {
			return i.tell(), nil
		}
		return payment.Intent{}, fmt.Errorf("no such intent %s", id)
	})
}

// ConfirmIntent implements payment.Gateway.
func (p *Provider) ConfirmIntent(ctx context.Context, _ payment.Order, a payment.Attempt) (payment.Intent, error) {
	return carry(ctx, p, "confirm", func() (payment.Intent, error) {
		i := p.find(a.ProviderID)
		if i.State != payment.IntentUnconfirmed && i.State != payment.IntentDeclined {
			return i.tell(), nil
		}
		i.Token = a.Means.Token
		switch {
		case i.Token == Unknown:
			return payment.Intent{}, &payment.Refusal{Code: payment.FailMethodUnusable, Cause: "no such method"}
		case strings.HasPrefix(i.Token, Declined):
			i.State, i.FailureCode = payment.IntentDeclined, payment.FailDeclined
		case i.Token == ThreeDS:
			i.State = payment.IntentAction
		case i.Token == Slow:
			i.State = payment.IntentProcessing
		default:
			i.charge(p.Manual)
		}
		return i.tell(), nil
	})
}

// CaptureIntent implements payment.Gateway.
func (p *Provider) CaptureIntent(ctx context.Context, id string) (payment.Intent, error) {
	return carry(ctx, p, "capture", func() (payment.Intent, error) {
		i := p.find(id)
		if i.State == payment.IntentCapturable {
			i.State = payment.IntentCaptured
		}
		return i.tell(), nil
	})
}

// CancelIntent implements payment.Gateway.
func (p *Provider) CancelIntent(ctx context.Context, id string) (payment.Intent, error) {
	return carry(ctx, p, "cancel", func() (payment.Intent, error) {
		i := p.find(id)
		if !i.State.Terminal() && i.State != payment.IntentProcessing {
			i.State = payment.IntentCanceled
		}
		return i.tell(), nil
	})
}

// CreateRefund implements payment.Refunder.
func (p *Provider) CreateRefund(ctx context.Context, _ payment.Order, a payment.Attempt, r payment.Refund) (payment.ProviderRefund, error) {
	return carry(ctx, p, "refund", func() (payment.ProviderRefund, error) {
		if made, again := p.refunds[r.ID.String()]; again {
			return made, nil
		}
		i := p.find(a.ProviderID)
		if i.State != payment.IntentCaptured || i.Refunded+r.Amount > i.Amount || i.Token == NoRefund {
			return payment.ProviderRefund{}, &payment.Refusal{Code: payment.FailRefundRefused, Cause: "not refundable"}
		}
		i.Refunded += r.Amount
		made := payment.ProviderRefund{ID: "re_" + r.ID.String(), Status: payment.RefundSucceeded}
		p.refunds[r.ID.String()] = made
		return made, nil
	})
}

// ReadRefund implements payment.Refunder.
func (p *Provider) ReadRefund(ctx context.Context, id string) (payment.ProviderRefund, error) {
	return carry(ctx, p, "read refund", func() (payment.ProviderRefund, error) {
		if made, ok := p.refunds[strings.TrimPrefix(id, "re_")]; ok {
			return made, nil
		}
		return payment.ProviderRefund{}, fmt.Errorf("no such refund %s", id)
	})
}
