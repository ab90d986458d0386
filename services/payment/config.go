package main

import (
	"errors"
	"net/url"
	"time"

	"github.com/caravan-shop/caravan/services/internal/service"
)

// config is what the payment service reads from its environment.
type config struct {
	service.Config
	DatabaseURL string `env:"DATABASE_URL,required,notEmpty"`
	// StripeAPIBase is the sandbox's URL; unset, Stripe's own API is called.
	StripeAPIBase string `env:"STRIPE_API_BASE"`
	ShopURL       string `env:"SHOP_URL" envDefault:"http://127.0.0.1:3500"`
	// Capture is automatic, or manual: authorized first and captured only while
	// the order is still wanted.
	Capture string `env:"STRIPE_CAPTURE" envDefault:"automatic"`
	// PayBy and PayGrace are Order's times: an attempt that waits for the payer
	// is not voided before both have passed.
	PayBy    time.Duration `env:"PAY_BY" envDefault:"15m"`
	PayGrace time.Duration `env:"PAY_GRACE" envDefault:"10m"`
	Workers  int           `env:"PAYMENT_WORKERS" envDefault:"8"`
	Poll     time.Duration `env:"PAYMENT_POLL" envDefault:"250ms"`
	// CallTimeout bounds each call to the provider, below a worker's lease.
	CallTimeout time.Duration `env:"STRIPE_TIMEOUT" envDefault:"8s"`
}

// migration is what `payment migrate` reads.
type migration struct {
	DatabaseURL string `env:"MIGRATION_DATABASE_URL,required,notEmpty"`
}

// longestCall leaves a worker time to record the answer within its lease.
const longestCall = 10 * time.Second

func (c config) check() error {
	switch {
	case c.Capture != "automatic" && c.Capture != "manual":
		return errors.New("configuration: STRIPE_CAPTURE is automatic or manual")
	case c.CallTimeout <= 0 || c.CallTimeout > longestCall:
		return errors.New("configuration: STRIPE_TIMEOUT is above 0 and at most 10s")
	case c.Workers < 1 || c.Poll <= 0:
		return errors.New("configuration: PAYMENT_WORKERS and PAYMENT_POLL are positive")
	}
	if _, err := url.Parse(c.StripeAPIBase); err != nil {
		return errors.New("configuration: STRIPE_API_BASE is not a URL")
	}
	return nil
}
