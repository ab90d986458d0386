package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caravan-shop/caravan/deploy/local/reconcile"
	"github.com/caravan-shop/caravan/deploy/local/stack"
	"github.com/caravan-shop/caravan/tests/shop"
)

// reconcileWithin bounds one look across all services.
const reconcileWithin = 5 * time.Minute

// The kinds beside the ten relationships: what the owners look at themselves.
const (
	kindStock    = "stock"    // product: counters against the ledger, the index against the database
	kindPayments = "payments" // payment: transactions against the provider and against orders
	kindErased   = "erased"   // services that have not heard of an erased user
)

var errDrifted = errors.New("there is drift: see above")

func newReconcile(p *place) *cobra.Command {
	var repair []string
	cmd := &cobra.Command{
		Use: "reconcile [--repair stock,payments,erased]", Args: cobra.NoArgs,
		Short: "Compare the services with each other, print each drift, repair what it is told to",
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, kind := range repair {
				if !slices.Contains([]string{kindStock, kindPayments, kindErased}, kind) {
					return fmt.Errorf("--repair %s: known are stock, payments and erased; other drift is for staff to decide", kind)
				}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), reconcileWithin)
			defer cancel()
			return p.reconcile(ctx, repair, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringSliceVar(&repair, "repair", nil, "what to repair: stock (counters by the ledger), payments (by the provider), erased (tell again)")
	return cmd
}

func (p *place) reconcile(ctx context.Context, repair []string, out io.Writer) error {
	running, err := shop.Load(filepath.Join(p.dir, "stack.json"))
	if err != nil {
		return fmt.Errorf("no stack runs here: %w", err)
	}
	across, err := relationships(ctx, running, slices.Contains(repair, kindErased), out)
	if err != nil {
		return err
	}
	drifted := across > 0
	for _, owner := range []struct{ service, kind string }{{"product", kindStock}, {"payment", kindPayments}} {
		args := []string{"reconcile"}
		if slices.Contains(repair, owner.kind) {
			args = append(args, "--repair")
		}
		_, _ = fmt.Fprintf(out, "%s %s:\n", owner.service, strings.Join(args, " "))
		if err := stack.RunOwner(ctx, p.root, p.dir, owner.service, args, out); err != nil {
			_, _ = fmt.Fprintf(out, "  %v\n", err)
			drifted = true
		}
	}
	if drifted {
		return errDrifted
	}
	return nil
}

// relationships prints the ten and gives how many drifts are left.
func relationships(ctx context.Context, running *shop.Stack, repair bool, out io.Writer) (int, error) {
	results, err := reconcile.Relationships(ctx, running)
	if err != nil {
		return 0, err
	}
	left, gone := 0, map[string]bool{}
	for _, r := range results {
		_, _ = fmt.Fprintf(out, "%-38s %7d checked %5d drifted\n", r.Kind, r.Checked, len(r.Drifts))
		for _, d := range r.Drifts {
			_, _ = fmt.Fprintf(out, "  %s refers to %s\n", d.What, d.Refers)
			if repair && d.User != "" && reconcile.Mendable(d.Kind) {
				gone[d.User] = true
				continue
			}
			left++
		}
	}
	if len(gone) == 0 {
		return left, nil
	}
	_, _ = fmt.Fprintf(out, "told again that %d users are erased\n", len(gone))
	return left, reconcile.TellAgain(ctx, running, gone)
}
