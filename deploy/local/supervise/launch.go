package supervise

import (
	"fmt"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// coalesce is how much later than asked the kernel may let a timer of a process fire, unless the process says
// otherwise. Two dozen Go runtimes that watch themselves every 20 µs cost more than a tenth of two busy cores; nothing in
// the shop depends on less than milliseconds.
const coalesce = 2 * time.Millisecond

// launch starts a command with coarse timers, which all of its threads inherit from the one that forks it.
func launch(cmd *exec.Cmd, slack time.Duration) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack.Nanoseconds()), 0, 0, 0); err != nil {
		return fmt.Errorf("timer slack: %w", err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }() // back to the default
	return cmd.Start()
}
