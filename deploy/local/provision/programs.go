package provision

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
)

// DaprVersion is the version of daprd and sentry; dapr/runtime/go.mod pins the module.
const DaprVersion = "1.18.2"

func goarch() string { return runtime.GOARCH }

// Dapr builds daprd and sentry from the nested module and answers the folder that holds both.
func (c *Cache) Dapr(ctx context.Context) (string, error) {
	module := filepath.Join(c.root, "dapr/runtime")
	inputs := []string{"go.mod", "go.sum", "build.sh", "fixes/pipeline.go", "cmd/daprd/main.go", "cmd/sentry/main.go", "names/names.go"}
	for i := range inputs {
		inputs[i] = filepath.Join(module, inputs[i])
	}
	key, err := keyOf(inputs, runtime.Version(), runtime.GOARCH)
	if err != nil {
		return "", err
	}
	return c.once("dapr-"+DaprVersion, key, "build daprd and sentry (about five minutes the first time)", func(dir string) error {
		return run(ctx, module, nil, filepath.Join(module, "build.sh"), DaprVersion, dir)
	})
}

// Programs builds our own commands into dir, with build tags if any; the Go tool leaves alone what is up to date.
func (c *Cache) Programs(ctx context.Context, dir string, packages []string, tags string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	unlock, err := c.lock("programs")
	if err != nil {
		return err
	}
	defer unlock()
	return c.out.Step("build the services", func() error {
		args := append([]string{"build", "-buildvcs=false", "-tags", tags, "-o", dir + "/"}, packages...)
		return run(ctx, c.root, nil, "go", args...)
	})
}
