package supervise

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Body is one life of a process, from its start to its end.
type Body interface {
	PID() int
	Signal(s syscall.Signal) error
	// Kill ends it and whatever it has left behind. It may be called once it has ended, too.
	Kill()
	// Wait returns when it has ended, with how; nil is a clean end. It is called once.
	Wait() error
}

// Launcher starts a process with an environment. It owns out, and closes it when nothing writes to it any more. The
// process outlives ctx.
type Launcher func(ctx context.Context, env []string, out *os.File) (Body, error)

// child is a process of this machine, started by us, and the group that it leads.
type child struct{ cmd *exec.Cmd }

// fork starts Path. Its life does not hang on ctx: the runner ends it, politely first.
func (p *Process) fork(ctx context.Context, env []string, out *os.File) (Body, error) {
	defer func() { _ = out.Close() }() // the process has its own copy
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.Path, p.Args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, p.Dir, out, out
	orphaned := p.Orphaned
	if orphaned == 0 {
		orphaned = syscall.SIGKILL
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: orphaned, Credential: p.Credential}
	if err := launch(cmd, orDefault(p.Slack, coalesce)); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	return child{cmd}, nil
}

func (c child) PID() int                      { return c.cmd.Process.Pid }
func (c child) Signal(s syscall.Signal) error { return c.cmd.Process.Signal(s) }
func (c child) Kill()                         { _ = syscall.Kill(-c.PID(), syscall.SIGKILL) }
func (c child) Wait() error                   { return c.cmd.Wait() }
