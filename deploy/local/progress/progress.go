// Package progress prints what is being done and how long it has taken, one line a step.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// reminder is how often a long step says that it is still at work.
const reminder = 20 * time.Second

// Printer writes the steps of one command. It is safe for concurrent use.
type Printer struct {
	mu    sync.Mutex
	out   io.Writer
	began time.Time
}

// New makes a printer whose elapsed times count from now.
func New(out io.Writer) *Printer { return &Printer{out: out, began: time.Now()} }

// Say prints one line with the time since the start in front.
func (p *Printer) Say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.out, "%7s  %s\n", clock(time.Since(p.began)), fmt.Sprintf(format, args...))
}

// Plain prints text as it is.
func (p *Printer) Plain(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprint(p.out, text)
}

// Elapsed is the time since the printer was made.
func (p *Printer) Elapsed() time.Duration { return time.Since(p.began) }

// Step says that something begins, reminds while it lasts, and says how long it took.
func (p *Printer) Step(what string, do func() error) error {
	began := time.Now()
	p.Say("%s ...", what)
	stop := p.remind(what, began)
	err := do()
	stop()
	if err == nil {
		p.Say("%s: done in %s", what, clock(time.Since(began)))
	}
	return err
}

func (p *Printer) remind(what string, began time.Time) (stop func()) {
	done := make(chan struct{})
	var over sync.WaitGroup
	over.Go(func() {
		tick := time.NewTicker(reminder)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.Say("%s: still at it after %s", what, clock(time.Since(began)))
			case <-done:
				return
			}
		}
	})
	return func() { close(done); over.Wait() }
}

func clock(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}
