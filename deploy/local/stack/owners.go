package stack

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// RunOwner runs a command of a service, as `product reconcile`, with the environment that the running stack has given
// that service: what is done to its data is done by its own code with its own rights.
func RunOwner(ctx context.Context, root, dir, service string, args []string, out io.Writer) error {
	l := Layout{Root: root, Dir: dir}
	environment := l.run("env", service+".env")
	if _, err := os.Stat(environment); err != nil {
		return fmt.Errorf("no stack has run here: %w", err)
	}
	const script = `. "$1" && shift && exec "$@"`
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", script, "sh", environment, l.bin(service)}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}
