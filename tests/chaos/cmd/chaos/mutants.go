package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/caravan-shop/caravan/tests/chaos"
)

// mutant is a mistake that the services' test builds can make: what CARAVAN_MUTANT
// calls it, and the number of the invariant that it must be seen to break.
type mutant struct{ name, what, breaks string }

func mutants() []mutant {
	return []mutant{
		{"stock", "a decrement without its guard", "4"},
		{"refund", "a refund without its unique index", "3"},
		{"inbox", "a dropped inbox check", "5"},
		{"publish", "a publish before commit", ""}, // whichever sees what was never committed
	}
}

// victims are the processes whose faults show these mistakes, so that a short run
// is enough.
func victims() []string {
	return []string{"order", "payment", "product", "postgres", "daprd-order", "daprd-payment", "daprd-product"}
}

// findMutants fails unless chaos finds every mistake.
func findMutants(ctx context.Context, o chaos.Options) error {
	var missed []string
	for _, m := range mutants() {
		_, _ = fmt.Fprintf(o.Out, "\n== %s, seed %d\n", m.what, o.Seed)
		found, err := seen(ctx, o, m)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", m.what, err)
		case found == "":
			missed = append(missed, m.what)
			_, _ = fmt.Fprintf(o.Out, "== NOT seen: %s\n", m.what)
		default:
			_, _ = fmt.Fprintf(o.Out, "== seen: %s\n   by %s\n", m.what, found)
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("not seen: %s", strings.Join(missed, ", "))
	}
	return nil
}

// seen runs chaos in a shop with one mistake and gives the first line that
// shows it, "" if none does.
func seen(ctx context.Context, o chaos.Options, m mutant) (string, error) {
	path, stop, err := ownStack(ctx, os.Getenv("CARAVAN_BIN"), "--crashpoints", "--env", "CARAVAN_MUTANT="+m.name)
	if err != nil {
		return "", err
	}
	defer stop(false)
	o.StackFile, o.Victims, o.Scarce = path, victims(), 3
	v, err := chaos.Run(ctx, o)
	if err != nil {
		return "", err
	}
	v.Print(o.Out)
	for _, l := range v.Lines {
		if len(l.Violated) > 0 && strings.HasPrefix(l.Name, m.breaks) {
			return fmt.Sprintf("%q: %s", l.Name, l.Violated[0]), nil
		}
	}
	return "", nil
}
