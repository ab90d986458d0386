// Command fuzz has schemathesis send generated requests to every public operation of a running stack, through the edge,
// with ids of things that exist, and fails on any 5xx and on any answer that the service's OpenAPI document does not
// allow. The stack should run with a long ACCESS_TTL: tokens are fetched once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/caravan-shop/caravan/tests/shop"
)

const version = "4.32.5"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

// fuzzer runs schemathesis against one stack.
type fuzzer struct {
	tool, dir, edge  string
	examples, checks string
	out              io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	examples := flags.String("examples", "40", "requests an operation")
	checks := flags.String("checks", "not_a_server_error,response_schema_conformance,content_type_conformance", "schemathesis' checks")
	only := flags.String("only", "", "one service alone")
	if err := flags.Parse(args); err != nil {
		return err
	}
	stack, err := shop.Load(stackFile())
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "caravan-fuzz-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	tool, err := schemathesis(ctx)
	if err != nil {
		return err
	}
	f := &fuzzer{tool: tool, dir: dir, edge: stack.Edge, examples: *examples, checks: *checks, out: out}
	runs, err := plan(ctx, stack)
	if err != nil {
		return fmt.Errorf("make things to ask for: %w", err)
	}
	var errs []error
	for _, r := range runs {
		if *only == "" || *only == r.service {
			errs = append(errs, f.run(ctx, r))
		}
	}
	return errors.Join(errs...)
}

func stackFile() string {
	if path := os.Getenv("CARAVAN_STACK"); path != "" {
		return path
	}
	return ".caravan/stack.json"
}

// schemathesis is installed once, into an environment of its own in the cache.
func schemathesis(ctx context.Context) (string, error) {
	cache := os.Getenv("CARAVAN_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(user, "caravan")
	}
	env := filepath.Join(cache, "schemathesis-"+version)
	tool := filepath.Join(env, "bin/schemathesis")
	if _, err := os.Stat(tool); err == nil {
		return tool, nil
	}
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", env}, {filepath.Join(env, "bin/pip"), "install", "-q", "schemathesis==" + version},
	} {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("%s: %w", command[0], err)
		}
	}
	return tool, nil
}

// round is one pass over a service's operations as one person.
type round struct {
	service, as, token string
	things             []thing
	operations         []string // these alone; without any: all but those that end the caller's own session or account
}

// thing is an id for a parameter of some paths.
type thing struct{ paths, parameter, value string }

// ending lists the operations after which the caller's token is worth nothing.
func ending() []string {
	return []string{"endAllSessions", "endCurrentSession", "endSession", "eraseMe", "changePassword"}
}

func (f *fuzzer) run(ctx context.Context, r round) error {
	name := r.service + " as " + r.as
	_, _ = fmt.Fprintln(f.out, "==", name)
	config := filepath.Join(f.dir, strings.ReplaceAll(name, " ", "-")+".toml")
	if err := os.WriteFile(config, []byte(settings(r.things)), 0o600); err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	args := []string{"--config-file", config, "run", filepath.Join(root, "services", r.service, "openapi.yaml"),
		"--url", f.edge + "/v1.0/invoke/" + r.service + "/method", "--header", "Authorization: Bearer " + r.token,
		"--include-path-regex", `^/(v1|\.well-known)/`, "--phases", "examples,coverage,fuzzing", "--checks", f.checks,
		"--max-examples", f.examples, "--continue-on-failure", "--request-timeout", "30", "--workers", "2", "--no-color", "--seed", "1",
		"--warnings", "off"}
	choice, names := "--exclude-operation-id-regex", ending()
	if len(r.operations) > 0 {
		choice, names = "--include-operation-id-regex", r.operations
		args = slices.DeleteFunc(args, func(a string) bool { return a == "--include-path-regex" || a == `^/(v1|\.well-known)/` })
	}
	args = append(args, choice, "^("+strings.Join(names, "|")+")$")
	cmd := exec.CommandContext(ctx, f.tool, args...)
	cmd.Env = append(os.Environ(), "SCHEMATHESIS_HOOKS=hooks", "PYTHONPATH="+filepath.Join(root, "tests/fuzz"), "PYTHONDONTWRITEBYTECODE=1")
	cmd.Dir = f.dir // it leaves a database of what failed behind
	cmd.Stdout, cmd.Stderr = f.out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// settings is schemathesis' configuration with the ids.
func settings(things []thing) string {
	var text strings.Builder
	for _, t := range things {
		fmt.Fprintf(&text, "[[operations]]\ninclude-path-regex = '%s'\nparameters = { %q = %q }\n\n", t.paths, "path."+t.parameter, t.value)
	}
	return text.String()
}
