// Command caravan starts, watches and stops the native stack, and gives tests the servers they need.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/caravan-shop/caravan/deploy/local/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := newRoot().ExecuteContext(ctx)
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	stop()
	var ended *commandFailed
	if errors.As(err, &ended) {
		os.Exit(ended.code) // the command has said why
	}
	fmt.Fprintln(os.Stderr, "caravan:", err)
	os.Exit(1)
}

// place is where the commands work; the flags of the root command set it.
type place struct {
	root, dir, cache string
}

func (p *place) find() error {
	if p.root == "" {
		root, err := stack.FindRoot(".")
		if err != nil {
			return fmt.Errorf("%w (or name it with --root)", err)
		}
		p.root = root
	}
	if p.dir == "" {
		p.dir = stack.DefaultDir(p.root)
	}
	return nil
}

func newRoot() *cobra.Command {
	p := &place{}
	root := &cobra.Command{
		Use: "caravan", Short: "The native stack of the Caravan shop", SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return p.find() },
	}
	root.PersistentFlags().StringVar(&p.root, "root", "", "the checkout (default: the one around the working directory)")
	root.PersistentFlags().StringVar(&p.dir, "dir", "", "the state folder of the stack (default: .caravan in the checkout)")
	root.PersistentFlags().StringVar(&p.cache, "cache", "", "where servers and builds are kept (default: $CARAVAN_CACHE, then the user's cache folder)")
	root.AddCommand(newRun(p), newInfra(p), newStatus(p), newStop(p), newReset(p), newLogs(p), newDoctor(p), newTestDB(p), newDemo(p), newDeadLetters(p), newReconcile(p), newReindex(p), newContainerFiles(p), newSoftware(p))
	return root
}
