package main

import (
	"time"

	"github.com/caravan-shop/caravan/services/internal/service"
)

// Config is what the cart service reads from its environment.
type Config struct {
	service.Config
	AppID string `env:"APP_ID" envDefault:"cart"`
	// MongoURL may only read: every write goes through the sidecar.
	MongoURL string        `env:"MONGO_URL,required,notEmpty"`
	RedisURL string        `env:"REDIS_URL,required,notEmpty"`
	CartTTL  time.Duration `env:"CART_TTL" envDefault:"168h"`
	// Reprice is how often carts are brought to new prices.
	Reprice time.Duration `env:"CART_REPRICE_INTERVAL" envDefault:"500ms"`
}

// migration is what `cart migrate` reads.
type migration struct {
	MongoURL string `env:"MIGRATION_MONGO_URL,required,notEmpty"`
}
