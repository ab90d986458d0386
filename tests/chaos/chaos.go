// Package chaos buys and sells in a running stack while its processes are
// killed and frozen at random from a seed, waits until the shop has come to
// rest, and then holds what stands in the stores, topics and ledger against the
// contract and against what its own customers were told. It knows the stack by
// stack.json alone.
package chaos

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// Options say how hard and how long.
type Options struct {
	StackFile string // written anew by the stack when a process restarts
	Seed      uint64
	For       time.Duration // of the faults; the quiet after it comes on top
	Customers int
	Pause     time.Duration // mean time between two faults
	Victims   []string      // whom they hit; nil: any process
	Scarce    int64         // units of what is scarce; 0: as many as usual
	Rest      time.Duration // how long the shop may take to come to rest
	Recovery  bool          // measure each process's recovery first
	Out       io.Writer
}

// Verdict is what a run has shown.
type Verdict struct {
	Faults     map[string]int // "kill order" and so on
	Recoveries []Recovery
	Answers    map[string]int
	Orders     int      // that customers were told of
	Stuck      []string // what had not come to rest in time
	Lines      []Line
}

// Line is one property: how many things were looked at, and which broke it.
type Line struct {
	Name     string
	Checked  int
	Violated []string
}

// Failed tells whether anything is wrong.
func (v *Verdict) Failed() bool {
	if len(v.Stuck) > 0 {
		return true
	}
	for _, l := range v.Lines {
		if len(l.Violated) > 0 {
			return true
		}
	}
	for _, r := range v.Recoveries {
		if r.Took > recoveryLimit || r.Err != nil {
			return true
		}
	}
	return false
}

// run is one run's state.
type run struct {
	Options
	stack *shop.Stack
	http  *shop.Client
	staff *clerk
	shelf *shelf
	book  *book
	dead  int // dead letters that were there before
}

// Run does it all: recovery if asked, then load under faults, rest, checks.
func Run(ctx context.Context, o Options) (*Verdict, error) {
	r := &run{Options: o, book: newBook()}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	v := &Verdict{Faults: map[string]int{}}
	if o.Recovery {
		v.Recoveries = r.recoveries(ctx)
	}
	if o.For > 0 {
		r.storm(ctx, v)
	}
	if ctx.Err() != nil {
		return v, ctx.Err()
	}
	v.Stuck = r.rest(ctx)
	v.Orders, v.Answers = r.book.count(), r.book.answers
	lines, err := r.check(ctx)
	v.Lines = lines
	return v, err
}

func (r *run) open(ctx context.Context) error {
	stack, err := shop.Load(r.StackFile)
	if err != nil {
		return err
	}
	r.stack, r.http = stack, shop.NewClient(stack.Edge)
	r.http.HTTP.Timeout = callTimeout
	account := stack.Accounts["admin"]
	staff, err := shop.SignIn(ctx, r.http, account.Email, account.Password)
	if err != nil {
		return fmt.Errorf("staff: %w", err)
	}
	r.staff = &clerk{shopper: staff}
	given, err := stack.GivenUp(ctx)
	if err != nil {
		return err
	}
	for _, letters := range given {
		r.dead += len(letters)
	}
	r.shelf, err = stockUp(ctx, staff, cmp.Or(r.Scarce, usualScarce))
	return err
}

// storm lets customers and staff work while the faults go on. Customers finish
// what they have begun once the faults are over, so that an answer that was
// lost is asked for again.
func (r *run) storm(ctx context.Context, v *Verdict) {
	began := time.Now()
	weather, over := context.WithTimeout(ctx, r.For)
	defer over()
	var all sync.WaitGroup
	for i := range r.Customers {
		all.Go(func() { r.customer(ctx, weather, rand.New(rand.NewPCG(r.Seed, uint64(i)+1))) })
	}
	all.Go(func() { r.clerks(ctx, weather, rand.New(rand.NewPCG(r.Seed, 1<<32))) })
	v.Faults = r.faults(weather, rand.New(rand.NewPCG(r.Seed, 1<<33)))
	r.say("the faults are over after %s; %d orders so far", time.Since(began).Round(time.Second), r.book.count())
	all.Wait()
}

func (r *run) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.Out, time.Now().Format("15:04:05")+" "+format+"\n", args...)
}
