package host

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Tool is a program that the stack needs and does not bring along.
type Tool struct {
	Name    string
	Command []string // prints its version, or fails
	Version *regexp.Regexp
	AtLeast int // of the first group of Version; 0: any
	Install string
	// ForServers is a tool that only servers outside containers need.
	ForServers bool
}

// Tools lists what building and running the stack asks of the machine.
func Tools() []Tool {
	number := regexp.MustCompile(`(\d+)`)
	return []Tool{
		{Name: "Go 1.26", Command: []string{"go", "version"}, Version: regexp.MustCompile(`go1\.(\d+)`), AtLeast: 26, Install: "https://go.dev/dl"},
		{Name: "a Java runtime, 17 or newer", Command: []string{"java", "-version"}, Version: regexp.MustCompile(`version "(\d+)`), AtLeast: 17, Install: "apt-get install openjdk-17-jdk-headless", ForServers: true},
		{Name: "a Java compiler, 17 or newer", Command: []string{"javac", "-version"}, Version: number, AtLeast: 17, Install: "apt-get install openjdk-17-jdk-headless", ForServers: true},
		{Name: "Maven", Command: []string{"mvn", "-v"}, Version: number, Install: "apt-get install maven", ForServers: true},
		{Name: "Python 3.10 or newer", Command: []string{"python3", "--version"}, Version: regexp.MustCompile(`3\.(\d+)`), AtLeast: 10, Install: "apt-get install python3", ForServers: true},
		{Name: "Python's venv", Command: []string{"python3", "-c", "import venv, ensurepip"}, Install: "apt-get install python3-venv", ForServers: true},
	}
}

// Check answers nil, or what is wrong with the tool and how to get it.
func (t Tool) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, t.Command[0], t.Command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s is missing (%s: %w); install it: %s", t.Name, strings.Join(t.Command, " "), err, t.Install)
	}
	if t.AtLeast == 0 {
		return nil
	}
	match := t.Version.FindStringSubmatch(string(out))
	if match == nil {
		return fmt.Errorf("%s: cannot read a version from %q; install it: %s", t.Name, strings.TrimSpace(string(out)), t.Install)
	}
	if found, _ := strconv.Atoi(match[1]); found < t.AtLeast {
		return fmt.Errorf("%s is needed, found %q; install it: %s", t.Name, strings.TrimSpace(string(out)), t.Install)
	}
	return nil
}

// Supported says whether the servers exist for this machine.
func Supported() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the native stack runs on Linux; on %s use docker-compose.yml", runtime.GOOS)
	}
	return nil
}
