package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// quickDeath is how short a life counts as a failed start rather than as an accident.
	quickDeath = 15 * time.Second
	// startAttempts bounds the tries before the first readiness: a sidecar may find a server not quite up once.
	startAttempts = 3
	// failingAfter is how many quick deaths in a row are reported; restarts go on, five seconds apart.
	failingAfter = 5
	probeEvery   = 50 * time.Millisecond
)

// runner keeps one unit: it is the only one to start, probe, restart and stop it.
type runner struct {
	unit   Unit
	logs   string
	notify func(Status, error)

	ready   chan struct{} // closed at the first readiness
	failed  chan struct{} // closed when the first start was given up
	cause   error         // set before failed is closed
	gone    chan struct{} // closed when the unit has ended for good
	quit    chan struct{} // closed to ask for the end
	endOnce sync.Once

	mu     sync.Mutex
	status Status
}

func newRunner(u Unit, logs string, notify func(Status, error)) *runner {
	return &runner{
		unit: u, logs: logs, notify: notify,
		ready: make(chan struct{}), failed: make(chan struct{}), gone: make(chan struct{}), quit: make(chan struct{}),
		status: Status{Name: u.Name, State: Waiting, Process: u.Process != nil},
	}
}

func (r *runner) set(change func(*Status), cause error) {
	r.mu.Lock()
	before := r.status.State
	change(&r.status)
	if r.status.State != before {
		r.status.Since = time.Now()
	}
	now := r.status
	r.mu.Unlock()
	r.notify(now, cause)
}

func (r *runner) snapshot() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// giveUp records why the unit never became ready.
func (r *runner) giveUp(cause error) {
	r.cause = fmt.Errorf("%s: %w", r.unit.Name, cause)
	r.set(func(s *Status) { s.State = Failing }, r.cause)
	close(r.failed)
}

// run brings the unit up and, for a process, stays with it until asked to end.
func (r *runner) run(ctx context.Context) {
	defer close(r.gone)
	r.set(func(s *Status) { s.State = Starting }, nil)
	if r.unit.Task == nil {
		r.keep(ctx)
		return
	}
	if err := r.task(ctx); err != nil {
		r.giveUp(err)
		return
	}
	r.set(func(s *Status) { s.State = Done }, nil)
	close(r.ready)
}

// task runs the unit's task until it is done or asked to end.
func (r *runner) task(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-r.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	return r.unit.Task(ctx)
}

// keep starts the process again each time it dies.
func (r *runner) keep(ctx context.Context) {
	quick, everReady := 0, false
	for {
		began := time.Now()
		wasReady, err := r.once(ctx, !everReady)
		everReady = everReady || wasReady
		if r.ending(ctx) {
			break
		}
		if quick++; time.Since(began) > quickDeath {
			quick = 1
		}
		if !everReady && quick >= startAttempts {
			r.giveUp(err)
			return
		}
		state := Starting
		if quick >= failingAfter {
			state = Failing
		}
		r.set(func(s *Status) { s.State, s.PID = state, 0; s.Restarts++ }, err)
		if !r.pause(ctx, restartDelay(quick)) {
			break
		}
	}
	r.set(func(s *Status) { s.State, s.PID = Stopped, 0 }, nil)
}

// restartDelay is nothing for a first death: whoever calls the process is waiting.
func restartDelay(quick int) time.Duration {
	switch {
	case quick <= 1:
		return 0
	case quick < failingAfter:
		return time.Duration(quick) * 300 * time.Millisecond
	default:
		return 5 * time.Second
	}
}

func (r *runner) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.quit:
		return false
	case <-ctx.Done():
		return false
	}
}

func (r *runner) ending(ctx context.Context) bool {
	select {
	case <-r.quit:
		return true
	default:
		return ctx.Err() != nil
	}
}

// life is one run of the process.
type life struct {
	Body
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; read after done
}

func (l *life) cause() error {
	if l.err != nil {
		return l.err
	}
	return errors.New("ended by itself")
}

// once lives through one life of the process: start, readiness, end. It answers whether the process was ever ready.
func (r *runner) once(ctx context.Context, first bool) (bool, error) {
	p := r.unit.Process
	if p.Prepare != nil {
		if err := p.Prepare(ctx); err != nil {
			return false, err
		}
	}
	l, err := r.start(ctx)
	if err != nil {
		return false, err
	}
	defer l.Kill()
	defer r.end(l)
	r.set(func(s *Status) { s.PID = l.PID() }, nil)
	if err := r.awaitReady(ctx, l); err != nil {
		return false, err
	}
	r.set(func(s *Status) { s.State = Running }, nil)
	if first {
		close(r.ready)
	}
	select {
	case <-l.done:
		return true, l.cause()
	case <-r.quit:
	case <-ctx.Done():
	}
	return true, nil
}

// start launches the process with its output going to the log file through a pipe.
func (r *runner) start(ctx context.Context) (*life, error) {
	log, err := openLog(logPath(r.logs, r.unit.Name))
	if err != nil {
		return nil, err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		_ = log.Close()
		return nil, err
	}
	go func() {
		_, _ = io.Copy(log, reader)
		_ = reader.Close()
		_ = log.Close()
	}()
	body, err := r.unit.Process.launch(ctx, writer)
	if err != nil {
		return nil, err
	}
	l := &life{Body: body, done: make(chan struct{})}
	go func() {
		l.err = body.Wait()
		close(l.done)
	}()
	return l, nil
}

// awaitReady probes until the process answers, dies, is asked to end, or its time is over.
func (r *runner) awaitReady(ctx context.Context, l *life) error {
	ctx, cancel := context.WithTimeout(ctx, r.unit.Process.readyWithin())
	defer cancel()
	for {
		probe, done := context.WithTimeout(ctx, 3*time.Second)
		last := r.unit.Process.Ready(probe)
		done()
		if last == nil {
			return nil
		}
		select {
		case <-l.done:
			return fmt.Errorf("died before it was ready (%w); the end of its log:\n%s", l.cause(), r.logTail())
		case <-r.quit:
			return errors.New("asked to stop")
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %w; the end of its log:\n%s", last, r.logTail())
		case <-time.After(probeEvery):
		}
	}
}

func (r *runner) logTail() string { return Tail(logPath(r.logs, r.unit.Name), 12) }

// end stops the process, if it still lives: politely, then for good.
func (r *runner) end(l *life) {
	select {
	case <-l.done:
		return
	default:
	}
	_ = l.Signal(r.unit.Process.stopSignal())
	select {
	case <-l.done:
	case <-time.After(r.unit.Process.stopWithin()):
		l.Kill()
		<-l.done
	}
}

// stop asks the unit to end; gone is closed when it has.
func (r *runner) stop() { r.endOnce.Do(func() { close(r.quit) }) }
