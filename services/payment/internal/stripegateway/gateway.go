// Package stripegateway speaks Stripe's API for package payment. It keeps no
// state, retries nothing by itself and logs no body: a call either has a
// definite answer or an unknown outcome, which the caller resolves by reading.
package stripegateway

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v86"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

// Config is what the adapter needs to know.
type Config struct {
	APIKey string
	// APIBase is the server's URL; "" is Stripe's own.
	APIBase string
	// ReturnURL is where 3-D Secure leads back to; the order's id is appended.
	ReturnURL string
	// ManualCapture authorizes on confirmation and captures by a call of its own.
	ManualCapture bool
	// CallTimeout bounds each call; it must be well below a worker's lease.
	CallTimeout time.Duration
}

// Gateway implements payment.Gateway, payment.Refunder and payment.Vault. Safe
// for concurrent use.
type Gateway struct {
	api *stripe.Client
	cfg Config
}

// Connections kept open: one a worker, and some for requests.
const idleConnections = 32

// New makes the adapter; it does not connect.
func New(cfg Config) *Gateway {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}
	transport := &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConns: idleConnections, MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: 90 * time.Second,
	}
	backend := &stripe.BackendConfig{
		HTTPClient: &http.Client{Transport: otelhttp.NewTransport(transport), Timeout: cfg.CallTimeout},
		// Retrying is the worker's: between two tries it reads what happened.
		MaxNetworkRetries: stripe.Int64(0),
		EnableTelemetry:   stripe.Bool(false),
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
	}
	if cfg.APIBase != "" {
		backend.URL = stripe.String(strings.TrimSuffix(cfg.APIBase, "/"))
	}
	return &Gateway{api: stripe.NewClient(cfg.APIKey, stripe.WithBackends(stripe.NewBackendsWithConfig(backend))), cfg: cfg}
}

// Names of our ids in the metadata of the provider's objects.
const (
	metaOrder       = "order_id"
	metaTransaction = "transaction_id"
	metaRefund      = "refund_id"
	metaUser        = "user_id"
)

func (g *Gateway) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, g.cfg.CallTimeout)
}

// CreateIntent implements payment.Gateway.
func (g *Gateway) CreateIntent(ctx context.Context, o payment.Order, a payment.Attempt) (payment.Intent, error) {
	ctx, cancel := g.bounded(ctx)
	defer cancel()
	p := &stripe.PaymentIntentCreateParams{
		Amount: stripe.Int64(a.Amount), Currency: stripe.String(strings.ToLower(a.Currency)),
		PaymentMethodTypes: []*string{stripe.String(payment.KindCard)},
		CaptureMethod:      stripe.String(string(stripe.PaymentIntentCaptureMethodAutomatic)),
		Description:        stripe.String("Order " + o.Number),
		Metadata:           map[string]string{metaOrder: o.ID.String(), metaTransaction: a.ID.String()},
	}
	if g.cfg.ManualCapture {
		p.CaptureMethod = stripe.String(string(stripe.PaymentIntentCaptureMethodManual))
	}
	if a.Means.Customer != "" {
		p.Customer = stripe.String(a.Means.Customer)
	}
	p.SetIdempotencyKey(a.ID.String())
	return intentOf(g.api.V1PaymentIntents.Create(ctx, p))
}

// ReadIntent implements payment.Gateway.
func (g *Gateway) ReadIntent(ctx context.Context, id string) (payment.Intent, error) {
	ctx, cancel := g.bounded(ctx)
	defer cancel()
	pi, err := g.api.V1PaymentIntents.Retrieve(ctx, id, nil)
	if err != nil {
		// A reading is never a refusal: an intent that is said not to exist may
		// be another account's, or a server's that lost its data.
		return payment.Intent{}, unknown("read intent", err)
	}
	return translate(pi), nil
}

// ConfirmIntent implements payment.Gateway.
func (g *Gateway) ConfirmIntent(ctx context.Context, o payment.Order, a payment.Attempt) (payment.Intent, error) {
	callCtx, cancel := g.bounded(ctx)
	defer cancel()
	p := &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String(a.Means.Token)}
	if g.cfg.ReturnURL != "" {
		p.ReturnURL = stripe.String(strings.TrimSuffix(g.cfg.ReturnURL, "/") + "/" + o.ID.String())
	}
	pi, err := g.api.V1PaymentIntents.Confirm(callCtx, a.ProviderID, p)
	return g.orAsItIs(ctx, a.ProviderID, pi, err)
}

// CaptureIntent implements payment.Gateway.
func (g *Gateway) CaptureIntent(ctx context.Context, id string) (payment.Intent, error) {
	callCtx, cancel := g.bounded(ctx)
	defer cancel()
	pi, err := g.api.V1PaymentIntents.Capture(callCtx, id, nil)
	return g.orAsItIs(ctx, id, pi, err)
}

// CancelIntent implements payment.Gateway.
func (g *Gateway) CancelIntent(ctx context.Context, id string) (payment.Intent, error) {
	callCtx, cancel := g.bounded(ctx)
	defer cancel()
	pi, err := g.api.V1PaymentIntents.Cancel(callCtx, id, nil)
	return g.orAsItIs(ctx, id, pi, err)
}

// orAsItIs reads the intent where a call came too late for its state.
func (g *Gateway) orAsItIs(ctx context.Context, id string, pi *stripe.PaymentIntent, err error) (payment.Intent, error) {
	if codeOf(err) == stripe.ErrorCodePaymentIntentUnexpectedState {
		return g.ReadIntent(ctx, id)
	}
	return intentOf(pi, err)
}

// CreateRefund implements payment.Refunder.
func (g *Gateway) CreateRefund(ctx context.Context, o payment.Order, a payment.Attempt, r payment.Refund) (payment.ProviderRefund, error) {
	ctx, cancel := g.bounded(ctx)
	defer cancel()
	reason := stripe.RefundReasonRequestedByCustomer
	if r.Kind == payment.RefundSurplus {
		reason = stripe.RefundReasonDuplicate
	}
	p := &stripe.RefundCreateParams{
		PaymentIntent: stripe.String(a.ProviderID), Amount: stripe.Int64(r.Amount), Reason: stripe.String(string(reason)),
		Metadata: map[string]string{metaOrder: o.ID.String(), metaTransaction: a.ID.String(), metaRefund: r.ID.String()},
	}
	p.SetIdempotencyKey(r.ID.String())
	return refundOf(g.api.V1Refunds.Create(ctx, p))
}

// ReadRefund implements payment.Refunder.
func (g *Gateway) ReadRefund(ctx context.Context, id string) (payment.ProviderRefund, error) {
	ctx, cancel := g.bounded(ctx)
	defer cancel()
	r, err := g.api.V1Refunds.Retrieve(ctx, id, nil)
	if err != nil {
		return payment.ProviderRefund{}, unknown("read refund", err)
	}
	return refundOf(r, nil)
}

// Keep implements payment.Vault. Only a method that is attached to a customer
// may be used more than once.
func (g *Gateway) Keep(ctx context.Context, user uuid.UUID, customer, token string) (payment.Card, error) {
	ctx, cancel := g.bounded(ctx)
	defer cancel()
	if customer == "" {
		p := &stripe.CustomerCreateParams{Metadata: map[string]string{metaUser: user.String()}}
		p.SetIdempotencyKey("customer-" + user.String())
		made, err := g.api.V1Customers.Create(ctx, p)
		if err != nil {
			return payment.Card{}, failure("create customer", err)
		}
		customer = made.ID
	}
	pm, err := g.api.V1PaymentMethods.Attach(ctx, token, &stripe.PaymentMethodAttachParams{Customer: stripe.String(customer)})
	if err != nil {
		return payment.Card{}, failure("attach method", err)
	}
	if pm.Card == nil {
		return payment.Card{}, &payment.Refusal{Code: payment.FailNotSupported, Cause: "not a card"}
	}
	return payment.Card{
		ProviderID: pm.ID, Customer: customer, Brand: string(pm.Card.Brand), Last4: pm.Card.Last4,
		ExpMonth: int(pm.Card.ExpMonth), ExpYear: int(pm.Card.ExpYear),
	}, nil
}

// Detach implements payment.Vault. One that is not attached is detached.
func (g *Gateway) Detach(ctx context.Context, providerID string) error {
	ctx, cancel := g.bounded(ctx)
	defer cancel()
	_, err := g.api.V1PaymentMethods.Detach(ctx, providerID, nil)
	if err == nil {
		return nil
	}
	err = failure("detach method", err)
	if _, refused := payment.RefusalOf(err); refused {
		return nil
	}
	return err
}
