package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/caravan-shop/caravan/deploy/local/stack"
)

func newContainerFiles(p *place) *cobra.Command {
	return &cobra.Command{
		Use:   "container-files",
		Short: "Write the passwords, tokens and certificates that docker-compose.yml takes from outside",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir := filepath.Join(p.dir, "containers")
			if err := stack.WriteContainerFiles(dir, time.Now()); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), dir)
			return err
		},
	}
}
