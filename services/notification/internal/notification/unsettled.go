package notification

import "sync"

// unsettled remembers the mails that this process is done with but could not
// mark as such. Their events come again until the mark is set, so the memory
// holds at most one entry for each event in flight.
type unsettled struct {
	mu   sync.Mutex
	done map[string]Outcome
}

func newUnsettled() *unsettled { return &unsettled{done: map[string]Outcome{}} }

func (u *unsettled) outcome(key string) (Outcome, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	o, ok := u.done[key]
	return o, ok
}

func (u *unsettled) remember(key string, o Outcome) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done[key] = o
}

func (u *unsettled) forget(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.done, key)
}
