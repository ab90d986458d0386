package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
)

// Supervisor owns a set of running units.
type Supervisor struct {
	logs    string
	notify  func(Status, error)
	order   []*runner
	byName  map[string]*runner
	cancel  context.CancelFunc // ends what is left when all was asked to stop
	started map[string]bool
	mu      sync.Mutex
}

// New makes a supervisor that writes one log file a process into logs. notify is called at each change of a unit, from
// several goroutines; its error is why a process died or a unit failed.
func New(logs string, notify func(Status, error)) (*Supervisor, error) {
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, fmt.Errorf("log folder: %w", err)
	}
	return &Supervisor{logs: logs, notify: notify, byName: map[string]*runner{}, started: map[string]bool{}}, nil
}

// Up starts the units, side by side where nothing orders them, and returns when all are ready. On the first failure or
// when ctx ends it stops what was started and returns why. After a nil, the processes live until Down.
func (s *Supervisor) Up(ctx context.Context, units []Unit) error {
	if err := s.admit(units); err != nil {
		return err
	}
	// The units outlive the caller's ctx: they are stopped in order by Down, not all at once by a cancelled context.
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	failure := make(chan error, len(s.order))
	var all sync.WaitGroup
	for _, r := range s.order {
		all.Go(func() {
			if err := s.launch(ctx, life, r); err != nil {
				failure <- err
			}
		})
	}
	if err := firstFailure(ctx, &all, failure); err != nil {
		s.Down()
		return err
	}
	return nil
}

// firstFailure waits until all are ready, one has failed, or ctx has ended.
func firstFailure(ctx context.Context, all *sync.WaitGroup, failure <-chan error) error {
	ready := make(chan struct{})
	go func() { all.Wait(); close(ready) }()
	select {
	case err := <-failure:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-ready:
	}
	select {
	case err := <-failure:
		return err
	default:
		return nil
	}
}

func (s *Supervisor) admit(units []Unit) error {
	for _, u := range units {
		if (u.Task == nil) == (u.Process == nil) {
			return fmt.Errorf("unit %s needs either a task or a process", u.Name)
		}
		for _, before := range u.After {
			if s.byName[before] == nil {
				return fmt.Errorf("unit %s comes after %s, which is not listed before it", u.Name, before)
			}
		}
		r := newRunner(u, s.logs, s.notify)
		s.order, s.byName[u.Name] = append(s.order, r), r
	}
	return nil
}

// launch waits for what the unit depends on, starts it and waits until it is ready. ctx bounds the waiting, life the unit.
func (s *Supervisor) launch(ctx, life context.Context, r *runner) error {
	for _, name := range r.unit.After {
		select {
		case <-s.byName[name].ready:
		case <-s.byName[name].failed:
			return nil // reported by the unit itself
		case <-r.quit:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	s.mu.Lock()
	select {
	case <-r.quit:
		s.mu.Unlock()
		return nil
	default:
		s.started[r.unit.Name] = true
		go r.run(life)
	}
	s.mu.Unlock()
	select {
	case <-r.ready:
		return nil
	case <-r.gone: // stopped, or given up: then the cause was set before
		return r.cause
	}
}

// Down stops everything, each unit after all that depend on it, and returns when nothing is left.
func (s *Supervisor) Down() {
	if s.cancel == nil {
		return
	}
	var all sync.WaitGroup
	for i, r := range s.order {
		all.Go(func() {
			for _, later := range s.order[i+1:] {
				if dependsOn(later.unit, r.unit.Name) {
					s.awaitGone(later)
				}
			}
			s.halt(r)
		})
	}
	all.Wait()
	s.cancel()
}

func (s *Supervisor) halt(r *runner) {
	s.mu.Lock()
	r.stop()
	running := s.started[r.unit.Name]
	s.mu.Unlock()
	if running {
		<-r.gone
	}
}

func (s *Supervisor) awaitGone(r *runner) {
	<-r.quit
	s.mu.Lock()
	running := s.started[r.unit.Name]
	s.mu.Unlock()
	if running {
		<-r.gone
	}
}

func dependsOn(u Unit, name string) bool {
	for _, before := range u.After {
		if before == name {
			return true
		}
	}
	return false
}

// Statuses lists all units in their order.
func (s *Supervisor) Statuses() []Status {
	list := make([]Status, 0, len(s.order))
	for _, r := range s.order {
		list = append(list, r.snapshot())
	}
	return list
}

// Interrupted tells a stop that was asked for from a failure.
func Interrupted(err error) bool { return errors.Is(err, context.Canceled) }
