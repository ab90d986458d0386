package supervise

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// journal records the changes that a supervisor reports.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(s Status, _ error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, s.Name+" "+string(s.State))
}

func (j *journal) index(line string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Index(j.lines, line)
}

func sleeper(script string) *Process {
	return &Process{
		Path: "/bin/sh", Args: []string{"-c", script}, Env: os.Environ(),
		Ready: func(context.Context) error { return nil }, StopWithin: 500 * time.Millisecond,
	}
}

func bring(t *testing.T, units ...Unit) (*Supervisor, *journal, error) {
	t.Helper()
	j := &journal{}
	s, err := New(t.TempDir(), j.note)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Up(t.Context(), units)
	t.Cleanup(s.Down)
	return s, j, err
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestUnitsStartAndStopInOrder(t *testing.T) {
	s, j, err := bring(t,
		Unit{Name: "server", Process: sleeper("exec sleep 60")},
		Unit{Name: "topics", After: []string{"server"}, Task: func(context.Context) error { return nil }},
		Unit{Name: "client", After: []string{"topics"}, Process: sleeper("exec sleep 60")},
	)
	if err != nil {
		t.Fatalf("Up: %v", err)
	}
	if a, b := j.index("server running"), j.index("topics starting"); a < 0 || b < a {
		t.Errorf("order of starts: %v", j.lines)
	}
	s.Down()
	if a, b := j.index("client stopped"), j.index("server stopped"); a < 0 || b < a {
		t.Errorf("order of stops: %v", j.lines)
	}
	for _, status := range s.Statuses() {
		if status.PID != 0 {
			t.Errorf("%s still has pid %d", status.Name, status.PID)
		}
	}
}

func TestDeadProcessIsStartedAgain(t *testing.T) {
	s, _, err := bring(t, Unit{Name: "server", Process: sleeper("exec sleep 60")})
	if err != nil {
		t.Fatalf("Up: %v", err)
	}
	before := s.Statuses()[0].PID
	_ = syscall.Kill(before, syscall.SIGKILL)
	eventually(t, "another pid", func() bool {
		now := s.Statuses()[0]
		return now.State == Running && now.PID != before && now.Restarts == 1
	})
}

func TestFailureStopsWhatWasStarted(t *testing.T) {
	broken := sleeper("echo no such disk; exit 3")
	broken.Ready = func(context.Context) error { return errors.New("not yet") }
	s, _, err := bring(t,
		Unit{Name: "server", Process: sleeper("exec sleep 60")},
		Unit{Name: "broken", After: []string{"server"}, Process: broken},
		Unit{Name: "never", After: []string{"broken"}, Process: sleeper("exec sleep 60")},
	)
	if err == nil || !strings.Contains(err.Error(), "broken") || !strings.Contains(err.Error(), "no such disk") {
		t.Fatalf("error = %v, want the unit's name and the end of its log", err)
	}
	if got := s.Statuses()[0].State; got != Stopped {
		t.Errorf("server is %s after the failure, want stopped", got)
	}
	if got := s.Statuses()[2].State; got != Waiting {
		t.Errorf("never is %s, want waiting", got)
	}
}

func TestStopTakesTheWholeGroup(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "child")
	stubborn := sleeper("trap '' TERM; sleep 60 & echo $! > " + pidFile + "; wait; wait")
	stubborn.Ready = func(context.Context) error { _, err := os.Stat(pidFile); return err }
	s, _, err := bring(t, Unit{Name: "stubborn", Process: stubborn})
	if err != nil {
		t.Fatalf("Up: %v", err)
	}
	pid := s.Statuses()[0].PID
	s.Down()
	eventually(t, "an empty process group", func() bool { return !alive(-pid) })
}

func TestInterruptedStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	slow := sleeper("exec sleep 60")
	slow.Ready = func(context.Context) error { cancel(); return errors.New("not yet") }
	s, err := New(t.TempDir(), func(Status, error) {})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Up(ctx, []Unit{{Name: "slow", Process: slow}})
	if !Interrupted(err) {
		t.Errorf("Up = %v, want an interruption", err)
	}
	if got := s.Statuses()[0]; got.PID != 0 {
		t.Errorf("slow left pid %d", got.PID)
	}
}

func TestLogMovesAsideWhenFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.log")
	log, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	chunk := make([]byte, 1<<20)
	for range maxLog/len(chunk) + 2 {
		_, _ = log.Write(chunk)
	}
	for _, name := range []string{path, path + ".1"} {
		if info, err := os.Stat(name); err != nil || info.Size() > maxLog {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestTimersOfAProcessAreCoarse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "slack")
	if _, _, err := bring(t, Unit{Name: "one", Process: sleeper("cat /proc/self/timerslack_ns > " + file + "; sleep 60")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "timer slack of 2 ms", func() bool {
		content, _ := os.ReadFile(file)
		return strings.TrimSpace(string(content)) == "2000000"
	})
}
