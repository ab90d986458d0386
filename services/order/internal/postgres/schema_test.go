package postgres_test

import (
	"testing"

	"github.com/caravan-shop/caravan/services/internal/pgtest"
	"github.com/caravan-shop/caravan/services/order/internal/postgres"
)

func TestSchema(t *testing.T) {
	pgtest.Golden(t, pgtest.Open(t, postgres.Migrations()), "testdata/schema.golden")
}

func TestMigrationsUpDownUp(t *testing.T) {
	pgtest.UpDownUp(t, postgres.Migrations())
}
