package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/caravan-shop/caravan/deploy/local/progress"
	"github.com/caravan-shop/caravan/deploy/local/stack"
)

func newTestDB(p *place) *cobra.Command {
	var with []string
	cmd := &cobra.Command{
		Use:   "testdb [--with redis,elasticsearch,mongo,daprd,stripe-mock|all] -- COMMAND...",
		Short: "Run a command beside throwaway servers, which it finds by CARAVAN_TEST_POSTGRES and so on",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			servers, err := parseWith(with)
			if err != nil {
				return err
			}
			servers.Root, servers.Cache = p.root, p.cache
			return stack.RunTestServers(cmd.Context(), servers, progress.New(os.Stderr), func(environment []string) error {
				child := exec.CommandContext(cmd.Context(), args[0], args[1:]...)
				child.Env = append(os.Environ(), environment...)
				child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
				child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
				child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
				return commandResult(child.Run())
			})
		},
	}
	cmd.Flags().StringSliceVar(&with, "with", nil, "servers besides PostgreSQL: redis, elasticsearch, mongo, daprd and stripe-mock (built, not started), or all")
	return cmd
}

func parseWith(with []string) (stack.TestServers, error) {
	known := []string{"redis", "elasticsearch", "mongo", "daprd", "stripe-mock", "all"}
	for _, name := range with {
		if !slices.Contains(known, name) {
			return stack.TestServers{}, fmt.Errorf("--with %s: known are %s", name, strings.Join(known, ", "))
		}
	}
	has := func(name string) bool { return slices.Contains(with, name) || slices.Contains(with, "all") }
	return stack.TestServers{
		Redis: has("redis"), Elasticsearch: has("elasticsearch"), Mongo: has("mongo"), Daprd: has("daprd"), StripeMock: has("stripe-mock"),
	}, nil
}

// commandFailed is the exit code of the command that ran beside the servers.
type commandFailed struct{ code int }

func (c *commandFailed) Error() string { return fmt.Sprintf("the command ended with %d", c.code) }

func commandResult(err error) error {
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return &commandFailed{code: max(1, ended.ExitCode())}
	}
	return err
}
