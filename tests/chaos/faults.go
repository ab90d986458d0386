package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/caravan-shop/caravan/tests/shop"
)

// longestFreeze is well past every timeout of a store's client but below the
// patience of a customer.
const longestFreeze = 8 * time.Second

// faults kills and freezes until the time is over; at the end nothing is frozen.
func (r *run) faults(ctx context.Context, dice *rand.Rand) map[string]int {
	done := map[string]int{}
	var thaw sync.WaitGroup
	defer thaw.Wait()
	for {
		pause := r.Pause/2 + rand.N(max(r.Pause, time.Millisecond))
		select {
		case <-ctx.Done():
			return done
		case <-time.After(pause):
		}
		freeze, cold := dice.IntN(5) < 2, time.Second+time.Duration(dice.Int64N(int64(longestFreeze-time.Second)))
		p, err := r.victim(dice)
		if err != nil {
			r.say("no victim: %v", err)
			continue
		}
		if !freeze {
			r.say("kill -9 %s (%d)", p.Name, p.PID)
			_ = syscall.Kill(p.PID, syscall.SIGKILL)
			done["kill "+p.Name]++
			continue
		}
		r.say("freeze %s (%d) for %s", p.Name, p.PID, cold.Round(100*time.Millisecond))
		done["freeze "+p.Name]++
		thaw.Go(func() { frozen(ctx, p, cold) })
	}
}

// victim draws first what kind of process, so that the many sidecars do not
// shield the few servers.
func (r *run) victim(dice *rand.Rand) (shop.Process, error) {
	stack, err := shop.Load(r.StackFile)
	if err != nil {
		return shop.Process{}, err
	}
	kind := dice.IntN(3)
	var some []shop.Process
	for _, p := range stack.Processes {
		hit := kindOf(p.Name) == kind
		if r.Victims != nil {
			hit = slices.Contains(r.Victims, p.Name)
		}
		if p.Restart == "always" && p.PID > 0 && hit {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		return shop.Process{}, fmt.Errorf("no process that may be hit runs")
	}
	return some[dice.IntN(len(some))], nil
}

func kindOf(name string) int {
	switch {
	case strings.HasPrefix(name, "daprd-"):
		return 0
	case strings.Contains(" user product cart order payment notification edge ", " "+name+" "):
		return 1
	default:
		return 2
	}
}

// frozen stops a process and its children (PostgreSQL has many), and lets them go on.
func frozen(ctx context.Context, p shop.Process, d time.Duration) {
	all := family(p.PID)
	signalAll(all, syscall.SIGSTOP)
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	signalAll(all, syscall.SIGCONT)
}
