//go:build crashpoints

package crashpoint

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Hit is passed at a point; detail tells apart what one line of code does for
// many, such as the path of a request. It kills this process, with no chance to
// clean up, when the point is armed and its count is reached.
func Hit(point, detail string) {
	dir := os.Getenv("CARAVAN_CRASHPOINTS")
	if dir == "" {
		return
	}
	name := os.Getenv("APP_ID") + "." + point
	if detail != "" {
		name += "." + strings.ReplaceAll(detail, "/", "_")
	}
	file := filepath.Join(dir, name)
	taken := file + "." + strconv.Itoa(os.Getpid())
	// The one that renames it counts this passage; others pass.
	if os.Rename(file, taken) != nil {
		return
	}
	text, _ := os.ReadFile(taken)
	left, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if left > 1 {
		_ = os.WriteFile(taken, []byte(strconv.Itoa(left-1)), 0o600)
		_ = os.Rename(taken, file)
		return
	}
	_ = os.Remove(taken)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal comes before anything else is done here
}
