// Package host asks the machine: which process holds a port, how much memory a process takes, which tools are there.
package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ProcessName is what /proc says that a pid runs, shortened; empty when the process is gone.
func ProcessName(pid int) string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(raw) == 0 {
		return ""
	}
	words := strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00")
	words[0] = filepath.Base(words[0])
	line := strings.Join(words, " ")
	if len(line) > 80 {
		line = line[:77] + "..."
	}
	return line
}

// children lists the direct children of each process.
func children() map[int][]int {
	tree := map[int][]int{}
	for _, pid := range pids() {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// The name may hold blanks and brackets: the fields are counted from the last bracket.
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(fields) < 2 {
			continue
		}
		parent, _ := strconv.Atoi(fields[1])
		tree[parent] = append(tree[parent], pid)
	}
	return tree
}

func pids() []int {
	entries, _ := os.ReadDir("/proc")
	var list []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			list = append(list, pid)
		}
	}
	return list
}

// PSS is the memory of each process with all its descendants, in bytes; pages that several share are counted in parts.
func PSS(roots []int) map[int]int64 {
	tree := children()
	sums := make(map[int]int64, len(roots))
	for _, root := range roots {
		sums[root] = treePSS(tree, root)
	}
	return sums
}

func treePSS(tree map[int][]int, pid int) int64 {
	sum := onePSS(pid)
	for _, child := range tree[pid] {
		sum += treePSS(tree, child)
	}
	return sum
}

func onePSS(pid int) int64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(content)) {
		if rest, found := strings.CutPrefix(line, "Pss:"); found {
			kilobytes, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

// WorkingIn lists the processes whose working directory is dir: a database server's children stay in its data folder.
func WorkingIn(dir string) []int {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil
	}
	var list []int
	for _, pid := range pids() {
		if at, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil && at == real {
			list = append(list, pid)
		}
	}
	return list
}
