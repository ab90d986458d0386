package stack

import (
	"context"
	"fmt"
	"os"

	"github.com/caravan-shop/caravan/deploy/local/host"
	"github.com/caravan-shop/caravan/deploy/local/progress"
	"github.com/caravan-shop/caravan/deploy/local/provision"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// TestServers are throwaway servers for store tests; PostgreSQL is always among them.
type TestServers struct {
	Root, Cache                 string
	Redis, Elasticsearch, Mongo bool
	// Daprd builds the sidecar, StripeMock the check of requests to Stripe; the tests start them themselves.
	Daprd, StripeMock bool
}

// throwawayPassword guards servers that live for one test run on loopback and hold nothing of worth.
const throwawayPassword = "throwaway"

// RunTestServers starts the servers in a temporary folder, hands their addresses to use as environment variables, and
// stops and removes them.
func RunTestServers(ctx context.Context, t TestServers, out *progress.Printer, use func(environment []string) error) error {
	if err := checkTools(ctx); err != nil {
		return err
	}
	block, err := host.ClaimFree(ctx, offsets())
	if err != nil {
		return err
	}
	defer block.Release()
	dir, err := os.MkdirTemp("", "caravan-testdb-")
	if err != nil {
		return err
	}
	layout := Layout{Root: t.Root, Dir: dir, block: block}
	defer func() { _, _ = Reset(dir), os.RemoveAll(dir) }()
	if err := layout.makeFolders(false); err != nil {
		return err
	}
	cache, err := provision.Open(t.Cache, t.Root, out)
	if err != nil {
		return err
	}
	got, err := obtain(ctx, cache, layout, wanted{postgres: true, redis: t.Redis, elastic: t.Elasticsearch, mongo: t.Mongo, dapr: t.Daprd})
	if err != nil {
		return err
	}
	units, environment, err := t.units(layout, got)
	if err != nil {
		return err
	}
	if t.StripeMock {
		program, err := cache.StripeMock(ctx)
		if err != nil {
			return err
		}
		environment = append(environment, "CARAVAN_TEST_STRIPE_MOCK="+program)
	}
	group, err := supervise.New(layout.logs(), func(supervise.Status, error) {})
	if err != nil {
		return err
	}
	if err := group.Up(ctx, units); err != nil {
		return err
	}
	defer group.Down()
	out.Say("%d throwaway servers are ready", len(units))
	return use(environment)
}

func (t TestServers) units(layout Layout, got software) ([]supervise.Unit, []string, error) {
	plan := newPlan(layout, Options{Throwaway: true}, got, Secrets{
		Postgres: map[string]string{"postgres": throwawayPassword}, Redis: throwawayPassword,
	})
	plan.postgres.Connections = 300
	postgres, err := plan.postgres.Process()
	if err != nil {
		return nil, nil, err
	}
	units := []supervise.Unit{{Name: "postgres", Process: postgres}}
	environment := []string{"CARAVAN_TEST_POSTGRES=" + plan.postgres.DSN("postgres")}
	add := func(wanted bool, name, variable, address string, process *supervise.Process) {
		if wanted {
			units = append(units, supervise.Unit{Name: name, Process: process})
			environment = append(environment, fmt.Sprintf("%s=%s", variable, address))
		}
	}
	add(t.Redis, "redis", "CARAVAN_TEST_REDIS", plan.redis.URL(), plan.redis.Process())
	add(t.Elasticsearch, "elasticsearch", "CARAVAN_TEST_ELASTICSEARCH", plan.elastic.URL(), plan.elastic.Process())
	add(t.Mongo, "mongo", "CARAVAN_TEST_MONGO", plan.mongo.URL(), plan.mongo.Process())
	if t.Daprd {
		environment = append(environment, "CARAVAN_TEST_DAPRD="+plan.daprd())
	}
	return units, environment, nil
}
