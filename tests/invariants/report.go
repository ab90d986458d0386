// Package invariants holds a running shop to what docs and contract say must
// always hold: it reads the databases by their read-only roles, the topics and
// the provider's ledger from outside, and compares them row by row. The
// whole-stack tests and the chaos run share it. It changes nothing.
package invariants

import (
	"fmt"
	"slices"
	"strings"
)

// Rule is one invariant with what was found of it.
type Rule struct {
	Number     int // as in the contract
	Name       string
	Checked    int // how many things were held to it
	Violations []string
}

// Report is the outcome of one check.
type Report struct {
	Rules []Rule
	// DeadLetters counts what lies in the dead-letter topics, notes included.
	DeadLetters int
}

// Violations lists all of them with the invariant's number in front.
func (r Report) Violations() []string {
	var all []string
	for _, rule := range r.Rules {
		for _, v := range rule.Violations {
			all = append(all, fmt.Sprintf("%d %s: %s", rule.Number, rule.Name, v))
		}
	}
	return all
}

// String is a table: each invariant with the number checked and violated, and
// the first violations below it.
func (r Report) String() string {
	const shown = 10
	var b strings.Builder
	for _, rule := range r.Rules {
		fmt.Fprintf(&b, "%d  %-66s %7d checked %4d violated\n", rule.Number, rule.Name, rule.Checked, len(rule.Violations))
		for i, v := range rule.Violations {
			if i == shown {
				fmt.Fprintf(&b, "     … and %d more\n", len(rule.Violations)-shown)
				break
			}
			fmt.Fprintf(&b, "     %s\n", v)
		}
	}
	fmt.Fprintf(&b, "dead letters: %d\n", r.DeadLetters)
	return b.String()
}

// audit fills a report.
type audit struct{ rules []*Rule }

// rule gives the rule of a name, made at its first use.
func (a *audit) rule(number int, name string) *Rule {
	for _, r := range a.rules {
		if r.Number == number && r.Name == name {
			return r
		}
	}
	r := &Rule{Number: number, Name: name}
	a.rules = append(a.rules, r)
	return r
}

// hold counts one thing checked, and a violation unless it is so.
func (r *Rule) hold(ok bool, format string, args ...any) {
	r.Checked++
	if !ok {
		r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
	}
}

func (a *audit) report() Report {
	var out Report
	for _, r := range a.rules {
		out.Rules = append(out.Rules, *r)
	}
	slices.SortStableFunc(out.Rules, func(x, y Rule) int { return x.Number - y.Number })
	return out
}
