package stack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/caravan-shop/caravan/deploy/local/host"
	"github.com/caravan-shop/caravan/deploy/local/servers"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// errNotRunning is the answer of commands that need a running stack.
var errNotRunning = errors.New("no stack runs here; `make run` starts one")

// PrintStatus writes a table of the processes of the stack in dir, with health, pid and memory. It fails when not all is well.
func PrintStatus(dir string, out io.Writer) error {
	if RunningIn(dir) == 0 {
		return errNotRunning
	}
	now, err := readState(dir)
	if err != nil {
		return errors.New("the stack is still preparing its servers")
	}
	pids := []int{}
	for _, unit := range now.Units {
		if unit.PID != 0 {
			pids = append(pids, unit.PID)
		}
	}
	memory := host.PSS(pids)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(format string, args ...any) { _, _ = fmt.Fprintf(table, format+"\n", args...) }
	row("PROCESS\tHEALTH\tPID\tUP\tRESTARTS\tMEMORY (PSS)")
	ill, total := 0, int64(0)
	for _, unit := range now.Units {
		if unit.State != supervise.Running && unit.State != supervise.Done {
			ill++
		}
		if !unit.Process {
			continue
		}
		total += memory[unit.PID]
		row("%s\t%s\t%d\t%s\t%d\t%s", unit.Name, unit.State, unit.PID,
			time.Since(unit.Since).Round(time.Second), unit.Restarts, megabytes(memory[unit.PID]))
	}
	own := host.PSS([]int{now.PID})[now.PID] - total // the supervisor is the parent of all
	row("caravan\trunning\t%d\t%s\t0\t%s", now.PID, time.Since(now.Began).Round(time.Second), megabytes(max(0, own)))
	row("in all\t\t\t\t\t%s", megabytes(total+max(0, own)))
	if err := table.Flush(); err != nil {
		return err
	}
	if ill > 0 {
		return fmt.Errorf("%d of %d units are not ready", ill, len(now.Units))
	}
	return nil
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.0f MB", float64(bytes)/(1<<20)) }

// Stop ends the stack in dir and waits until nothing of it is left.
func Stop(dir string, within time.Duration) error {
	pid := RunningIn(dir)
	if pid == 0 {
		return errNotRunning
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop pid %d: %w", pid, err)
	}
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if RunningIn(dir) == 0 {
			return nil
		}
	}
	return fmt.Errorf("pid %d is still stopping after %s", pid, within)
}

// Reset removes the data, secrets and logs of a stack that does not run.
func Reset(dir string) error {
	if pid := RunningIn(dir); pid != 0 {
		return fmt.Errorf("the stack runs (pid %d): `make stop` first", pid)
	}
	layout := Layout{Dir: dir}
	data := layout.data("postgres")
	if elsewhere := (servers.Postgres{Data: data}).DataFolder(); elsewhere != data {
		if err := os.RemoveAll(filepath.Dir(elsewhere)); err != nil { // it holds this stack's data alone
			return err
		}
	}
	for _, path := range []string{layout.data(), layout.run(), layout.logs(), layout.under("secrets.json"), lockFile(dir), stateFile(dir), StackFile(dir)} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// LogFiles lists the logs of a stack, or the one of a process.
func LogFiles(dir, process string) ([]string, error) {
	pattern := filepath.Join(dir, "logs", "*.log")
	if process != "" {
		pattern = filepath.Join(dir, "logs", filepath.Base(process)+".log")
	}
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no log of %q in %s", process, filepath.Join(dir, "logs"))
	}
	return files, nil
}
