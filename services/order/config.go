package main

import (
	"errors"
	"time"

	"github.com/caravan-shop/caravan/services/internal/service"
)

// Config is read from the environment.
type Config struct {
	service.Config
	DatabaseURL string `env:"DATABASE_URL,required,notEmpty"`
	// PayBy is the time to pay an order. Payment adds PAY_GRACE for an open attempt.
	PayBy time.Duration `env:"PAY_BY" envDefault:"15m"`
	// CheckoutLease is how long one checkout may run before it is undone.
	CheckoutLease time.Duration `env:"CHECKOUT_LEASE" envDefault:"10s"`
	// CheckoutsAtOnce is how many run side by side; one that has waited for
	// CheckoutWait is asked to come again. That and the lease together are less
	// than the route's own time.
	CheckoutsAtOnce int           `env:"CHECKOUTS_AT_ONCE" envDefault:"16"`
	CheckoutWait    time.Duration `env:"CHECKOUT_WAIT" envDefault:"30s"`
	// PollEvery is how often due times are looked at.
	PollEvery time.Duration `env:"POLL_EVERY" envDefault:"1s"`
	// TariffsFile replaces the tariffs that the binary carries.
	TariffsFile string `env:"TARIFFS_FILE"`
}

// check refuses what would let nobody order.
func (c Config) check() error {
	if c.CheckoutsAtOnce < 1 {
		return errors.New("configuration: CHECKOUTS_AT_ONCE is positive")
	}
	return nil
}

// MigrationConfig is all that `order migrate` needs.
type MigrationConfig struct {
	DatabaseURL string `env:"MIGRATION_DATABASE_URL,required,notEmpty"`
}
