package chaos

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// shown bounds how many violations of a property are printed.
const shown = 5

// Print tells a verdict.
func (v *Verdict) Print(out io.Writer) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	sum := 0
	for _, n := range v.Faults {
		sum += n
	}
	p("\n%d faults", sum)
	for _, name := range slices.Sorted(maps.Keys(v.Faults)) {
		p("  %4d × %s", v.Faults[name], name)
	}
	if len(v.Recoveries) > 0 {
		slowest := slices.MaxFunc(v.Recoveries, func(a, b Recovery) int { return int(a.Took - b.Took) })
		p("recovery after kill -9 of each of %d processes: slowest %s, %s (limit %s)", len(v.Recoveries), slowest.Process, slowest.Took.Round(100*time.Millisecond), recoveryLimit)
	}
	p("what customers and staff heard besides success")
	for _, what := range slices.Sorted(maps.Keys(v.Answers)) {
		p("  %4d × %s", v.Answers[what], what)
	}
	p("%d orders that customers were told of", v.Orders)
	for _, l := range v.Lines {
		p("%7d checked %5d violated  %s", l.Checked, len(l.Violated), l.Name)
		list(p, l.Violated)
	}
	p("%d stuck", len(v.Stuck))
	list(p, v.Stuck)
}

func list(p func(string, ...any), what []string) {
	for i, one := range what {
		if i == shown {
			p("          … and %d more", len(what)-shown)
			return
		}
		p("          %s", one)
	}
}
