// Command teststack starts the whole stack in containers, for the whole-stack tests: what `caravan run` is to the native
// stack. It is a module of its own, so that neither the services nor `make run` carry a container engine's client.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/caravan-shop/caravan/deploy/local/progress"
	"github.com/caravan-shop/caravan/deploy/local/stack"
)

const usage = `teststack images                                              print the images that are to be pulled
teststack run --dir DIR [--free-ports] [--crashpoints] [--two]  start the whole stack
teststack testdb COMMAND...                                     run a command beside throwaway servers`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "teststack:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "images":
		return listImages()
	case "run":
		return run(ctx, args[1:])
	case "testdb":
		return beside(ctx, args[1:])
	default:
		return errors.New(usage)
	}
}

// listImages prints the images that are to be pulled; those of our own programs are built.
func listImages() error {
	var names []string
	for _, image := range stack.Images() {
		if !strings.HasPrefix(image, "caravan/") {
			names = append(names, image)
		}
	}
	slices.Sort(names)
	_, err := fmt.Println(strings.Join(slices.Compact(names), "\n"))
	return err
}

// run takes the flags that the whole-stack tests give to `caravan run`.
func run(ctx context.Context, args []string) error {
	options := stack.Options{Images: stack.Images()}
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.StringVar(&options.Dir, "dir", "", "the state folder of the stack")
	flags.BoolVar(&options.FreePorts, "free-ports", false, "take free ports instead of the first stack's")
	flags.BoolVar(&options.Crashpoints, "crashpoints", false, "the images are built so that tests can have services die at named points")
	flags.BoolVar(&options.Two, "two", os.Getenv("CARAVAN_TWO") != "", "start two processes of each service")
	if err := flags.Parse(args); err != nil {
		return err
	}
	out := progress.New(os.Stdout)
	return withEngine(ctx, func(root string, launch stack.ContainerLauncher) error {
		options.Root, options.Launch = root, launch
		return stack.Run(ctx, options, out, func(ctx context.Context, s *stack.Stack) error {
			out.Plain(s.Summary())
			<-ctx.Done()
			return nil
		})
	})
}

// beside runs a command as `caravan testdb --with redis,mongo` does.
func beside(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	return withEngine(ctx, func(root string, launch stack.ContainerLauncher) error {
		servers := stack.TestServers{Root: root, Redis: true, Mongo: true, Images: stack.Images(), Launch: launch}
		return stack.RunTestServers(ctx, servers, progress.New(os.Stderr), func(environment []string) error {
			child := exec.CommandContext(ctx, args[0], args[1:]...)
			child.Env = append(os.Environ(), environment...)
			child.Stdout, child.Stderr = os.Stdout, os.Stderr
			return child.Run()
		})
	})
}

func withEngine(ctx context.Context, use func(root string, launch stack.ContainerLauncher) error) error {
	root, err := stack.FindRoot(".")
	if err != nil {
		return err
	}
	engine, err := connect(ctx)
	if err != nil {
		return err
	}
	defer engine.close(context.WithoutCancel(ctx))
	return use(root, engine.launch)
}
