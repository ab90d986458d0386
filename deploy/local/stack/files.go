package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caravan-shop/caravan/deploy/local/servers"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// DefaultDir is where a checkout's stack keeps its state.
func DefaultDir(root string) string { return filepath.Join(root, ".caravan") }

// StackFile is where a running stack says how to reach it.
func StackFile(dir string) string { return filepath.Join(dir, "stack.json") }

// stateFile tells the caravan command how the processes are; unlike stack.json it exists while they start.
func stateFile(dir string) string { return filepath.Join(dir, "state.json") }

// Running says that a stack already runs in the state folder.
type Running struct {
	Dir string
	PID int
}

func (r *Running) Error() string {
	return fmt.Sprintf("a stack already runs in %s (pid %d)", r.Dir, r.PID)
}

func lockFile(dir string) string { return filepath.Join(dir, "lock") }

// hold makes this process the only one to run a stack in dir.
func hold(dir string) (unlock func(), err error) {
	// Servers that dropped root pass through here; what is secret below has modes of its own.
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(lockFile(dir), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		defer func() { _ = file.Close() }()
		return nil, &Running{Dir: dir, PID: readPID(dir)}
	}
	if err := file.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0); err != nil {
		return nil, err
	}
	return func() { _ = file.Truncate(0); _ = file.Close() }, nil
}

func readPID(dir string) int {
	text, err := os.ReadFile(lockFile(dir))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// RunningIn answers the pid of the stack that runs in dir; 0 when none does.
func RunningIn(dir string) int {
	unlock, err := tryLock(dir)
	if err == nil {
		unlock()
		return 0
	}
	var running *Running
	if errors.As(err, &running) {
		return running.PID
	}
	return 0
}

// tryLock tries the lock without leaving a trace.
func tryLock(dir string) (func(), error) {
	file, err := os.OpenFile(lockFile(dir), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = file.Close()
		return nil, &Running{Dir: dir, PID: readPID(dir)}
	}
	return func() { _ = file.Close() }, nil
}

// state is the content of the state file.
type state struct {
	PID   int                `json:"pid"`
	Began time.Time          `json:"began"`
	Ready bool               `json:"ready"`
	Units []supervise.Status `json:"units"`
}

// saveState is best effort: a full disk must not disturb what runs.
func (s *Stack) saveState() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.group != nil {
		_ = writeJSON(stateFile(s.Dir), state{PID: os.Getpid(), Began: s.began, Ready: s.ready, Units: s.group.Statuses()})
	}
}

func readState(dir string) (state, error) {
	var s state
	content, err := os.ReadFile(stateFile(dir))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(content, &s)
}

// Description is stack.json: all that clients, tests and outside tools know of a stack.
type Description struct {
	Edge          string                 `json:"edge"`
	Kafka         []string               `json:"kafka"`
	Mail          Mail                   `json:"mail"`
	Sandbox       string                 `json:"sandbox,omitempty"`
	Redis         string                 `json:"redis"`
	Elasticsearch string                 `json:"elasticsearch"`
	Mongo         string                 `json:"mongo"`
	Postgres      map[string]string      `json:"postgres"` // by service, with a role that only reads
	Accounts      map[string]Account     `json:"accounts"` // by role
	Sidecars      map[string]SidecarInfo `json:"sidecars"` // by app id
	Processes     []ProcessInfo          `json:"processes"`
	Crashpoints   string                 `json:"crashpoints,omitempty"` // a folder, if the services can die at named points
	Images        map[string]string      `json:"images,omitempty"`      // what runs in containers, and from which images
}

// Mail says where mails go and where they can be read.
type Mail struct {
	SMTP string `json:"smtp"`
	HTTP string `json:"http"`
}

// SidecarInfo says how to speak to a sidecar as its own app does.
type SidecarInfo struct {
	HTTP     string `json:"http"`
	APIToken string `json:"api_token"`
}

// ProcessInfo names a process; Restart is "always" or "never".
type ProcessInfo struct {
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	Restart string `json:"restart"`
}

// publish writes stack.json.
func (s *Stack) publish() error {
	description := s.describe()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ready {
		return nil
	}
	return writeJSON(StackFile(s.Dir), description)
}

func (s *Stack) describe() Description {
	d := Description{
		Edge: s.edgeURL(), Kafka: []string{s.kafka.Address()},
		Mail:  Mail{SMTP: servers.Loopback(s.port(smtpPort)), HTTP: "http://" + servers.Loopback(s.port(mailPort))},
		Redis: s.redis.URL(), Elasticsearch: s.elastic.URL(), Mongo: s.mongo.URL(),
		Postgres: map[string]string{}, Accounts: s.secrets.Accounts, Sidecars: map[string]SidecarInfo{},
		Processes: []ProcessInfo{{Name: "caravan", PID: os.Getpid(), Restart: "never"}}, Images: s.options.Images,
	}
	if s.options.StripeKey == "" {
		d.Sandbox = "http://" + servers.Loopback(s.port(sandboxPort))
	}
	if s.options.Crashpoints {
		d.Crashpoints = s.crashpoints()
	}
	for _, service := range relational() {
		d.Postgres[service] = s.dsn(service, readRole(service))
	}
	for _, app := range apps() {
		if app == edge || !s.options.InfraOnly {
			d.Sidecars[app] = SidecarInfo{HTTP: "http://" + servers.Loopback(s.appPort(daprHTTPPort, app)), APIToken: s.secrets.API[app]}
		}
	}
	for _, status := range s.group.Statuses() {
		if status.Process {
			d.Processes = append(d.Processes, ProcessInfo{Name: status.Name, PID: status.PID, Restart: "always"})
		}
	}
	return d
}
