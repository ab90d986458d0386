// Package stack composes the whole native stack: which processes there are, where they listen, what they are told, in
// what order they come up, and how others find them. `make run` and the whole-stack tests start this same package.
package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caravan-shop/caravan/deploy/local/host"
)

// Module is the module whose checkout the stack is started from.
const Module = "github.com/caravan-shop/caravan"

// The app ids.
const (
	user         = "user"
	product      = "product"
	cart         = "cart"
	order        = "order"
	payment      = "payment"
	notification = "notification"
	edge         = "edge"
)

// Services lists the six services in the order of their ports.
func Services() []string { return []string{user, product, cart, order, payment, notification} }

// relational lists the services that own a PostgreSQL database.
func relational() []string { return []string{user, product, order, payment} }

// secondSuffix marks the second process of a service, where there are two of each: order and order-2.
const secondSuffix = "-2"

// appOf gives the app that a process of a service, or the process of its sidecar, belongs to.
func appOf(instance string) string { return strings.TrimSuffix(instance, secondSuffix) }

// apps lists every app id that has a sidecar.
func apps() []string { return append(Services(), edge) }

// Offsets into the stack's block of ports. App n of apps() listens at base+n of each of its rows.
const (
	edgePort        = 0
	appPort         = 10
	daprHTTPPort    = 20
	daprGRPCPort    = 30
	daprPeerPort    = 40
	daprMetricsPort = 50
	postgresPort    = 60
	redisPort       = 61
	kafkaPort       = 62
	controllerPort  = 63
	elasticPort     = 64
	transportPort   = 65
	mongoPort       = 66
	sentryPort      = 67
	sentryHealth    = 68
	sentryMetrics   = 69
	smtpPort        = 70
	mailPort        = 71
	sandboxPort     = 72
)

// FirstEdgePort is where the first stack of a machine answers.
const FirstEdgePort = 3500

// offsets lists all ports of a stack, relative to its block.
func offsets() []int {
	list := []int{edgePort}
	for n := range apps() {
		list = append(list, appPort+n, daprHTTPPort+n, daprGRPCPort+n, daprPeerPort+n, daprMetricsPort+n)
	}
	for port := postgresPort; port <= sandboxPort; port++ {
		list = append(list, port)
	}
	return list
}

// Layout says where everything of one stack is.
type Layout struct {
	Root  string // the checkout
	Dir   string // the stack's own state
	block *host.Block
	// second has the ports of each service's second process; nil where there is one of each.
	second *host.Block
}

func (l Layout) port(offset int) int {
	if offset == edgePort && l.block.First {
		return FirstEdgePort
	}
	return l.block.Port(offset)
}

// appPort is a port of an app, or of the second process of a service.
func (l Layout) appPort(row int, instance string) int {
	offset := row + slices.Index(apps(), appOf(instance))
	if instance != appOf(instance) {
		return l.second.Port(offset)
	}
	return l.port(offset)
}

// instances lists the processes of the services.
func (l Layout) instances() []string {
	list := Services()
	if l.second != nil {
		for _, service := range Services() {
			list = append(list, service+secondSuffix)
		}
	}
	return list
}

func (l Layout) data(parts ...string) string { return l.under("data", parts...) }
func (l Layout) run(parts ...string) string  { return l.under("run", parts...) }

// crashpoints is the folder where tests arm the points at which a service dies.
func (l Layout) crashpoints() string { return l.run("crashpoints") }

func (l Layout) logs() string { return filepath.Join(l.Dir, "logs") }

func (l Layout) under(folder string, parts ...string) string {
	return filepath.Join(append([]string{l.Dir, folder}, parts...)...)
}

// bin is shared by all stacks of a checkout: the same sources make the same programs. Those that can die at named points
// lie apart, for the stacks that have a folder to arm them by.
func (l Layout) bin(parts ...string) string {
	folder := "bin"
	if l.tags() != "" {
		folder += "-" + l.tags()
	}
	return filepath.Join(append([]string{l.Root, ".caravan", folder}, parts...)...)
}

// tags of the programs' build.
func (l Layout) tags() string {
	if _, err := os.Stat(l.crashpoints()); err != nil {
		return ""
	}
	return "crashpoints"
}

func (l Layout) recipe(server string) string {
	return filepath.Join(l.Root, "deploy/local/servers", server)
}

// makeFolders makes the state folders, and one to arm crash points by if they are wanted. Servers that dropped root pass through data; each server's own folder in it is private.
func (l Layout) makeFolders(crashpoints bool) error {
	if err := os.MkdirAll(l.data(), 0o755); err != nil {
		return err
	}
	for _, dir := range []string{l.Dir, l.data()} {
		if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask says
			return err
		}
	}
	if err := os.RemoveAll(l.crashpoints()); err != nil { // what a run before this one has left armed
		return err
	}
	if crashpoints {
		return os.MkdirAll(l.crashpoints(), 0o700)
	}
	return os.MkdirAll(l.run(), 0o700)
}

// FindRoot goes up from a folder to the checkout that it is in.
func FindRoot(from string) (string, error) {
	at, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	for {
		content, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(content), "module "+Module+"\n") {
			return at, nil
		}
		if parent := filepath.Dir(at); parent != at {
			at = parent
			continue
		}
		return "", errors.New("not inside a checkout of " + Module)
	}
}

// claim takes a block of ports: the first stack's if it is free, else any other.
func claim(ctx context.Context, freePorts bool) (*host.Block, error) {
	if !freePorts {
		block, err := host.ClaimFirst()
		if err != nil {
			return nil, err
		}
		if block != nil {
			return checked(ctx, block)
		}
	}
	return host.ClaimFree(ctx, offsets())
}

// checked makes sure that nobody else listens on the first stack's ports.
func checked(ctx context.Context, block *host.Block) (*host.Block, error) {
	layout := Layout{block: block}
	var taken []string
	for _, offset := range offsets() {
		if port := layout.port(offset); !host.Free(ctx, port) {
			taken = append(taken, fmt.Sprintf("port %d is taken by %s", port, host.Holder(port)))
		}
	}
	if taken == nil {
		return block, nil
	}
	block.Release()
	return nil, errors.New(strings.Join(taken, "\n") + "\nstop that process, or start on other ports: make run FREE_PORTS=1")
}

// CheckPorts says whether the first stack's ports are free, or who has them.
func CheckPorts(ctx context.Context) error {
	block, err := host.ClaimFirst()
	if err != nil {
		return err
	}
	if block == nil {
		return nil // another stack has them; the next one takes others
	}
	if _, err = checked(ctx, block); err == nil {
		block.Release()
	}
	return err
}
