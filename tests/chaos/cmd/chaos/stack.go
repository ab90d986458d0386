package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startTimeout covers a first start, which builds and downloads everything.
const startTimeout = 40 * time.Minute

// ownStack starts a stack whose waiting times are short, so that what customers
// have left unpaid ends soon. keep leaves its folder for a look at the logs.
func ownStack(ctx context.Context, bin string, more ...string) (path string, stop func(keep bool), err error) {
	dir, err := os.MkdirTemp("", "caravan-chaos-")
	if err != nil {
		return "", nil, err
	}
	// PostgreSQL drops root: its data lies below this folder.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), bin, append([]string{"run", "--dir", dir, "--free-ports"}, more...)...)
	cmd.Env = append(os.Environ(), "PAY_BY=25s", "PAY_GRACE=15s", "HOLD_TTL=60s", "REVOKED_POLL=2s")
	log, err := os.Create(filepath.Join(dir, "stack.log"))
	if err != nil {
		return "", nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	// A signal to our own group must not reach it: it is stopped in its order, by us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func(keep bool) {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			_, _ = fmt.Fprintln(os.Stdout, "the stack ended with:", err)
		}
		_ = log.Close()
		if keep {
			_, _ = fmt.Fprintln(os.Stdout, "logs and data are kept in", dir)
			return
		}
		_ = os.RemoveAll(dir)
	}
	if err := ready(filepath.Join(dir, "stack.json"), ended); err != nil {
		stop(true)
		return "", nil, err
	}
	return filepath.Join(dir, "stack.json"), stop, nil
}

func ready(path string, ended chan error) error {
	deadline := time.After(startTimeout)
	for {
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("the stack ended while starting: %w", err)
		case <-deadline:
			return fmt.Errorf("the stack did not start within %s", startTimeout)
		case <-time.After(200 * time.Millisecond):
			if _, err := os.Stat(path); err == nil {
				return nil
			}
		}
	}
}
