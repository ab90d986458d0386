package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/caravan-shop/caravan/deploy/local/progress"
	"github.com/caravan-shop/caravan/deploy/local/stack"
)

func newSoftware(p *place) *cobra.Command {
	return &cobra.Command{
		Use:   "software",
		Short: "Obtain PostgreSQL, Redis and Dapr and print where they lie",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			where, err := stack.ObtainStandalone(cmd.Context(), p.root, p.cache, progress.New(os.Stderr))
			if err != nil {
				return err
			}
			for _, name := range []string{"postgres", "redis", "dapr"} {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s=%s\n", name, where[name]); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
