package stack

import (
	"context"
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
	// Images and Launch start servers in containers, as in Options.
	Images map[string]string
	Launch ContainerLauncher
}

// throwawayPassword guards servers that live for one test run on loopback and hold nothing of worth.
const throwawayPassword = "throwaway"

// RunTestServers starts the servers in a temporary folder, hands their addresses to use as environment variables, and
// stops and removes them.
func RunTestServers(ctx context.Context, t TestServers, out *progress.Printer, use func(environment []string) error) error {
	want := t.wanted()
	if err := checkTools(ctx, want); err != nil {
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
	got, err := obtain(ctx, cache, layout, want)
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

func (t TestServers) wanted() wanted {
	native := Options{Images: t.Images}.wanted()
	return wanted{
		postgres: native.postgres, redis: t.Redis && native.redis, elastic: t.Elasticsearch && native.elastic,
		mongo: t.Mongo && native.mongo, dapr: t.Daprd,
	}
}

func (t TestServers) units(layout Layout, got software) ([]supervise.Unit, []string, error) {
	plan := newPlan(layout, Options{Throwaway: true, Images: t.Images, Launch: t.Launch}, got, Secrets{
		Postgres: map[string]string{"postgres": throwawayPassword}, Redis: throwawayPassword,
	})
	plan.postgres.Connections = 300
	var units []supervise.Unit
	var environment []string
	for _, server := range []struct {
		wanted                  bool
		name, variable, address string
	}{
		{true, "postgres", "CARAVAN_TEST_POSTGRES", plan.postgres.DSN("postgres")},
		{t.Redis, "redis", "CARAVAN_TEST_REDIS", plan.redis.URL()},
		{t.Elasticsearch, "elasticsearch", "CARAVAN_TEST_ELASTICSEARCH", plan.elastic.URL()},
		{t.Mongo, "mongo", "CARAVAN_TEST_MONGO", plan.mongo.URL()},
	} {
		if !server.wanted {
			continue
		}
		process, err := plan.server(server.name)
		if err != nil {
			return nil, nil, err
		}
		units = append(units, supervise.Unit{Name: server.name, Process: process})
		environment = append(environment, server.variable+"="+server.address)
	}
	if t.Daprd {
		environment = append(environment, "CARAVAN_TEST_DAPRD="+plan.daprd())
	}
	return units, environment, nil
}
