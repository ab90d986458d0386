package simulator

// task is work of a process that may wait, or die, between two steps: it runs in
// a goroutine of its own, but only while the world waits for it.
type task struct {
	name, owner string
	resume      chan bool // false: die
	paused      chan struct{}
	done        bool
}

// killed ends the goroutine of a task whose process died.
type killed struct{}

// start makes a task that has not taken its first step.
func (w *world) start(name, owner string, work func()) *task {
	t := &task{name: name, owner: owner, resume: make(chan bool), paused: make(chan struct{})}
	go func() {
		defer func() {
			t.done = true
			if r := recover(); r != nil {
				if _, died := r.(killed); !died {
					panic(r)
				}
			}
			t.paused <- struct{}{}
		}()
		if !<-t.resume {
			panic(killed{})
		}
		work()
	}()
	w.tasks = append(w.tasks, t)
	return t
}

// run lets a task go on to its next pause or its end.
func (w *world) run(t *task, alive bool) {
	if t.done {
		return
	}
	w.running = t
	// Payment and Product commit in turn only while their own work runs.
	w.faulty[t.owner] = true
	t.resume <- alive
	<-t.paused
	w.faulty[t.owner] = false
	w.running = nil
	if t.done {
		for i, other := range w.tasks {
			if other == t {
				w.tasks = append(w.tasks[:i], w.tasks[i+1:]...)
				return
			}
		}
	}
}

// pause is called within a task, between two steps. Outside tasks it is nothing.
func (w *world) pause(point string) {
	t := w.running
	if t == nil {
		return
	}
	w.trace("  %s waits at %s", t.name, point)
	t.paused <- struct{}{}
	if !<-t.resume {
		panic(killed{})
	}
}

// crash kills a process with all that it had under way.
func (w *world) crash(owner string) {
	n := 0
	for _, t := range append([]*task(nil), w.tasks...) {
		if t.owner == owner {
			w.run(t, false)
			n++
		}
	}
	if n > 0 {
		w.fault("crash between two steps")
	} else {
		w.fault("crash while idle")
	}
}

func (w *world) killAll() {
	for len(w.tasks) > 0 {
		w.run(w.tasks[0], false)
	}
}

// finish runs a task to its end.
func (w *world) finish(t *task) {
	for !t.done {
		w.run(t, true)
	}
}
