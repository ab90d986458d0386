package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/caravan-shop/caravan/deploy/local/host"
	"github.com/caravan-shop/caravan/deploy/local/progress"
	"github.com/caravan-shop/caravan/deploy/local/provision"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// software is where everything that a stack runs was put.
type software struct {
	postgres string
	redis    string
	kafka    provision.JavaServer
	elastic  provision.JavaServer
	mongo    string
	dapr     string
}

// wanted says which servers to obtain.
type wanted struct {
	postgres, redis, kafka, elastic, mongo, dapr bool
	programs                                     []string
}

// wanted leaves out what comes in an image. Our own programs are always built: the operator's commands run them.
func (o Options) wanted() wanted {
	native := func(name string) bool { return o.Images[name] == "" }
	return wanted{
		postgres: native("postgres"), redis: native("redis"), kafka: native("kafka"), elastic: native("elasticsearch"),
		mongo: native("mongo"), dapr: native("daprd") || native("sentry"), programs: programs(),
	}
}

// servers says whether any server runs natively.
func (w wanted) servers() bool { return w.postgres || w.redis || w.kafka || w.elastic || w.mongo }

// checkTools reports all missing prerequisites at once.
func checkTools(ctx context.Context, want wanted) error {
	if err := host.Supported(); err != nil {
		return err
	}
	tools := host.Tools()
	if !want.servers() {
		tools = slices.DeleteFunc(tools, func(t host.Tool) bool { return t.ForServers })
	}
	failures := make([]error, len(tools))
	var work sync.WaitGroup
	for i, tool := range tools {
		work.Go(func() { failures[i] = tool.Check(ctx) })
	}
	work.Wait()
	return errors.Join(failures...)
}

// programs lists our own commands that a stack runs.
func programs() []string {
	list := []string{"./deploy/edge", "./deploy/local/mailbox", "./deploy/local/sandbox"}
	for _, service := range Services() {
		list = append(list, "./services/"+service)
	}
	return list
}

// obtain fetches and builds side by side whatever is not in the cache yet.
func obtain(ctx context.Context, cache *provision.Cache, layout Layout, want wanted) (software, error) {
	var got software
	work, ctx := errgroup.WithContext(ctx)
	fetch := func(wanted bool, get func(context.Context) error) {
		if wanted {
			work.Go(func() error { return get(ctx) })
		}
	}
	fetch(want.postgres, func(ctx context.Context) (err error) { got.postgres, err = cache.Postgres(ctx); return err })
	fetch(want.redis, func(ctx context.Context) (err error) { got.redis, err = cache.Redis(ctx); return err })
	fetch(want.kafka, func(ctx context.Context) (err error) {
		if got.kafka, err = cache.Kafka(ctx); err != nil {
			return err
		}
		return trainKafka(ctx, cache, layout, got)
	})
	fetch(want.elastic, func(ctx context.Context) (err error) {
		if got.elastic, err = cache.Elasticsearch(ctx); err != nil {
			return err
		}
		return trainElasticsearch(ctx, cache, layout, got)
	})
	fetch(want.mongo, func(ctx context.Context) (err error) { got.mongo, err = cache.Mongo(ctx); return err })
	fetch(want.dapr, func(ctx context.Context) (err error) { got.dapr, err = cache.Dapr(ctx); return err })
	fetch(len(want.programs) > 0, func(ctx context.Context) error {
		return cache.Programs(ctx, layout.bin(), want.programs, layout.tags())
	})
	return got, work.Wait()
}

// ObtainStandalone fetches and builds what runs without a Java or Python of the machine: where PostgreSQL (a folder), Redis
// (a program) and Dapr (a folder) lie, by name.
func ObtainStandalone(ctx context.Context, root, cacheDir string, out *progress.Printer) (map[string]string, error) {
	cache, err := provision.Open(cacheDir, root, out)
	if err != nil {
		return nil, err
	}
	got, err := obtain(ctx, cache, Layout{Root: root}, wanted{postgres: true, redis: true, dapr: true})
	return map[string]string{"postgres": got.postgres, "redis": got.redis, "dapr": got.dapr}, err
}

// trainKafka starts an empty broker once, so that the JVM can record the classes it loads.
func trainKafka(ctx context.Context, cache *provision.Cache, layout Layout, got software) error {
	return cache.Training("kafka", got.kafka, func(option string) error {
		return trial(ctx, layout, func(l Layout) *supervise.Process {
			server := newKafka(l, got)
			server.JVM = []string{option}
			return server.Process()
		})
	})
}

func trainElasticsearch(ctx context.Context, cache *provision.Cache, layout Layout, got software) error {
	return cache.Training("elasticsearch", got.elastic, func(option string) error {
		return trial(ctx, layout, func(l Layout) *supervise.Process {
			server := newElasticsearch(l, got)
			server.JVM = []string{option}
			return server.Process()
		})
	})
}

// trial runs a server in a folder of its own until it is ready, and stops it cleanly.
func trial(ctx context.Context, layout Layout, make func(Layout) *supervise.Process) error {
	dir, err := os.MkdirTemp("", "caravan-trial-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	layout.Dir = dir
	if err := os.MkdirAll(layout.run(), 0o700); err != nil {
		return err
	}
	process := make(layout)
	process.StopWithin = 4 * time.Minute // writing the archive takes a while, above all beside cold builds
	group, err := supervise.New(filepath.Join(dir, "logs"), func(supervise.Status, error) {})
	if err != nil {
		return err
	}
	if err := group.Up(ctx, []supervise.Unit{{Name: "trial", Process: process}}); err != nil {
		return fmt.Errorf("trial start: %w", err)
	}
	group.Down()
	return nil
}
