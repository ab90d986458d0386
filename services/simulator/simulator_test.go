package simulator_test

import (
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caravan-shop/caravan/services/internal/twin"
	"github.com/caravan-shop/caravan/services/simulator"
)

var (
	seeds = flag.Uint64("seeds", 10_000, "how many seeds TestTheShop simulates")
	from  = flag.Uint64("from", 1, "the first of them")
	seed  = flag.Uint64("seed", 0, "simulate this one seed and print each step")
)

// total sums up runs.
type total struct {
	runs, steps  int
	faults, ends map[string]int
}

func (t *total) add(r simulator.Result) {
	if t.faults == nil {
		t.faults, t.ends = map[string]int{}, map[string]int{}
	}
	t.runs++
	t.steps += r.Steps
	for kind, n := range r.Faults {
		t.faults[kind] += n
	}
	for end, n := range r.Ends {
		t.ends[end] += n
	}
}

func (t *total) String() string {
	faults := 0
	for _, n := range t.faults {
		faults += n
	}
	var b strings.Builder
	mean := func(n int) float64 { return float64(n) / float64(max(1, t.runs)) }
	fmt.Fprintf(&b, "%d seeds: %.1f steps and %.1f faults a seed\n", t.runs, mean(t.steps), mean(faults))
	for _, kind := range slices.Sorted(maps.Keys(t.faults)) {
		fmt.Fprintf(&b, "  %-36s %9d\n", kind, t.faults[kind])
	}
	for _, end := range slices.Sorted(maps.Keys(t.ends)) {
		fmt.Fprintf(&b, "  orders that ended %-18s %9d\n", end, t.ends[end])
	}
	return b.String()
}

// simulate runs n seeds, until one is violated or all are done. It gives the
// lowest violated seed that it met, 0 for none.
func simulate(t *testing.T, first, n uint64, flaws twin.Flaws) (sum total, bad uint64, why []string) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := first - 1
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				mu.Lock()
				if next++; next >= first+n || bad != 0 {
					mu.Unlock()
					return
				}
				at := next
				mu.Unlock()
				r, err := simulator.Run(simulator.Config{Seed: at, Flaws: flaws})
				mu.Lock()
				if err != nil {
					r.Violated = append(r.Violated, err.Error())
				}
				sum.add(r)
				if len(r.Violated) > 0 && (bad == 0 || at < bad) {
					bad, why = at, r.Violated
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return sum, bad, why
}

// TestTheShop holds the shop to the contract under every seed. To see one again:
// go test ./services/simulator -run TestTheShop -seed N -v
func TestTheShop(t *testing.T) {
	if *seed != 0 {
		r, err := simulator.Run(simulator.Config{Seed: *seed, Trace: func(line string) { t.Log(line) }})
		if err != nil || len(r.Violated) > 0 {
			t.Errorf("seed %d: %v\n%s", *seed, err, strings.Join(r.Violated, "\n"))
		}
		return
	}
	n := *seeds
	if testing.Short() || raceEnabled {
		n = min(n, 300)
	}
	sum, bad, why := simulate(t, *from, n, twin.Flaws{})
	t.Log(sum.String())
	if bad != 0 {
		t.Errorf("seed %d (replay: go test ./services/simulator -run TestTheShop -seed %d -v):\n%s", bad, bad, strings.Join(why, "\n"))
	}
}

// TestFlawsAreSeen proves that the checks can fail: each flaw must be found.
func TestFlawsAreSeen(t *testing.T) {
	const within = 200
	for name, c := range map[string]struct {
		flaws twin.Flaws
		want  string // what the first line of the finding begins with
	}{
		"dropped inbox check":             {twin.Flaws{NoInbox: true}, "5: event"},
		"publish before commit":           {twin.Flaws{PublishEarly: true}, ""},
		"refund without its unique index": {twin.Flaws{NoRefundIndex: true}, "3:"},
		"decrement without its guard":     {twin.Flaws{NoStockGuard: true}, "4: product"},
	} {
		t.Run(name, func(t *testing.T) {
			sum, bad, why := simulate(t, 1, within, c.flaws)
			if bad == 0 {
				t.Fatalf("not seen in %d seeds", within)
			}
			if !slices.ContainsFunc(why, func(v string) bool { return strings.HasPrefix(v, c.want) }) {
				t.Errorf("seed %d found something else: %s", bad, strings.Join(why, "\n"))
			}
			t.Logf("seen at seed %d, in %d runs: %s", bad, sum.runs, why[0])
		})
	}
}

// TestSeedsRepeat runs seeds twice: a seed that does not repeat can't be replayed.
func TestSeedsRepeat(t *testing.T) {
	for at := uint64(1); at <= 60; at++ {
		var traces [2][]string
		for i := range traces {
			if _, err := simulator.Run(simulator.Config{Seed: at, Trace: func(line string) { traces[i] = append(traces[i], line) }}); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(traces[0], traces[1]) {
			for i := range traces[0] {
				if i >= len(traces[1]) || traces[0][i] != traces[1][i] {
					t.Fatalf("seed %d differs at step %d: %q and %q", at, i, traces[0][i], traces[1][min(i, len(traces[1])-1)])
				}
			}
			t.Fatalf("seed %d: %d and %d steps", at, len(traces[0]), len(traces[1]))
		}
	}
}
