package main

import (
	"github.com/spf13/cobra"

	"github.com/caravan-shop/caravan/deploy/local/stack"
)

func newReindex(p *place) *cobra.Command {
	return &cobra.Command{
		Use: "reindex", Args: cobra.NoArgs,
		Short: "Build the search index of the running shop anew beside the old one and swap it in, showing progress",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return stack.RunOwner(cmd.Context(), p.root, p.dir, "product", []string{"reindex"}, cmd.OutOrStdout())
		},
	}
}
