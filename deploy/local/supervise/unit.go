// Package supervise starts a set of units in the order of their dependencies, keeps the processes among them alive,
// and stops everything in the reverse order. It knows nothing of what the units are.
package supervise

import (
	"context"
	"os"
	"slices"
	"syscall"
	"time"
)

// Unit is one thing to bring up: a process that stays, or a task that runs once. Exactly one of Task and Process is set.
type Unit struct {
	Name string
	// After names the units that must be ready before this one starts; it is stopped before they are.
	After   []string
	Task    func(ctx context.Context) error
	Process *Process
}

// Process describes one child process. It is a value: the supervisor starts it anew from the same description.
type Process struct {
	Path string
	Args []string
	Env  []string // the whole environment; nothing is inherited
	// Launch starts the process elsewhere than as a child, as in a container; nil starts Path.
	Launch Launcher
	// LateEnv is what the environment gets besides, known only when the units before this one are ready.
	LateEnv func() ([]string, error)
	Dir     string
	// Credential is the user to run as; nil keeps the supervisor's own.
	Credential *syscall.Credential
	// Prepare runs before every start, restarts included.
	Prepare func(ctx context.Context) error
	// Ready is probed until it answers nil.
	Ready       func(ctx context.Context) error
	ReadyWithin time.Duration // default 60 s
	// Stop asks for a clean end (default SIGTERM); after StopWithin (default 10 s) the process group is killed.
	Stop       syscall.Signal
	StopWithin time.Duration
	// Slack is how much later than asked a timer of the process may fire (default 2 ms).
	Slack time.Duration
	// Orphaned is the signal the kernel sends should the supervisor itself die (default SIGKILL).
	Orphaned syscall.Signal
}

// environment is Env and what is known only now.
func (p *Process) environment() ([]string, error) {
	if p.LateEnv == nil {
		return slices.Clone(p.Env), nil
	}
	late, err := p.LateEnv()
	return slices.Concat(p.Env, late), err
}

// launch starts the process, its output going to out, which is closed when nothing writes to it any more.
func (p *Process) launch(ctx context.Context, out *os.File) (Body, error) {
	env, err := p.environment()
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	if p.Launch != nil {
		return p.Launch(ctx, env, out)
	}
	return p.fork(ctx, env, out)
}

func (p *Process) readyWithin() time.Duration { return orDefault(p.ReadyWithin, time.Minute) }
func (p *Process) stopWithin() time.Duration  { return orDefault(p.StopWithin, 10*time.Second) }

func (p *Process) stopSignal() syscall.Signal {
	if p.Stop == 0 {
		return syscall.SIGTERM
	}
	return p.Stop
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// State is where a unit stands.
type State string

// The states of a unit. Failing is a process that keeps dying soon after its start.
const (
	Waiting  State = "waiting"
	Starting State = "starting"
	Running  State = "running"
	Done     State = "done"
	Failing  State = "failing"
	Stopped  State = "stopped"
)

// Status is a snapshot of one unit.
type Status struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	PID      int       `json:"pid,omitempty"`
	Restarts int       `json:"restarts"`
	Since    time.Time `json:"since"`
	Process  bool      `json:"process"`
}
