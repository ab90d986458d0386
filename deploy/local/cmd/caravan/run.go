package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caravan-shop/caravan/deploy/local/progress"
	"github.com/caravan-shop/caravan/deploy/local/stack"
)

// runFlags are the options of run and infra.
type runFlags struct {
	freePorts, throwaway, crashpoints, two bool
	env                                    []string
	envFile                                string
}

func (f *runFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.freePorts, "free-ports", os.Getenv("FREE_PORTS") != "", "take free ports instead of the first stack's")
	cmd.Flags().BoolVar(&f.throwaway, "throwaway", false, "trade the servers' durability for speed, for tests")
	cmd.Flags().BoolVar(&f.crashpoints, "crashpoints", false, "build the services so that tests can have them die at named points")
	cmd.Flags().BoolVar(&f.two, "two", os.Getenv("CARAVAN_TWO") != "", "start two processes of each service, as order and order-2")
	cmd.Flags().StringArrayVar(&f.env, "env", nil, "KEY=VALUE for the environment of all our programs, as HOLD_TTL=5s (repeatable)")
	cmd.Flags().StringVar(&f.envFile, "env-file", "", "a file of such lines")
}

func (f *runFlags) environment() (map[string]string, error) {
	lines := f.env
	if f.envFile != "" {
		file, err := os.Open(f.envFile)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		scan := bufio.NewScanner(file)
		for scan.Scan() {
			if line := strings.TrimSpace(scan.Text()); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
		if err := scan.Err(); err != nil {
			return nil, err
		}
	}
	all := map[string]string{}
	for _, line := range lines {
		key, value, found := strings.Cut(line, "=")
		if !found {
			return nil, fmt.Errorf("%q is not KEY=VALUE", line)
		}
		all[key] = value
	}
	return all, nil
}

func newRun(p *place) *cobra.Command {
	flags := &runFlags{}
	withGoods := false
	cmd := &cobra.Command{
		Use: "run", Short: "Start the whole shop and stay in the foreground", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, out := stack.Options{}, progress.New(os.Stdout)
			if withGoods {
				options.Furnish = func(ctx context.Context, d stack.Description) error { return importCatalogue(ctx, d, out) }
			}
			return runStack(cmd.Context(), p, flags, options, out)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&withGoods, "catalogue", false, "import the demo catalogue into an empty shop")
	return cmd
}

func newInfra(p *place) *cobra.Command {
	flags := &runFlags{}
	cmd := &cobra.Command{
		Use: "infra", Short: "Start all but the services and their sidecars, for `dapr run -f dapr/dapr.yaml`", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runStack(cmd.Context(), p, flags, stack.Options{InfraOnly: true}, progress.New(os.Stdout))
		},
	}
	flags.register(cmd)
	return cmd
}

func runStack(ctx context.Context, p *place, flags *runFlags, options stack.Options, out *progress.Printer) error {
	env, err := flags.environment()
	if err != nil {
		return err
	}
	options.Root, options.Dir, options.Cache = p.root, p.dir, p.cache
	options.FreePorts, options.Throwaway, options.Env = flags.freePorts, flags.throwaway, env
	options.Crashpoints, options.Two = flags.crashpoints, flags.two && !options.InfraOnly
	options.StripeKey, options.StripeWebhookSecret = os.Getenv("STRIPE_API_KEY"), os.Getenv("STRIPE_WEBHOOK_SECRET")
	err = stack.Run(ctx, options, out, func(ctx context.Context, s *stack.Stack) error {
		out.Plain(s.Summary())
		<-ctx.Done()
		return nil
	})
	var running *stack.Running
	if errors.As(err, &running) {
		fmt.Println(running.Error() + "; `make status` shows it, `make stop` ends it")
		return nil
	}
	return err
}
