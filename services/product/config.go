package main

import (
	"time"

	"github.com/caravan-shop/caravan/services/internal/service"
)

// Config is what the environment says.
type Config struct {
	service.Config
	DatabaseURL      string        `env:"DATABASE_URL,required,notEmpty"`
	RedisURL         string        `env:"REDIS_URL,required,notEmpty"`
	ElasticsearchURL string        `env:"ELASTICSEARCH_URL,required,notEmpty"`
	IndexAlias       string        `env:"SEARCH_ALIAS" envDefault:"products_index"`
	HoldTTL          time.Duration `env:"HOLD_TTL" envDefault:"20m"`
	ExpiryPoll       time.Duration `env:"HOLD_POLL" envDefault:"1s"`
}

// migration is what `product migrate` needs.
type migration struct {
	URL string `env:"MIGRATION_DATABASE_URL,required,notEmpty"`
}

// rebuilding is what `product reindex` and `product reconcile` need.
type rebuilding struct {
	DatabaseURL      string `env:"DATABASE_URL,required,notEmpty"`
	ElasticsearchURL string `env:"ELASTICSEARCH_URL,required,notEmpty"`
	IndexAlias       string `env:"SEARCH_ALIAS" envDefault:"products_index"`
}
