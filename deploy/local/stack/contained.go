package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// Container is a process of the stack as a container engine needs to know it. Containers share the machine's network, and
// find its files at the same paths: addresses, arguments and configuration are those of the native stack.
type Container struct {
	Name       string // of the process
	Image      string
	Entrypoint []string // nil: the image's own
	Args       []string
	Env        []string
	User       string   // empty: the image's own
	Reads      []string // files and folders of this machine
	Writes     []string // folders of this machine
	Volumes    []string // folders of the container alone, kept when it is started again
	// Confined is a program that needs no rights and writes nothing but the folders above. It sees the machine's processes
	// by their numbers, so that it can kill itself, which the first process of a container cannot.
	Confined bool
}

// ContainerLauncher starts a container, and the same one with its data again when it is called again with its name.
type ContainerLauncher func(ctx context.Context, c Container, out *os.File) (supervise.Body, error)

// imageOf gives the image of a unit; "" if it has none.
func (p *plan) imageOf(unit string) string {
	if strings.HasPrefix(unit, sidecarOf("")) {
		return p.options.Images["daprd"]
	}
	return p.options.Images[appOf(unit)]
}

// contain has those processes that come in images start in containers; servers are described so from the beginning.
func (p *plan) contain(units []supervise.Unit) {
	for _, u := range units {
		if u.Process != nil && u.Process.Launch == nil && p.imageOf(u.Name) != "" {
			u.Process.Launch = p.launcher(p.container(u.Name, u.Process.Args))
		}
	}
}

func (p *plan) launcher(c Container) supervise.Launcher {
	return func(ctx context.Context, env []string, out *os.File) (supervise.Body, error) {
		c.Env = env
		return p.options.Launch(ctx, c, out)
	}
}

// container describes a program of ours, a sidecar or sentry. Those of Dapr read files that are private to who has started
// the stack, so they run as that user; ours need none and run as the image says.
func (p *plan) container(unit string, args []string) Container {
	c := Container{Name: unit, Image: p.imageOf(unit), Args: args, Confined: true}
	self := strconv.Itoa(os.Getuid()) + ":" + strconv.Itoa(os.Getgid())
	app, sidecar := strings.CutPrefix(appOf(unit), sidecarOf(""))
	switch {
	case unit == "sentry":
		c.Entrypoint, c.User = []string{"/sentry"}, self
		c.Reads, c.Writes = []string{p.dapr(), p.run("identity")}, []string{p.certificates()}
	case sidecar:
		c.Entrypoint, c.User = []string{"/daprd"}, self
		c.Reads = []string{p.dapr(), filepath.Join(p.Root, "components"), p.run("identity", app+".jwt")}
		c.Writes = []string{p.run("names")}
		if _, private := secretsOf()[app]; private {
			c.Reads = append(c.Reads, p.run("secrets", app+".json"))
		}
	case unit == "mailbox" || unit == "sandbox":
		c.Volumes = []string{p.ownData(unit)}
	case p.options.Crashpoints && unit != edge:
		c.Writes = []string{p.crashpoints()}
	}
	return c
}

// ownData is where a program of ours keeps its data: in a container the folder that its image has made for it.
func (p *plan) ownData(program string) string {
	if p.options.Images[program] != "" {
		return "/data"
	}
	return p.data(program)
}

// openCrashpoints lets services in containers, which are other users there, take what a test has armed.
func (l Layout) openCrashpoints(options Options) error {
	if !options.Crashpoints || len(options.Images) == 0 {
		return nil
	}
	return os.Chmod(l.crashpoints(), 0o777)
}

// migrateContained runs `<service> migrate` in a container of its own.
func (p *plan) migrateContained(ctx context.Context, service, logFile string) error {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	c := p.container(service, []string{"migrate"})
	c.Name, c.Env = service+"-migrations", p.serviceEnv(service, true)
	body, err := p.options.Launch(ctx, c, log)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, body.Kill)
	defer stop()
	if err := body.Wait(); err != nil {
		return fmt.Errorf("%s migrate: %w; the end of its log:\n%s", service, err, supervise.Tail(logFile, 12))
	}
	return nil
}
