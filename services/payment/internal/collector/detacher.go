package collector

import (
	"context"
	"fmt"
)

// Detachments is the queue of methods that their owners gave up.
type Detachments interface {
	NextDetachment(ctx context.Context) (string, error)
	Detached(ctx context.Context, providerID string) error
}

// Detaching ends methods at the provider.
type Detaching interface {
	Detach(ctx context.Context, providerID string) error
}

// DetachAll works the queue off; what fails comes again by itself.
func DetachAll(ctx context.Context, queue Detachments, provider Detaching) error {
	for {
		id, err := queue.NextDetachment(ctx)
		if err != nil || id == "" {
			return err
		}
		if err := provider.Detach(ctx, id); err != nil {
			return fmt.Errorf("detach a saved method: %w", err)
		}
		if err := queue.Detached(ctx, id); err != nil {
			return err
		}
	}
}
