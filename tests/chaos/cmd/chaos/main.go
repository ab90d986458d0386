// Command chaos breaks the running stack that CARAVAN_STACK names, or one of its
// own that the command CARAVAN_BIN starts, and tells whether it kept every
// promise. It exits 1 when one was broken or when anything is stuck. With -mutants
// it breaks shops in which a mistake was made on purpose, and exits 1 when it
// does not find one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/caravan-shop/caravan/tests/chaos"
)

func main() {
	o := chaos.Options{StackFile: os.Getenv("CARAVAN_STACK"), Out: os.Stdout}
	flag.Uint64Var(&o.Seed, "seed", uint64(time.Now().UnixNano()), "what the faults are drawn from")
	flag.DurationVar(&o.For, "for", time.Minute, "how long the faults go on; 0: no storm")
	flag.IntVar(&o.Customers, "customers", 8, "how many customers shop at once")
	flag.DurationVar(&o.Pause, "pause", 2*time.Second, "mean time between two faults")
	flag.DurationVar(&o.Rest, "rest", 5*time.Minute, "how long the shop may take to come to rest")
	flag.BoolVar(&o.Recovery, "recovery", false, "first kill each process once and measure how long the shop needs")
	mutants := flag.Bool("mutants", false, "break a shop of its own for each known mistake, and expect to find it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	work := run
	if *mutants {
		work = findMutants
	}
	if err := work(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o chaos.Options) error {
	if o.StackFile == "" {
		path, stop, err := ownStack(ctx, os.Getenv("CARAVAN_BIN"))
		if err != nil {
			return err
		}
		o.StackFile = path
		err = judge(ctx, o)
		stop(err != nil)
		return err
	}
	return judge(ctx, o)
}

func judge(ctx context.Context, o chaos.Options) error {
	fmt.Printf("seed %d\n", o.Seed)
	v, err := chaos.Run(ctx, o)
	if v != nil {
		v.Print(os.Stdout)
	}
	if err == nil && v.Failed() {
		err = errors.New("the shop broke a promise, or something is stuck")
	}
	return err
}
