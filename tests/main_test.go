// Package tests proves Caravan from outside: it drives a running stack through
// the edge, Kafka, the mail catcher and the sandbox's ledger, and reads the
// databases by their read-only roles. It knows the stack by stack.json alone.
package tests

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// world is the stack under test and who works in it.
type world struct {
	path  string // of stack.json, written again at each restart of a process
	stack *shop.Stack
	http  *shop.Client
	staff *shop.Shopper
	watch *shop.Watch
	judge *judge
}

var w world

const startTimeout = 40 * time.Minute // a first start builds and downloads everything

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	path, stop, err := stackFile()
	defer stop()
	if err == nil {
		err = w.open(path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests: no stack to test:", err)
		return 1
	}
	defer w.watch.Close()
	defer fmt.Fprintln(os.Stderr, "tests: what was tested ran", where(w.stack))
	code := m.Run()
	if err := w.judge.verdict(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// where says what of the stack runs in containers, by its name or that of its image.
func where(stack *shop.Stack) string {
	var contained, native []string
	for _, p := range stack.Processes {
		name := strings.TrimSuffix(p.Name, "-2")
		if strings.HasPrefix(name, "daprd-") {
			name = "daprd"
		}
		image := stack.Images[name]
		switch {
		case p.Name == "caravan": // starts the others
		case image != "":
			contained = append(contained, fmt.Sprintf("%s (%s)", p.Name, image))
		default:
			native = append(native, p.Name)
		}
	}
	text := fmt.Sprintf("in containers: %d processes", len(contained))
	if len(contained) > 0 {
		text += ": " + strings.Join(contained, ", ")
	}
	return fmt.Sprintf("%s; natively: %d: %s", text, len(native), strings.Join(native, ", "))
}

// stackFile gives the stack that CARAVAN_STACK names, or starts one of its own: in containers by the command that
// CARAVAN_CONTAINERS names, natively by CARAVAN_BIN.
func stackFile() (path string, stop func(), err error) {
	if path = os.Getenv("CARAVAN_STACK"); path != "" {
		return path, func() {}, nil
	}
	bin := cmp.Or(os.Getenv("CARAVAN_CONTAINERS"), os.Getenv("CARAVAN_BIN"))
	if bin == "" {
		return "", func() {}, fmt.Errorf("CARAVAN_BIN (the caravan command) or CARAVAN_STACK (a stack.json) must be set; `make test` does")
	}
	dir, err := os.MkdirTemp("", "caravan-tests-")
	if err != nil {
		return "", func() {}, err
	}
	// PostgreSQL drops root: its data lies below this folder.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", func() {}, err
	}
	return startStack(bin, dir)
}

func startStack(bin, dir string) (string, func(), error) {
	cmd := exec.Command(bin, "run", "--dir", dir, "--free-ports", "--crashpoints")
	cmd.Env = append(os.Environ(), "ACCESS_TTL=1h", "PAY_BY=25s", "PAY_GRACE=15s", "HOLD_TTL=60s", "REVOKED_POLL=2s")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return "", func() {}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			fmt.Fprintln(os.Stderr, "tests: the stack ended:", err)
		}
		if os.Getenv("CARAVAN_KEEP") == "" {
			_ = os.RemoveAll(dir)
		}
	}
	path := filepath.Join(dir, "stack.json")
	deadline := time.After(startTimeout)
	for {
		select {
		case err := <-ended:
			ended <- err
			return "", stop, fmt.Errorf("the stack ended while starting: %w", err)
		case <-deadline:
			return "", stop, fmt.Errorf("the stack did not start within %s", startTimeout)
		case <-time.After(200 * time.Millisecond):
			if _, err := os.Stat(path); err == nil {
				return path, stop, nil
			}
		}
	}
}

func (w *world) open(path string) error {
	stack, err := shop.Load(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if w.judge, err = newJudge(); err != nil {
		return err
	}
	w.path, w.stack, w.http = path, stack, shop.NewClient(stack.Edge)
	w.http.Inspect = w.judge.inspect
	account := stack.Accounts["admin"]
	if w.staff, err = shop.SignIn(ctx, w.http, account.Email, account.Password); err != nil {
		return fmt.Errorf("staff: %w", err)
	}
	w.watch, err = shop.NewWatch(stack.Kafka, topics()...)
	return err
}
