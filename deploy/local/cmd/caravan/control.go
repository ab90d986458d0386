package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/caravan-shop/caravan/deploy/local/stack"
)

// stopWithin bounds a clean stop of the whole stack.
const stopWithin = 90 * time.Second

func newStatus(p *place) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show health, pid and memory of each process", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return stack.PrintStatus(p.dir, os.Stdout) },
	}
}

func newStop(p *place) *cobra.Command {
	return &cobra.Command{
		Use: "stop", Short: "Stop the stack and wait until nothing is left", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if stack.RunningIn(p.dir) == 0 {
				fmt.Println("no stack runs here")
				return nil
			}
			return stack.Stop(p.dir, stopWithin)
		},
	}
}

func newReset(p *place) *cobra.Command {
	return &cobra.Command{
		Use: "reset", Short: "Stop the stack and remove its data, secrets and logs", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if stack.RunningIn(p.dir) != 0 {
				if err := stack.Stop(p.dir, stopWithin); err != nil {
					return err
				}
			}
			return stack.Reset(p.dir)
		},
	}
}

func newLogs(p *place) *cobra.Command {
	return &cobra.Command{
		Use: "logs [process]", Short: "Follow the log of a process, or of all", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			files, err := stack.LogFiles(p.dir, name)
			if err != nil {
				return err
			}
			tail := exec.CommandContext(cmd.Context(), "tail", append([]string{"-n", "20", "-F"}, files...)...)
			tail.Stdout, tail.Stderr = os.Stdout, os.Stderr
			if err := tail.Run(); err != nil && cmd.Context().Err() == nil {
				return err
			}
			return nil
		},
	}
}
