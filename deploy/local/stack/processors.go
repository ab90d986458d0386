package stack

import (
	"runtime"
	"strconv"
	"time"

	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// processors is how many cores a Go process of the stack uses at once, of those that the machine has. Some twenty of them
// share the machine: each gets half of it, so that none wakes threads on all cores for the one message that waits. User
// hashes passwords and Product reads imports, where a single caller can use every core.
func processors(process string, cores int) int {
	if process == user || process == product {
		return cores
	}
	return max(1, cores/2)
}

// aloneSlack is the timer slack of a process on one processor. With several, an idle one waits for a timer before it
// takes work from a busy one, and is the later for it.
const aloneSlack = 10 * time.Millisecond

// share keeps a Go process to its processors.
func share(process string, p *supervise.Process) *supervise.Process {
	n := processors(process, runtime.NumCPU())
	p.Env = append(p.Env, "GOMAXPROCS="+strconv.Itoa(n))
	if n == 1 {
		p.Slack = aloneSlack
	}
	return p
}
