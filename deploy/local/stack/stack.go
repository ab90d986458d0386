package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/caravan-shop/caravan/deploy/local/host"
	"github.com/caravan-shop/caravan/deploy/local/progress"
	"github.com/caravan-shop/caravan/deploy/local/provision"
	"github.com/caravan-shop/caravan/deploy/local/servers"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// Options say which stack to start.
type Options struct {
	Root  string // the checkout
	Dir   string // the stack's state; empty: .caravan in the checkout
	Cache string // empty: CARAVAN_CACHE, then the user's cache folder
	// FreePorts leaves the first stack's ports to others.
	FreePorts bool
	// InfraOnly starts all but the services and their sidecars, which `dapr run` then starts.
	InfraOnly bool
	// Two starts two processes of each service, each with a sidecar of its own.
	Two bool
	// Throwaway trades the durability of the servers for speed.
	Throwaway bool
	// Crashpoints builds the services so that tests can have them die at named points.
	Crashpoints bool
	// Images says which server, Dapr process or program runs in a container, and from which image; those that are not in it
	// run natively. Launch starts the containers.
	Images map[string]string
	Launch ContainerLauncher
	// Furnish puts the first goods into a shop that runs but has not been announced yet; nil leaves it as it is.
	Furnish func(ctx context.Context, d Description) error
	// Env overrides what our own programs find in their environment.
	Env map[string]string
	// StripeKey and StripeWebhookSecret replace the payment sandbox by the real provider.
	StripeKey           string
	StripeWebhookSecret string
}

// Stack is a running stack.
type Stack struct {
	*plan
	group *supervise.Supervisor
	out   *progress.Printer
	began time.Time

	mu    sync.Mutex
	ready bool // from then on stack.json follows each change
}

// Run starts a stack, hands it to serve once it is ready, and stops it when serve returns or the start fails. Only one
// stack runs in a state folder: for a second one it answers a *Running.
func Run(ctx context.Context, options Options, out *progress.Printer, serve func(context.Context, *Stack) error) error {
	if options.Dir == "" {
		options.Dir = DefaultDir(options.Root)
	}
	unlock, err := hold(options.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	_ = os.Remove(StackFile(options.Dir)) // of a stack that was killed
	block, err := claim(ctx, options.FreePorts)
	if err != nil {
		return err
	}
	defer block.Release()
	if options.InfraOnly && !block.First {
		return errors.New("dapr/dapr.yaml knows the ports of a machine's first stack only, and another stack has them")
	}
	layout := Layout{Root: options.Root, Dir: options.Dir, block: block}
	if options.Two {
		if layout.second, err = host.ClaimFree(ctx, offsets()); err != nil {
			return err
		}
		defer layout.second.Release()
	}
	s, err := prepare(ctx, layout, options, out)
	if err != nil {
		return err
	}
	defer s.forget()
	if err := s.start(ctx); err != nil {
		return err
	}
	defer s.stop()
	return serve(ctx, s)
}

// prepare obtains the software, the secrets and the files that the processes read.
func prepare(ctx context.Context, layout Layout, options Options, out *progress.Printer) (*Stack, error) {
	want := options.wanted()
	if err := checkTools(ctx, want); err != nil {
		return nil, err
	}
	if err := layout.makeFolders(options.Crashpoints); err != nil {
		return nil, err
	}
	if err := layout.openCrashpoints(options); err != nil {
		return nil, err
	}
	cache, err := provision.Open(options.Cache, options.Root, out)
	if err != nil {
		return nil, err
	}
	got, err := obtain(ctx, cache, layout, want)
	if err != nil {
		return nil, err
	}
	secrets, err := loadSecrets(layout.under("secrets.json"))
	if err != nil {
		return nil, err
	}
	s := &Stack{plan: newPlan(layout, options, got, secrets), out: out, began: time.Now()}
	if err := s.writeSidecarFiles(s.began); err != nil {
		return nil, err
	}
	if err := s.writeEnvironments(); err != nil {
		return nil, err
	}
	s.group, err = supervise.New(s.logs(), s.changed)
	return s, err
}

// start brings all units up and makes sure that the sidecars are what their files declare.
func (s *Stack) start(ctx context.Context) error {
	units, err := s.units()
	if err != nil {
		return err
	}
	s.out.Say("start %d processes and tasks", len(units))
	if err := s.group.Up(ctx, units); err != nil {
		return err
	}
	if err := s.finish(ctx); err != nil {
		s.stop()
		return err
	}
	s.mu.Lock()
	s.ready = true
	s.mu.Unlock()
	return s.publish()
}

// finish does what is left once all processes answer.
func (s *Stack) finish(ctx context.Context) error {
	if s.options.InfraOnly {
		return nil
	}
	if err := s.checkSidecars(ctx); err != nil {
		return err
	}
	if err := s.awaitAccounts(ctx); err != nil {
		return err
	}
	if s.options.Furnish == nil {
		return nil
	}
	return s.options.Furnish(ctx, s.describe())
}

// stop ends everything; stack.json goes first, so that nobody finds a stack that is on its way out.
func (s *Stack) stop() {
	s.mu.Lock()
	s.ready = false
	s.mu.Unlock()
	_ = os.Remove(StackFile(s.Dir))
	s.out.Say("stopping")
	s.group.Down()
	s.out.Say("stopped")
}

func (s *Stack) forget() {
	_ = os.Remove(StackFile(s.Dir))
	_ = os.Remove(stateFile(s.Dir))
}

// changed follows the units: progress on the way up, trouble afterwards.
func (s *Stack) changed(status supervise.Status, cause error) {
	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	switch {
	case cause != nil && status.State == supervise.Failing:
		s.out.Say("%s keeps failing: %v; see `make logs S=%s`", status.Name, cause, status.Name)
	case cause != nil:
		s.out.Say("%s died: %v; starting it again", status.Name, cause)
	case status.State == supervise.Running && (!ready || status.Restarts > 0):
		s.out.Say("%s is ready", status.Name)
	case status.State == supervise.Done:
		s.out.Say("%s: done", status.Name)
	}
	s.saveState()
	if ready && status.State == supervise.Running {
		if err := s.publish(); err != nil {
			s.out.Say("%s: %v", StackFile(s.Dir), err)
		}
	}
}

// Summary is what a person wants to know once the stack is up.
func (s *Stack) Summary() string {
	mail := "http://" + servers.Loopback(s.port(mailPort))
	text := fmt.Sprintf("\nCaravan is ready after %s.\n\n  shop (Dapr edge)  %s\n  mails             %s\n", s.out.Elapsed().Round(100*time.Millisecond), s.edgeURL(), mail)
	if s.options.StripeKey == "" {
		text += fmt.Sprintf("  payment sandbox   http://%s/ledger\n", servers.Loopback(s.port(sandboxPort)))
	}
	if s.options.InfraOnly {
		text = strings.Replace(text, "Caravan is ready", "The servers are ready", 1) + "\n  start the services: dapr run -f dapr/dapr.yaml (dapr/README.md)\n\n"
	}
	text += fmt.Sprintf("  addresses, pids   %s\n  logs              %s\n\n", StackFile(s.Dir), s.logs())
	for _, role := range []string{"admin", "staff", "customer"} {
		account := s.secrets.Accounts[role]
		text += fmt.Sprintf("  %-9s %-26s %s\n", role, account.Email, account.Password)
	}
	return text + fmt.Sprintf("\nTry it:\n\n  curl -s '%s/v1.0/invoke/product/method/v1/products?limit=3'\n\nCtrl-C or `make stop` ends it; the data stays until `make reset`.\n", s.edgeURL())
}
