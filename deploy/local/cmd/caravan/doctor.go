package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/caravan-shop/caravan/deploy/local/host"
	"github.com/caravan-shop/caravan/deploy/local/progress"
	"github.com/caravan-shop/caravan/deploy/local/provision"
	"github.com/caravan-shop/caravan/deploy/local/stack"
)

func newDoctor(p *place) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check the machine: tools, ports, cache", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return examine(cmd.Context(), p, os.Stdout) },
	}
}

func examine(ctx context.Context, p *place, out io.Writer) error {
	ills := 0
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }
	report := func(what string, err error) {
		if err != nil {
			ills++
			say("  WRONG  %s: %v\n", what, err)
			return
		}
		say("  fine   %s\n", what)
	}
	report("operating system", host.Supported())
	for _, tool := range host.Tools() {
		report(tool.Name, tool.Check(ctx))
	}
	_, err := provision.Open(p.cache, p.root, progress.New(io.Discard))
	report("cache folder", err)
	if pid := stack.RunningIn(p.dir); pid != 0 {
		say("  fine   a stack runs here (pid %d)\n", pid)
	} else {
		report("the first stack's ports", stack.CheckPorts(ctx))
	}
	if ills > 0 {
		return fmt.Errorf("%d things to put right", ills)
	}
	return nil
}
