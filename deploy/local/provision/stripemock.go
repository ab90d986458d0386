package provision

import (
	"context"
	"path/filepath"
	"runtime"
)

// StripeMock builds the server that knows Stripe's own OpenAPI document, which the nested module pins, and answers the
// program's path.
func (c *Cache) StripeMock(ctx context.Context) (string, error) {
	module := c.recipe("stripe-mock")
	key, err := keyOf([]string{filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum")}, runtime.Version(), runtime.GOARCH)
	if err != nil {
		return "", err
	}
	dir, err := c.once("stripe-mock", key, "build stripe-mock", func(dir string) error {
		return run(ctx, module, []string{"GOFLAGS=-buildvcs=false", "GOWORK=off"}, "go", "build", "-trimpath", "-ldflags", "-s -w",
			"-o", dir+"/", "github.com/stripe/stripe-mock")
	})
	return filepath.Join(dir, "stripe-mock"), err
}
