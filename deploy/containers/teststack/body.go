package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// body is one life of a container, from a start to its end.
type body struct {
	pid    int
	signal func(name string) error
	ended  client.ContainerWaitResult
}

// PID is the number of the container's first process on the engine's machine.
func (b *body) PID() int { return b.pid }

// Signal goes through the engine, which may send it whoever we are.
func (b *body) Signal(s syscall.Signal) error { return b.signal(strconv.Itoa(int(s))) }

// Kill fails once the container has ended, and then nothing is left to kill.
func (b *body) Kill() { _ = b.Signal(syscall.SIGKILL) }

// Wait gives an exit other than 0 as an error.
func (b *body) Wait() error {
	select {
	case end := <-b.ended.Result:
		if end.Error != nil {
			return fmt.Errorf("wait for the container: %s", end.Error.Message)
		}
		if end.StatusCode != 0 {
			return fmt.Errorf("exit status %d", end.StatusCode)
		}
		return nil
	case err := <-b.ended.Error:
		return fmt.Errorf("wait for the container: %w", err)
	}
}

func (b *body) copyOutput(out *os.File, from client.ContainerAttachResult) {
	_, _ = stdcopy.StdCopy(out, out, from.Reader)
	from.Close()
	_ = out.Close()
}
