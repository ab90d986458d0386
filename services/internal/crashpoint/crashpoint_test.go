//go:build crashpoints

package crashpoint_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/caravan-shop/caravan/services/internal/crashpoint"
)

// TestPass is the process that the other test kills: three passages of a point.
func TestPass(t *testing.T) {
	if os.Getenv("APP_ID") != "victim" {
		t.Skip("run by TestKillsOnceAtItsCount")
	}
	for range 3 {
		crashpoint.Hit("answer", "/v1/things")
	}
}

func TestKillsOnceAtItsCount(t *testing.T) {
	for count, dies := range map[string]bool{"": true, "3": true, "4": false} {
		dir := t.TempDir()
		armed := filepath.Join(dir, "victim.answer._v1_things")
		if err := os.WriteFile(armed, []byte(count), 0o600); err != nil {
			t.Fatal(err)
		}
		for again := range 2 {
			cmd := exec.Command(os.Args[0], "-test.run", "TestPass")
			cmd.Env = append(os.Environ(), "APP_ID=victim", "CARAVAN_CRASHPOINTS="+dir)
			var ended *exec.ExitError
			killed := errors.As(cmd.Run(), &ended) && ended.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
			// Of four passages three are gone: the second process meets the fourth.
			if want := (dies && again == 0) || (count == "4" && again == 1); killed != want {
				t.Errorf("count %q, process %d: killed %t, want %t", count, again, killed, want)
			}
		}
		if _, err := os.Stat(armed); !os.IsNotExist(err) {
			t.Errorf("count %q: the point is still armed", count)
		}
	}
}
